//! Fields whose values and presence the code itself decides.

use serde_json::{Value, json};

use super::publishing::action;
use crate::world::{World, worlds};

const CHOOSER: &str = "props: {
    channel: { type: \"string\", useQuery: true, async options({ page, prevContext, query }) {
      if (query === 'bad') throw new Error('no such channel');
      console.log('page', page);
      return { options: [{ label: `c${page} ${query ?? ''}`, value: `C${page}` }],
        context: { next: (prevContext?.next ?? 0) + 1 } };
    } },
    plain: { type: \"string\", async options() { return ['a', 'b']; } },
    fixed: { type: \"string\", options: ['x', 'y'], reloadProps: true },
  },
  async additionalProps() {
    return this.fixed === 'x' ? { depth: { type: 'integer', label: 'Depth' } } : {};
  },
  run() { return { depth: this.depth ?? null }; }";

async fn configure(world: &World, prop: &str, more: Value) -> Value {
    let mut body = json!({ "id": "~/choose", "external_user_id": "ada", "prop_name": prop });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let reply = world.post(&world.path("/components/configure"), body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

#[tokio::test]
async fn options_come_page_by_page_and_failures_are_among_the_errors() {
    for world in worlds().await {
        world.published(&action("choose", "0.0.1", CHOOSER)).await;
        let first = configure(&world, "channel", json!({})).await;
        assert_eq!(first["options"], json!([{ "label": "c0 ", "value": "C0" }]), "{first}");
        assert_eq!((&first["context"], &first["errors"]), (&json!({ "next": 1 }), &json!([])));
        assert_eq!(first["stringOptions"], Value::Null);
        assert_eq!(first["observations"][0]["msg"], "page 0");
        let more = json!({ "page": 1, "prev_context": first["context"], "query": "gen" });
        let second = configure(&world, "channel", more).await;
        assert_eq!(second["options"][0], json!({ "label": "c1 gen", "value": "C1" }));
        assert_eq!(second["context"], json!({ "next": 2 }));
        let failed = configure(&world, "channel", json!({ "query": "bad" })).await;
        let error: Value = serde_json::from_str(failed["errors"][0].as_str().unwrap()).unwrap();
        assert_eq!(error, json!({ "name": "Error", "message": "no such channel" }));
        let plain = configure(&world, "plain", json!({})).await;
        assert_eq!(
            (&plain["stringOptions"], &plain["options"]),
            (&json!(["a", "b"]), &Value::Null)
        );
        let fixed = configure(&world, "fixed", json!({})).await;
        assert_eq!(fixed["stringOptions"], json!(["x", "y"]));
        let body = json!({ "id": "~/choose", "external_user_id": "ada", "prop_name": "none" });
        let reply = world.post(&world.path("/actions/configure"), body).await;
        assert_eq!(reply.code(), "invalid_field");
    }
}

#[tokio::test]
async fn fields_that_a_choice_brings_are_remembered_for_a_day_for_their_user() {
    for world in worlds().await {
        world.published(&action("choose", "0.0.1", CHOOSER)).await;
        let path = world.path("/actions/props");
        let reload = async |fixed: &str| {
            let body = json!({ "id": "~/choose", "external_user_id": "ada",
                "configured_props": { "fixed": fixed } });
            world.post(&path, body).await.json()
        };
        let none = reload("y").await;
        assert_eq!(none["dynamicProps"]["configurableProps"].as_array().unwrap().len(), 3);
        let some = reload("x").await;
        assert_eq!((&some["errors"], &some["observations"]), (&json!([]), &json!([])), "{some}");
        let props = some["dynamicProps"]["configurableProps"].as_array().unwrap();
        assert_eq!(props[3], json!({ "name": "depth", "type": "integer", "label": "Depth" }));
        let id = some["dynamicProps"]["id"].as_str().unwrap();
        assert!(id.starts_with("dyp_"));
        let run = async |user: &str, more: Value| {
            let mut body = json!({ "id": "~/choose", "external_user_id": user,
                "configured_props": { "channel": "C1", "plain": "a", "fixed": "x", "depth": 7 } });
            for (name, value) in more.as_object().unwrap() {
                body[name] = value.clone();
            }
            world.post(&world.path("/actions/run"), body).await
        };
        let ran = run("ada", json!({ "dynamic_props_id": id })).await;
        assert_eq!(ran.json()["ret"], json!({ "depth": 7 }), "{ran:?}");
        // Without it there is no such field.
        assert_eq!(run("ada", json!({})).await.json()["ret"], json!({ "depth": null }));
        let other = run("grace", json!({ "dynamic_props_id": id })).await;
        assert_eq!(other.code(), "invalid_field");
        world.later(25 * 3_600_000);
        let late = run("ada", json!({ "dynamic_props_id": id })).await;
        assert_eq!((late.status.as_u16(), late.code()), (400, "invalid_field".to_owned()));
    }
}
