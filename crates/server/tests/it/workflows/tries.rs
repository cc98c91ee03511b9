//! Tries of steps: what is kept of each, how many there truly were, and what they may give.

use serde_json::json;

use super::{SECOND_MS, id};
use crate::receiver::{Receiver, Say};
use crate::world::worlds;

#[tokio::test]
async fn each_try_of_a_step_keeps_its_log() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        receiver.script(&[Say::Status(500), Say::Status(202), Say::Status(201)]);
        let sent = Receiver::start().await;
        let text = "name: often
trigger: { call: {} }
steps:
  - name: say
    code: |
      export default async ({ $ }) => {
        const { status } = await fetch('URL', { method: 'POST', body: '{}' });
        console.log(`${status} in run ${$.context.run.runs}`);
        $.send.http({ method: 'POST', url: 'SENT', data: 'n' });
        if (status === 500) throw new RangeError('not yet');
        if (status === 202) return $.flow.rerun(1_000, null);
        return 'done';
      };
    retries: { times: 2, wait: 10s }
";
        world.workflow(&text.replace("URL", &receiver.url).replace("SENT", &sent.url)).await;
        let run = world.ran("often", json!({})).await;
        assert_eq!((&run["state"], &run["waits"]), (&json!("waiting"), &json!("retry")), "{run}");
        assert_eq!(run["tried"][0]["error"]["message"], "not yet", "{run}");
        for wait in [10, 1] {
            world.app.clock.shift(wait * SECOND_MS);
            world.flow().await;
        }
        let run = world.run_of(&id(&run)).await;
        let step = &run["steps"][0];
        assert_eq!((&run["outcome"], &step["tries"]), (&json!("ok"), &json!(3)), "{run}");
        let line = |it: &serde_json::Value| it["os"][0]["msg"].as_str().unwrap().to_owned();
        let tried = step["tried"].as_array().unwrap();
        let lines: Vec<_> = tried.iter().chain([step]).map(line).collect();
        assert_eq!(lines, ["500 in run 1", "202 in run 1", "201 in run 2"]);
        assert_eq!(
            (&tried[0]["error"]["name"], &tried[1]["error"]),
            (&json!("RangeError"), &json!(null))
        );
        assert_eq!((&run["tried"], &run["cost"]["code_runs"]), (&json!([]), &json!(3)));
        // Each call is there, although no answer was read to its end.
        let calls: Vec<_> = tried.iter().chain([step]).map(|it| &it["calls"]).collect();
        for (calls, status) in calls.iter().zip([500, 202, 201]) {
            assert_eq!((calls.as_array().unwrap().len(), &calls[0]["status"]), (1, &json!(status)));
        }
        world.run_jobs().await;
        assert_eq!(sent.count(), 2, "a try that failed sends nothing where another follows");
    }
}

/// The process that runs the step is gone in the middle of it, and another takes the run over.
#[tokio::test]
async fn a_try_that_was_interrupted_is_counted() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        receiver.script(&[Say::Status(200), Say::Status(201)]);
        let text = "name: broken
trigger: { call: {} }
steps:
  - name: before
    code: 'export default () => 1'
  - name: hang
    code: |
      export default async () => {
        const { status } = await fetch('URL', { method: 'POST', body: '{}' });
        if (status === 200) await new Promise((done) => setTimeout(done, 50_000));
        return status;
      };
";
        world.workflow(&text.replace("URL", &receiver.url)).await;
        let run = world.invoke("broken", json!({})).await;
        tokio::select! {
            () = world.flow() => panic!("the step did not hang"),
            _ = receiver.next() => {}
        }
        world.flow().await;
        assert_eq!(world.run_of(&run).await["state"], "running", "its lease holds");
        world.app.clock.shift(21 * SECOND_MS);
        world.flow().await;
        let run = world.run_of(&run).await;
        assert_eq!(run["outcome"], "ok", "{run}");
        let tries: Vec<_> =
            run["steps"].as_array().unwrap().iter().map(|it| &it["tries"]).collect();
        assert_eq!(tries, [&json!(1), &json!(2)], "{run}");
        assert_eq!(run["steps"][1]["exports"]["$return_value"], 201);
    }
}

#[tokio::test]
async fn what_steps_give_is_measured_at_the_step_that_gave_it() {
    for world in worlds().await {
        let text = "name: large
trigger: { call: {} }
steps:
  - name: one
    code: \"export default () => 'x'.repeat(4_000_000)\"
  - name: two
    code: \"export default () => 'y'.repeat(4_000_000)\"
    retries: { times: 2 }
  - name: three
    code: 'export default () => 1'
";
        world.workflow(text).await;
        let run = world.ran("large", json!({})).await;
        assert_eq!(
            (&run["outcome"], &run["error"]["code"]),
            (&json!("failed"), &json!("too_large"))
        );
        assert_eq!(run["reason"], "Step `two` failed.");
        let two = &run["steps"][1];
        assert_eq!((&two["name"], &two["state"]), (&json!("two"), &json!("failed")));
        assert_eq!((&two["tries"], &two["exports"]), (&json!(1), &json!({})));
        assert_eq!(run["steps"].as_array().unwrap().len(), 2);
    }
}
