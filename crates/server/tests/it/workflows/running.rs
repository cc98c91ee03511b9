//! Runs: what steps give each other, conditions, retries, callers, and the article's snippets.

use serde_json::json;

use super::{SECOND_MS, id};
use crate::world::{read, worlds};

#[tokio::test]
async fn steps_see_what_steps_before_them_gave() {
    for world in worlds().await {
        world
            .workflow(
                "name: chain
trigger: { call: {} }
steps:
  - name: one
    code: |
      export default defineComponent({ props: { n: 'integer' },
        async run({ $ }) { $.export('double', this.n * 2); return { n: this.n }; } })
    props: { n: '{{ event.n + 1 }}' }
  - name: never
    if: steps.one.double > 100
    code: 'export default () => 1'
  - name: two
    code: |
      export default ({ steps, $ }) => ({ sum: steps.one.double + steps.one.$return_value.n,
        never: steps.never ?? null, key: $.context.idempotency_key })
",
            )
            .await;
        let run = world.ran("chain", json!({ "n": 4 })).await;
        assert_eq!((&run["state"], &run["outcome"]), (&json!("ended"), &json!("ok")), "{run}");
        let states: Vec<_> =
            run["steps"].as_array().unwrap().iter().map(|it| &it["state"]).collect();
        assert_eq!(states, ["ok", "skipped", "ok"]);
        let given = &run["steps"][2]["exports"]["$return_value"];
        assert_eq!(given["sum"], 15);
        assert_eq!(given["key"], format!("{}/two", id(&run)));
    }
}

#[tokio::test]
async fn a_step_that_fails_is_tried_again_and_then_another_workflow_hears_of_it() {
    for world in worlds().await {
        world
            .workflow(
                "name: sorry
trigger: { call: {} }
steps: [{ name: note, code: 'export default ({ steps }) => steps.trigger.event.error' }]
",
            )
            .await;
        world
            .workflow(
                "name: fails
trigger: { call: {} }
on_error: sorry
steps:
  - name: bad
    code: 'export default () => { throw new RangeError(\"too far\"); }'
    retries: { times: 2, wait: 10s }
",
            )
            .await;
        let run = world.ran("fails", json!({})).await;
        assert_eq!(run["state"], "waiting", "{run}");
        for wait in [10, 20] {
            world.app.clock.shift(wait * SECOND_MS);
            world.flow().await;
        }
        let run = world.run_of(&id(&run)).await;
        assert_eq!((&run["outcome"], &run["steps"][0]["tries"]), (&json!("failed"), &json!(3)));
        assert_eq!(run["error"]["message"], "too far");
        assert_eq!(run["cost"]["code_runs"], 3);
        let all = world.get(&world.path("/workflow-runs?workflow=sorry")).await.json();
        assert_eq!(all["page_info"]["total_count"], 1);
        assert_eq!(all["data"][0]["of_run"], run["id"]);
    }
}

#[tokio::test]
async fn an_address_lets_in_whom_the_workflow_says() {
    for world in worlds().await {
        let text = "name: door
trigger: { http: { auth: AUTH } }
steps: [{ name: say, code: 'export default ({ steps }) => steps.trigger.event.body' }]
";
        let open = world.workflow(&text.replace("AUTH", "none")).await;
        let url = open["endpoint_url"].as_str().unwrap().to_owned();
        let reply = read(world.http.post(&url).json(&json!({ "a": 1 }))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let named = world.http.post(&url).header("x-pd-external-user-id", "ada");
        assert_eq!(read(named).await.status, 400);
        let shut = world.try_workflow(&text.replace("AUTH", "bearer")).await.json();
        let bearer = shut["bearer_token"].as_str().unwrap().to_owned();
        assert_eq!(shut["data"]["endpoint_url"], url);
        assert_eq!(read(world.http.post(&url)).await.status, 401);
        assert_eq!(read(world.http.post(&url).bearer_auth(&bearer)).await.status, 200);
        world.workflow(&text.replace("AUTH", "oauth")).await;
        assert_eq!(read(world.http.post(&url).bearer_auth(&bearer)).await.status, 401);
        let for_ada = world
            .http
            .post(&url)
            .bearer_auth(&world.project.token)
            .header("x-pd-external-user-id", "ada")
            .header("x-pd-environment", "development");
        assert_eq!(read(for_ada).await.status, 200);
        world.flow().await;
        let runs = world.get(&world.path("/workflow-runs")).await.json();
        assert_eq!(runs["data"][0]["external_user_id"], "ada", "{runs}");
        assert_eq!(runs["data"][0]["outcome"], "ok");
    }
}
