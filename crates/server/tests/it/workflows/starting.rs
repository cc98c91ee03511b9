//! Runs that are started by events of deployed triggers, and by other runs: each once.

use reqwest::Method;
use serde_json::{Value, json};

use super::{SECOND_MS, id};
use crate::world::{World, worlds};

const TAKES: &str = "name: takes
trigger: { call: {} }
steps:
  - name: say
    code: 'export default ({ steps, $ }) => [steps.trigger.event, $.context.emitter_id]'
";

async fn runs_of(world: &World, workflow: &str) -> Vec<Value> {
    let path = world.path(&format!("/workflow-runs?workflow={workflow}&limit=100"));
    world.get(&path).await.json()["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn events_of_a_deployed_trigger_start_its_workflows_for_its_user() {
    for world in worlds().await {
        let takes = world.workflow(TAKES).await;
        let made = world
            .deploy("http-new-requests", json!({}), json!({ "workflow_id": takes["id"] }))
            .await;
        let (trigger, url) = (made["id"].as_str().unwrap(), made["endpoint_url"].as_str().unwrap());
        for n in 0..3 {
            assert_eq!(world.hit(url, json!({ "n": n })).await.status, 200);
        }
        // Two processes look at once, and each event starts one run.
        let other = World::beside(&world).await;
        let _ = tokio::join!(
            grantkeep::workflows::round(&world.app),
            grantkeep::workflows::round(&other.app)
        );
        world.app.clock.shift(11 * SECOND_MS);
        world.flow().await;
        let found = runs_of(&world, "takes").await;
        assert_eq!(found.len(), 3, "{found:?}");
        let mut bodies = Vec::new();
        for run in &found {
            assert_eq!((&run["cause"], &run["outcome"]), (&json!("trigger"), &json!("ok")));
            assert_eq!(run["external_user_id"], "ada");
            let whole = world.run_of(run["id"].as_str().unwrap()).await;
            let given = &whole["steps"][0]["exports"]["$return_value"];
            assert_eq!(given[1], trigger, "{whole}");
            bodies.push(given[0]["body"]["n"].as_i64().unwrap());
        }
        bodies.sort_unstable();
        assert_eq!(bodies, [0, 1, 2]);
        assert_eq!(world.count("select count(*) from trigger_starts").await, 0);
        // A workflow that is gone holds nothing up.
        let forced = world.path("/workflows/takes?force=true");
        assert_eq!(world.delete(&forced).await.status, 204);
        assert_eq!(world.hit(url, json!({ "n": 4 })).await.status, 200);
        world.flow().await;
        assert_eq!(world.count("select count(*) from trigger_starts").await, 0);
        let none = json!({ "workflow_ids": [] });
        let set = world.of_trigger(Method::PUT, trigger, "/pipelines", none).await;
        assert_eq!(set.status, 200, "{set:?}");
    }
}

#[tokio::test]
async fn a_step_that_is_tried_again_starts_no_other_run_again() {
    for world in worlds().await {
        world.workflow(TAKES).await;
        world
            .workflow(
                "name: starts
trigger: { call: {} }
steps:
  - name: go
    retries: { times: 2, wait: 1s }
    code: |
      export default async ({ $ }) => {
        const one = await $.flow.trigger('takes', { n: 1 });
        const two = await $.flow.trigger('takes', { n: 2 });
        $.export('begun', [one, two]);
        throw new Error('after all');
      }
",
            )
            .await;
        let run = world.ran("starts", json!({})).await;
        for _ in 0..3 {
            world.app.clock.shift(10 * SECOND_MS);
            world.flow().await;
        }
        let run = world.run_of(&id(&run)).await;
        assert_eq!((&run["outcome"], &run["steps"][0]["tries"]), (&json!("failed"), &json!(3)));
        let found = runs_of(&world, "takes").await;
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|it| it["cause"] == "flow" && it["of_run"] == run["id"]));
    }
}

#[tokio::test]
async fn runs_that_wait_for_their_turn_begin_in_the_order_in_which_they_came() {
    let text = "name: turns\ntrigger: { call: {} }\nLIMIT\nsteps:\n  - name: say\n    \
                code: 'export default ({ steps }) => steps.trigger.event.n'\n";
    for world in worlds().await {
        let limits =
            [("concurrency: 1", 5), ("concurrency: 5", 40), ("throttle: { runs: 1, per: 1s }", 5)];
        for (limit, count) in limits {
            world.workflow(&text.replace("LIMIT", limit)).await;
            let mut ids = Vec::new();
            for n in 0..count {
                ids.push(world.invoke("turns", json!({ "n": n })).await);
                world.app.clock.shift(1);
            }
            for _ in 0..60 {
                world.flow().await;
                world.app.clock.shift(100);
            }
            let mut begun = Vec::new();
            for id in &ids {
                let run = world.run_of(id).await;
                assert_eq!(run["outcome"], "ok", "{run}");
                begun.push((run["started_at"].as_str().unwrap().to_owned(), id));
            }
            // Two of one millisecond keep their order.
            begun.sort_by(|a, b| a.0.cmp(&b.0));
            let begun: Vec<_> = begun.into_iter().map(|(_, id)| id).collect();
            assert!(begun.iter().copied().eq(&ids), "{limit}: {begun:?}");
        }
    }
}

#[tokio::test]
async fn a_mistyped_user_starts_no_run_for_somebody_else() {
    let text = "name: whose\ntrigger: { call: {} }\nsteps:\n  - name: say\n    \
                code: 'export default ({ $ }) => $.context.external_user_id'\n";
    for world in worlds().await {
        world.workflow(text).await;
        let body = json!({ "external_userid": "ada", "event": {} });
        let reply = world.post(&world.path("/workflows/whose/invoke"), body).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_type".to_owned()));
        assert!(reply.text.contains("unknown field `external_userid`"), "{reply:?}");
        assert_eq!(world.count("select count(*) from workflow_runs").await, 0);
    }
}
