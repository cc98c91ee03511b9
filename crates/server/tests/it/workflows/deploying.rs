//! Deploying, listing and deleting.

use reqwest::Method;
use serde_json::{Value, json};

use crate::components::publishing::action;
use crate::world::worlds;

const HELLO: &str = "name: hello
trigger: { call: {} }
steps:
  - name: greet
    code: |
      export default ({ steps }) => `Hello ${steps.trigger.event.name}`;
";

#[tokio::test]
async fn a_workflow_is_deployed_again_as_another_version_and_deleted() {
    for world in worlds().await {
        let first = world.workflow(HELLO).await;
        assert_eq!((&first["version"], &first["endpoint_url"]), (&json!(1), &json!(null)));
        let same = world.try_workflow(HELLO).await.json();
        assert_eq!((&same["fresh"], &same["data"]["version"]), (&json!(false), &json!(1)));
        let next = world.workflow(&HELLO.replace("Hello", "Bye")).await;
        assert_eq!((&next["id"], &next["version"]), (&first["id"], &json!(2)));
        let list = world.get(&world.path("/workflows")).await.json();
        assert_eq!(list["page_info"]["total_count"], 1);
        let path = world.path("/workflows/hello");
        assert_eq!(world.get(&path).await.json()["data"]["id"], first["id"]);
        assert_eq!(world.delete(&path).await.status, 204);
        assert_eq!(world.get(&path).await.status, 404);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_workflow_is_told_with_its_place() {
    for world in worlds().await {
        let reply = world.try_workflow(&HELLO.replace("steps:", "stpes:")).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "workflow_broken".to_owned()));
        assert_eq!(reply.json()["details"]["position"]["line"], 3, "{reply:?}");
        let reply = world.try_workflow(&HELLO.replace("=> `", "=> > `")).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "component_broken".to_owned()));
        assert_eq!(reply.json()["details"]["step"], "greet", "{reply:?}");
        assert_eq!(reply.json()["details"]["position"]["file"], "step.mjs", "{reply:?}");
        let missing = "name: a\ntrigger: { call: {} }\nsteps: [{ name: b, component: no-such }]\n";
        assert_eq!(world.try_workflow(missing).await.status, 404);
    }
}

#[tokio::test]
async fn what_cannot_work_is_refused_when_it_is_deployed() {
    for world in worlds().await {
        let refused = async |text: &str, field: &str, parts: &[&str]| {
            let reply = world.try_workflow(text).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "workflow_broken".to_owned()));
            assert_eq!(reply.json()["details"]["field"], field, "{reply:?}");
            for part in parts {
                assert!(reply.text.contains(part), "no {part:?} in {reply:?}");
            }
        };
        let after = HELLO.replace("steps:", "on_error: sorry\nsteps:");
        refused(&after, "on_error", &["no workflow `sorry`", "deploy that one first"]).await;
        world.workflow(&HELLO.replace("hello", "sorry")).await;
        world.workflow(&after).await;
        world.workflow(&HELLO.replace("steps:", "on_error: hello\nsteps:")).await;
        let slack = |props: &str| {
            format!(
                "name: slack\ntrigger: {{ call: {{}} }}\nsteps:\n  - name: post\n    \
                 component: slack-send-message\n    props: {{ {props} }}\n"
            )
        };
        let at = "steps[0].props.chanel";
        refused(&slack("chanel: C1, text: hi"), at, &["Did you mean `channel`?"]).await;
        let at = "steps[0].props.text";
        refused(&slack("channel: C1, text: 7"), at, &["Write it in quotes"]).await;
        refused(&slack("channel: C1"), "steps[0].props", &["`text` is missing"]).await;
        world.workflow(&slack("channel: '{{ event.c }}', text: '{{ event.t }}'")).await;
        let own = HELLO.replace("    code:", "    props: { nme: 1 }\n    code:");
        refused(&own, "steps[0].props.nme", &["declares none in its `props`"]).await;
    }
}

