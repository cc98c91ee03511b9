//! Runs that fail: nothing of them counts, they are made again, and in the end somebody is told.

use reqwest::Method;
use serde_json::{Value, json};

use super::{HOUR_MS, MINUTE_MS};
use crate::receiver::Receiver;
use crate::world::{World, worlds};

/// Fails for as long as the other source has not said otherwise: emits and writes, then throws.
const SHAKY: &str = "props: { db: \"$.service.db\", good: { type: \"boolean\", optional: true },
    timer: { type: \"$.interface.timer\", default: { intervalSeconds: 60 } } },
  async run() {
    const runs = ((await this.db.get('runs')) ?? 0) + 1;
    await this.db.set('runs', runs);
    this.$emit({ runs }, { id: `r${runs}`, summary: 'a run' });
    console.log('so far so good');
    if (!this.good) throw new Error('no more');
  }";

async fn shaky(world: &World) -> String {
    let key = world.source("shaky", SHAKY).await;
    world.deploy(&key, json!({}), json!({})).await["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_run_that_fails_leaves_nothing_and_is_made_again_later_and_later() {
    for world in worlds().await {
        let id = shaky(&world).await;
        world.fire_after(MINUTE_MS).await;
        assert_eq!(world.emitted(&id).await, Vec::<Value>::new(), "nothing of it counts");
        let trigger = world.trigger(&id).await;
        let said = trigger["callback_observations"].as_array().unwrap();
        assert_eq!(said[0]["msg"], "so far so good", "{trigger}");
        assert_eq!(said[1]["err"]["message"], "no more");
        for _ in 0..3 {
            world.fire_after(MINUTE_MS).await;
        }
        let failures = world.count("select failures from triggers").await;
        assert!((3..=4).contains(&failures), "it is left alone for longer each time: {failures}");
        world.app.clock.shift(HOUR_MS);
        let change = json!({ "configured_props": { "good": true } });
        assert_eq!(world.of_trigger(Method::PUT, &id, "", change).await.status, 200);
        world.fire().await;
        assert_eq!(world.emitted(&id).await, [json!({ "runs": 1 })], "as if it were the first");
        let trigger = world.trigger(&id).await;
        assert_eq!(trigger["callback_observations"], Value::Null, "{trigger}");
    }
}

#[tokio::test]
async fn a_trigger_that_fails_and_fails_is_paused_and_its_product_is_told() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        world.endpoint_with(json!({ "url": receiver.url, "topics": ["trigger.paused"] })).await;
        let id = shaky(&world).await;
        for _ in 0..12 {
            world.fire_after(2 * HOUR_MS).await;
        }
        let trigger = world.trigger(&id).await;
        assert_eq!(trigger["active"], false, "{trigger}");
        assert_eq!(world.count("select failures from triggers").await, 10);
        world.deliver().await;
        let [post] = &receiver.posts()[..] else { panic!("{:?}", receiver.posts()) };
        let body = post.json();
        assert_eq!(body["type"], "trigger.paused");
        let data = &body["data"];
        assert_eq!((&data["trigger_id"], &data["external_user_id"]), (&json!(id), &json!("ada")));
        assert_eq!((&data["reason"], &data["message"]), (&json!("code_failed"), &json!("no more")));
        let change = json!({ "configured_props": { "good": true }, "active": true });
        let on = world.of_trigger(Method::PUT, &id, "", change).await;
        assert_eq!(on.json()["data"]["active"], true, "{on:?}");
        world.fire_after(MINUTE_MS).await;
        assert_eq!(world.emitted(&id).await, [json!({ "runs": 1 })]);
    }
}

#[tokio::test]
async fn an_account_that_no_longer_works_is_a_typed_failure() {
    for world in worlds().await {
        let rest = "props: { sim: { type: \"app\", app: \"sim_rotating\" }, timer: {
              type: \"$.interface.timer\", default: { intervalSeconds: 60 } } },
          run() { this.$emit({ has: 'oauth_access_token' in this.sim.$auth }); }";
        let key = world.source("needy", rest).await;
        let reply = world.try_deploy(&key, json!({}), json!({})).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "account_needed".into()));
        let account = world.connected("rotating", "ada").await;
        let props = json!({ "sim": { "authProvisionId": account.id } });
        let id = world.deploy(&key, props, json!({})).await["id"].as_str().unwrap().to_owned();
        world.fire_after(MINUTE_MS).await;
        assert_eq!(world.emitted(&id).await, [json!({ "has": true })]);
        world.forget(&account).await;
        world.fire_after(MINUTE_MS).await;
        let trigger = world.trigger(&id).await;
        assert_eq!(trigger["active"], false, "no run can help: {trigger}");
        assert_eq!(trigger["callback_observations"][0]["err"]["name"], "not_found");
    }
}

#[tokio::test]
async fn a_request_is_worked_off_though_the_first_run_fails() {
    for world in worlds().await {
        let rest = "props: { http: \"$.interface.http\", good: { type: \"boolean\",
              optional: true } },
          async run(event) {
            if (!this.good) throw new Error('not yet');
            this.$emit({ body: event.body, query: event.query, raw: event.bodyRaw });
          }";
        let key = world.source("later", rest).await;
        let made = world.deploy(&key, json!({}), json!({})).await;
        let (id, props) = (made["id"].as_str().unwrap(), &made["configured_props"]);
        let url = props["http"]["endpoint_url"].as_str().unwrap();
        let answer = world.hit(&format!("{url}?q=1"), json!({ "n": 1 })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        world.fire().await;
        assert_eq!(world.count("select count(*) from trigger_calls").await, 1, "it stays");
        let change = json!({ "configured_props": { "good": true } });
        assert_eq!(world.of_trigger(Method::PUT, id, "", change).await.status, 200);
        world.fire_after(HOUR_MS).await;
        let event = json!({ "body": { "n": 1 }, "query": { "q": "1" }, "raw": "{\"n\":1}" });
        assert_eq!(world.emitted(id).await, [event]);
        assert_eq!(world.count("select count(*) from trigger_calls").await, 0);
        let off = world.of_trigger(Method::PUT, id, "", json!({ "active": false })).await;
        assert_eq!(off.status, 200);
        assert_eq!(world.hit(url, json!({})).await.status, 404, "it is off");
    }
}
