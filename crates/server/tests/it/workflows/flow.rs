//! `$.flow`: ending, waiting, resuming, and being run again.

use serde_json::{Value, json};

use super::{SECOND_MS, id};
use crate::world::{World, read, worlds};

fn one(code: &str) -> String {
    let code = code.replace('\n', "\n      ");
    format!(
        "name: flow\ntrigger: {{ call: {{}} }}\nsteps:\n  - name: first\n    code: |\n      \
         {code}\n\
         \x20 - name: last\n    code: 'export default ({{ steps }}) => steps.first'\n"
    )
}

async fn of(world: &World, code: &str) -> Value {
    world.workflow(&one(code)).await;
    world.ran("flow", json!({})).await
}

/// The article's fifth snippet, with the two functions that it calls.
const REVOKED: &str = r#"
const told = [];
async function callSlackApi() { throw Object.assign(new Error("no"), { status: 401 }); }
async function notifyUserToReconnect(user, app) { told.push([user, app]); }
export default defineComponent({
  async run({ steps, $ }) {
    try {
      const result = await callSlackApi();
      return result;
    } catch (error) {
      if (error.status === 401) {
        // Token is invalid or revoked -- notify your app so the user can reconnect
        await notifyUserToReconnect(steps.trigger.event.userId, "slack");
        $.flow.exit("Token revoked -- user notified to reconnect");
      }
      throw error;  // re-throw other errors
    }
  },
});"#;

#[tokio::test]
async fn exit_ends_the_run_even_when_the_code_throws_after_it() {
    for world in worlds().await {
        let run = of(&world, REVOKED).await;
        assert_eq!(run["outcome"], "exit", "{run}");
        assert_eq!(run["reason"], "Token revoked -- user notified to reconnect");
        assert_eq!(run["steps"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_suspended_run_waits_for_somebody_and_not_for_ever() {
    for world in worlds().await {
        let code = "export default ({ $ }) => { const it = $.flow.suspend(60_000);
  $.export('urls', { resume: it.resume_url, cancel: it.cancel_url }); return it; }";
        let run = of(&world, code).await;
        assert_eq!(run["state"], "waiting", "{run}");
        let url = run["steps"][0]["exports"]["urls"]["resume"].as_str().unwrap().to_owned();
        let broken = world.http.post(&url).header("content-type", "application/json");
        let unsaid = world.http.post(&url).body("{\"yes\": tr");
        for request in [broken.body("{\"yes\": tr"), unsaid] {
            let refused = read(request).await;
            assert_eq!((refused.status.as_u16(), refused.code()), (400, "invalid_json".into()));
            assert!(refused.text.contains("line 1, column"), "{refused:?}");
        }
        let reply = read(world.http.post(&url).json(&json!({ "yes": true }))).await;
        assert_eq!(reply.status, 200, "the address was not used up: {reply:?}");
        assert_eq!(read(world.http.post(&url)).await.status, 404);
        world.flow().await;
        let run = world.run_of(&id(&run)).await;
        assert_eq!(run["outcome"], "ok", "{run}");
        let last = &run["steps"][1]["exports"]["$return_value"];
        assert_eq!(last["$resume_data"], json!({ "yes": true }));
        let late = world.ran("flow", json!({})).await;
        world.app.clock.shift(61 * SECOND_MS);
        world.flow().await;
        assert_eq!(world.run_of(&id(&late)).await["outcome"], "expired");
        let ended = world.ran("flow", json!({})).await;
        let url = ended["steps"][0]["exports"]["urls"]["cancel"].as_str().unwrap();
        assert_eq!(read(world.http.post(url)).await.status, 200);
        assert_eq!(world.run_of(&id(&ended)).await["outcome"], "cancelled");
    }
}

#[tokio::test]
async fn a_step_is_run_again_by_its_own_wish_and_knows_it() {
    for world in worlds().await {
        let code = "export default ({ $ }) => { const { runs, context } = $.context.run;
  if (runs < 3) return $.flow.rerun(1_000, { seen: runs }); return { runs, context }; }";
        let run = of(&world, code).await;
        assert_eq!(run["state"], "waiting", "{run}");
        for _ in 0..2 {
            world.app.clock.shift(2 * SECOND_MS);
            world.flow().await;
        }
        let run = world.run_of(&id(&run)).await;
        let given = &run["steps"][0]["exports"]["$return_value"];
        assert_eq!(*given, json!({ "runs": 3, "context": { "seen": 2 } }), "{run}");
    }
}