#[tokio::test]
async fn a_component_of_another_kind_is_said_to_be_one() {
    for world in worlds().await {
        let text = "name: a\ntrigger: { call: {} }\nsteps: [{ name: b, component: KEY }]\n";
        let reply = world.try_workflow(&text.replace("KEY", "github-new-issue")).await;
        assert_eq!(reply.status, 404);
        assert!(reply.text.contains("is the source of a trigger"), "{reply:?}");
        let reply = world.try_deploy("slack-send-message", json!({}), json!({})).await;
        assert_eq!(reply.status, 404);
        assert!(reply.text.contains("`slack-send-message` is an action"), "{reply:?}");
    }
}

#[tokio::test]
async fn what_a_workflow_runs_is_not_deleted_in_silence() {
    for world in worlds().await {
        let key = world.published(&action("greet", "0.0.1", "run() { return 1; }")).await;
        let uses = format!(
            "name: uses\ntrigger: {{ call: {{}} }}\nsteps: [{{ name: a, component: {key} }}]\n"
        );
        world.workflow(&uses).await;
        let path = world.path(&format!("/components/{key}"));
        let kept = world.delete(&path).await;
        assert_eq!((kept.status.as_u16(), kept.code()), (409, "component_in_use".to_owned()));
        assert!(kept.text.contains("is used by 1 workflow (uses)"), "{kept:?}");
        assert_eq!(kept.json()["details"]["workflows"], json!(["uses"]));
        assert_eq!(world.ran("uses", json!({})).await["outcome"], "ok");
        assert_eq!(world.delete(&format!("{path}?force=true")).await.status, 204);
        let run = world.ran("uses", json!({})).await;
        assert_eq!(
            (&run["outcome"], &run["error"]["code"]),
            (&json!("failed"), &json!("not_found"))
        );
        // The next version does without it.
        let key = world.published(&action("greet", "0.0.1", "run() { return 1; }")).await;
        world.workflow(&HELLO.replace("hello", "uses")).await;
        assert_eq!(world.delete(&world.path(&format!("/components/{key}"))).await.status, 204);
    }
}

#[tokio::test]
async fn a_workflow_that_others_start_is_not_deleted_in_silence() {
    for world in worlds().await {
        let made = world.workflow(HELLO).await;
        let more = json!({ "workflow_id": made["id"] });
        let trigger = world.deploy("http-new-requests", json!({}), more).await;
        let text = HELLO.replace("name: hello", "name: other\non_error: hello");
        world.workflow(&text).await;
        let path = world.path("/workflows/hello");
        let kept = world.delete(&path).await;
        assert_eq!((kept.status.as_u16(), kept.code()), (409, "in_use".to_owned()));
        let details = &kept.json()["details"];
        assert_eq!(details["triggers"][0]["id"], trigger["id"], "{kept:?}");
        assert_eq!(details["workflows"], json!(["other"]));
        assert_eq!(world.delete(&format!("{path}?force=true")).await.status, 204);
        let id = trigger["id"].as_str().unwrap();
        let left = world.of_trigger(Method::GET, id, "/pipelines", Value::Null).await;
        assert_eq!(left.json()["workflow_ids"], json!([]), "{left:?}");
        assert_eq!(world.delete(&world.path("/workflows/other")).await.status, 204);
    }
}

#[tokio::test]
async fn versions_that_no_run_is_of_are_not_kept() {
    for world in worlds().await {
        let text = |nth: i64| HELLO.replace("steps:", &format!("concurrency: {nth}\nsteps:"));
        world.workflow(&text(1)).await;
        let run = world.ran("hello", json!({})).await;
        for nth in 2..=6 {
            world.workflow(&text(nth)).await;
        }
        let kept = "select count(*) from workflow_versions where version in (1, 5, 6)";
        let all = world.count("select count(*) from workflow_versions").await;
        assert_eq!((world.count(kept).await, all), (3, 3));
        let seen = world.run_of(run["id"].as_str().unwrap()).await;
        assert_eq!(seen["steps"], run["steps"], "what ran can still be read");
    }
}
