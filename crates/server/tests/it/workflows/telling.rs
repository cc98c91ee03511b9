//! What runs tell others: news, `$.send`, pages for people, and what they are to forget.

use serde_json::{Value, json};

use super::id;
use crate::receiver::{Receiver, Say};
use crate::world::{Reply, World, read, worlds, worlds_with};

#[tokio::test]
async fn a_run_that_fails_is_news() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        world.endpoint_with(json!({ "url": receiver.url, "topics": ["workflow.failed"] })).await;
        world
            .workflow(
                "name: fails\ntrigger: { call: {} }\nsteps:\n  - name: bad\n    \
                 code: 'export default () => { throw new RangeError(\"too far\"); }'\n",
            )
            .await;
        let run = world.ran("fails", json!({})).await;
        world.deliver().await;
        let [post] = &receiver.posts()[..] else { panic!("{:?}", receiver.posts()) };
        let body = post.json();
        assert_eq!(body["type"], "workflow.failed");
        let data = &body["data"];
        assert_eq!((&data["run_id"], &data["workflow"]), (&run["id"], &json!("fails")));
        assert_eq!(data["external_user_id"], "ada");
        assert_eq!(data["error"]["message"], "too far", "{body}");
    }
}

#[tokio::test]
async fn a_missing_account_is_a_typed_failure_with_a_link_and_news() {
    for world in worlds().await {
        let links =
            grantkeep::projects::Settings { allow_unverified_links: true, ..Default::default() };
        let change = grantkeep::projects::Change { settings: Some(links), ..Default::default() };
        grantkeep::projects::update(&world.app, &world.project.id, change).await.unwrap();
        let receiver = Receiver::start().await;
        let topics = ["workflow.failed", "account.needed"];
        world.endpoint_with(json!({ "url": receiver.url, "topics": topics })).await;
        world
            .workflow(
                "name: wants\ntrigger: { call: {} }\nsteps:\n  - name: use\n    code: |\n      \
                 export default { props: { it: { type: 'app', app: 'sim_rotating' } }, \
                 run() { return 1; } };\n",
            )
            .await;
        let run = world.ran("wants", json!({})).await;
        assert_eq!(
            (&run["outcome"], &run["error"]["code"]),
            (&json!("failed"), &json!("account_needed")),
            "{run}"
        );
        let link = run["error"]["details"]["connect_link_url"].as_str().unwrap_or_default();
        assert!(link.contains("app=sim_rotating"), "{run}");
        world.deliver().await;
        let mut kinds = crate::webhooks::kinds(&receiver);
        kinds.sort();
        assert_eq!(kinds, ["account.needed", "workflow.failed"]);
        world.connected("rotating", "ada").await;
        assert_eq!(world.ran("wants", json!({})).await["outcome"], "ok");
    }
}

#[tokio::test]
async fn what_a_step_sends_is_sent_once_it_is_recorded() {
    for world in worlds().await {
        let (news, target) = (Receiver::start().await, Receiver::start().await);
        world.endpoint_with(json!({ "url": news.url, "topics": ["workflow.emitted"] })).await;
        let text = "name: sends
trigger: { call: {} }
steps:
  - name: send
    code: |
      export default ({ $ }) => {
        $.send.http({ method: 'POST', url: 'URL', headers: { 'x-mine': 'a' },
          params: { q: '1 2' }, auth: { username: 'u', password: 'p' }, data: { n: 1 } });
        $.send.emit({ raw_event: { n: 2 } });
        $.send.email({ subject: 's', text: 't' });
        $.send.http({ url: 'http://10.0.0.1/private' });
        return 1;
      }
";
        world.workflow(&text.replace("URL", &target.url)).await;
        let run = world.ran("sends", json!({})).await;
        assert_eq!(run["outcome"], "ok", "{run}");
        assert_eq!(target.count(), 0, "it is left to be sent");
        assert!(!world.dump("jobs").await.contains("x-mine"), "sealed");
        world.run_jobs().await;
        let post = target.next().await;
        assert_eq!((post.path.as_str(), post.json()), ("/hook?q=1+2", json!({ "n": 1 })));
        assert_eq!(post.header("x-mine"), "a");
        assert_eq!(post.header("authorization"), "Basic dTpw");
        world.deliver().await;
        let body = news.posts()[0].json();
        assert_eq!(
            (&body["type"], &body["data"]["event"]),
            (&json!("workflow.emitted"), &json!({ "n": 2 }))
        );
        let said = run["steps"][0]["os"].to_string();
        assert!(said.contains("$.send.email: this server sends no mail"), "{said}");
        assert!(
            said.contains("$.send.http: ") && !world.dump("jobs").await.contains("send_letter")
        );
    }
}

#[tokio::test]
async fn what_a_step_sends_is_sent_until_it_is_taken() {
    let asked = b"HTTP/1.1 503 Busy\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n".to_vec();
    for world in worlds().await {
        let target = Receiver::start().await;
        let text = "name: insists
trigger: { call: {} }
steps:
  - name: send
    code: |
      export default ({ $ }) => {
        $.send.http({ method: 'PUT', url: 'URL', data: 'n' });
      }
";
        world.workflow(&text.replace("URL", &target.url)).await;
        target.script(&[Say::HangUp, Say::Raw(asked.clone()), Say::Status(200)]);
        assert_eq!(world.ran("insists", json!({})).await["outcome"], "ok");
        for (count, wait_ms) in [(1, 6_000), (2, 50_000), (2, 400_000), (3, 24 * 3_600_000)] {
            world.run_jobs().await;
            assert_eq!(target.count(), count);
            world.app.clock.shift(wait_ms);
        }
        world.run_jobs().await;
        let posts = target.posts();
        assert_eq!(posts.len(), 3, "it was taken");
        let keys: Vec<_> = posts.iter().map(|it| it.header("idempotency-key")).collect();
        assert!(keys[0].starts_with("let_") && keys.iter().all(|it| *it == keys[0]), "{keys:?}");
        target.script(&[Say::Status(404)]);
        assert_eq!(world.ran("insists", json!({})).await["outcome"], "ok");
        world.run_jobs().await;
        world.app.clock.shift(400_000);
        world.run_jobs().await;
        assert_eq!(target.count(), 4, "what is refused is not asked again");
        world.app.audit.settle().await;
        let log = world.dump("audit_events").await;
        assert_eq!(log.matches("code.not_sent").count(), 1, "{log}");
        target.script(&[Say::Status(500)]);
        assert_eq!(world.ran("insists", json!({})).await["outcome"], "ok");
        world.run_jobs().await;
        let erased = world.delete(&world.path("/users/ada")).await;
        assert_eq!(erased.status, 204, "{erased:?}");
        world.app.clock.shift(400_000);
        world.run_jobs().await;
        assert_eq!(target.count(), 5, "nothing is left of an erased user");
    }
}

#[tokio::test]
async fn a_link_that_is_only_looked_at_resumes_nothing() {
    for world in worlds().await {
        world
            .workflow(
                "name: asks\ntrigger: { call: {} }\nsteps:\n  - name: wait\n    code: |\n      \
                 export default ({ $ }) => { const it = $.flow.suspend(60_000); \
                 $.export('urls', { resume: it.resume_url, cancel: it.cancel_url }); \
                 return it; }\n",
            )
            .await;
        for (verb, button, outcome) in [("resume", "Go on", "ok"), ("cancel", "Stop", "cancelled")]
        {
            let run = world.ran("asks", json!({})).await;
            let url = run["steps"][0]["exports"]["urls"][verb].as_str().unwrap().to_owned();
            let page = read(world.http.get(&url).header("accept", "text/html")).await;
            assert_eq!(page.status, 200, "{page:?}");
            assert!(page.text.contains(button) && page.text.contains("<form method=\"post\">"));
            let policy = page.headers["content-security-policy"].to_str().unwrap();
            assert!(
                policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'")
            );
            world.flow().await;
            assert_eq!(world.run_of(&id(&run)).await["state"], "waiting");
            let pressed = read(world.http.post(&url).header("accept", "text/html")).await;
            assert_eq!(pressed.status, 200, "{pressed:?}");
            assert!(pressed.text.contains("<h1"), "{pressed:?}");
            world.flow().await;
            assert_eq!(world.run_of(&id(&run)).await["outcome"], outcome);
            let gone = read(world.http.get(&url).header("accept", "text/html")).await;
            assert_eq!(gone.status, 404, "{gone:?}");
        }
    }
}

const ECHO: &str = "name: echo
trigger: { http: { auth: none, respond: custom } }
environment: development
steps:
  - name: say
    code: |
      export default async ({ steps, $ }) => {
        await $.respond({ status: 201, headers: { 'x-mine': 'a' }, body: steps.trigger.event });
        return steps.trigger.event.body;
      }
";

async fn last_run(world: &World) -> Value {
    let all = world.get(&world.path("/workflow-runs")).await.json();
    world.run_of(all["data"][0]["id"].as_str().unwrap()).await
}

/// Sends JSON while runs go on.
async fn answered(world: &World, request: reqwest::RequestBuilder) -> Reply {
    let mut asked = Box::pin(read(request));
    loop {
        tokio::select! {
            reply = &mut asked => return reply,
            () = tokio::task::yield_now() => world.flow().await,
        }
    }
}

#[tokio::test]
async fn what_is_not_to_be_kept_is_forgotten_when_the_run_ends() {
    for world in worlds().await {
        let made = world.workflow(ECHO).await;
        let url = made["endpoint_url"].as_str().unwrap().to_owned();
        let body = json!({ "secret": "between us" });
        let kept = answered(&world, world.http.post(&url).json(&body)).await;
        assert_eq!((kept.status.as_u16(), &kept.headers["x-mine"]), (201, &"a".parse().unwrap()));
        assert_eq!(kept.json()["body"], body, "{kept:?}");
        assert!(last_run(&world).await.to_string().contains("between us"));
        world.app.clock.shift(1);
        let request = world.http.post(&url).header("x-pd-nostore", "1").json(&body);
        let unkept = answered(&world, request).await;
        assert_eq!(unkept.json()["body"], body, "{unkept:?}");
        let run = last_run(&world).await;
        assert_eq!((&run["outcome"], &run["steps"][0]["state"]), (&json!("ok"), &json!("ok")));
        assert!(!run.to_string().contains("between us"), "{run}");
        let replay = world.path(&format!("/workflow-runs/{}/replay", id(&run)));
        assert_eq!(world.post(&replay, Value::Null).await.status, 400);
        world.app.clock.shift(1);
        let idle = read(world.http.post(&url).header("x-pd-notrigger", "1").json(&body)).await;
        assert!(idle.status == 200 && idle.text.contains("was not run"), "{idle:?}");
        let run = last_run(&world).await;
        assert_eq!((&run["outcome"], &run["event"]["body"]), (&json!("not_run"), &body), "{run}");
    }
}

#[tokio::test]
async fn an_address_without_an_answer_says_so() {
    for world in worlds().await {
        let text = ECHO.replace("await $.respond", "void");
        let made = world.workflow(&text).await;
        let url = made["endpoint_url"].as_str().unwrap();
        let silent = answered(&world, world.http.post(url).json(&json!({}))).await;
        assert_eq!((silent.status.as_u16(), silent.code()), (400, "no_response".to_owned()));
        assert!(silent.text.contains("No $.respond called in workflow"), "{silent:?}");
    }
}

/// Sends JSON while runs go on, and does not wait for the run.
async fn answered_meanwhile(world: &World, request: reqwest::RequestBuilder) -> Reply {
    let flowing = async {
        loop {
            world.flow().await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        reply = read(request) => reply,
        () = flowing => unreachable!(),
    }
}

#[tokio::test]
async fn what_is_to_be_answered_at_once_is_answered_while_the_step_goes_on() {
    for world in worlds().await {
        let text =
            ECHO.replace("$.respond({ status: 201,", "$.respond({ immediate: true, status: 202,");
        let text = text.replace(
            "return steps",
            "if (steps.trigger.event.body.hang) {
          await new Promise((done) => setTimeout(done, 50_000));
        }
        return steps",
        );
        let made = world.workflow(&text).await;
        let url = made["endpoint_url"].as_str().unwrap();
        let body = json!({ "hang": true });
        let reply = answered_meanwhile(&world, world.http.post(url).json(&body)).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["body"]), (202, &body), "{reply:?}");
        let run = last_run(&world).await;
        assert_eq!((&run["state"], &run["steps"]), (&json!("running"), &json!([])), "{run}");
        // With nothing to be kept, nothing of it stays once it was given.
        world.app.clock.shift(1);
        let body = json!({ "secret": "between us" });
        let request = world.http.post(url).header("x-pd-nostore", "1").json(&body);
        let reply = answered(&world, request).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        let run = last_run(&world).await;
        assert!(run["outcome"] == "ok" && !run.to_string().contains("between us"), "{run}");
        assert_eq!(world.dump("workflow_answers").await, "");
    }
}

#[tokio::test]
async fn a_step_that_fails_before_any_answered_fails_the_call_at_once() {
    for world in worlds().await {
        let text = ECHO.replace("await $.respond", "throw new Error('no'); void");
        let made = world.workflow(&text).await;
        let url = made["endpoint_url"].as_str().unwrap().to_owned();
        let failed = answered(&world, world.http.post(&url).json(&json!({}))).await;
        assert_eq!((failed.status.as_u16(), failed.code()), (502, "workflow_failed".to_owned()));
        let run = last_run(&world).await;
        assert_eq!(failed.json()["details"]["run_id"], run["id"], "{failed:?}");
        world.app.clock.shift(1);
        // Nobody waits for a try that comes an hour later.
        let later = format!("{text}    retries: {{ times: 1, wait: 1h }}\n");
        world.workflow(&later).await;
        let failed = answered(&world, world.http.post(&url).json(&json!({}))).await;
        assert_eq!((failed.status.as_u16(), failed.code()), (502, "workflow_failed".to_owned()));
        assert_eq!(last_run(&world).await["waits"], "retry");
        world.app.clock.shift(1);
        // What was said before it failed is what the caller is told.
        let said = ECHO.replace("return steps", "throw new Error('no'); return steps");
        world.workflow(&said).await;
        let reply = answered(&world, world.http.post(&url).json(&json!({}))).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(last_run(&world).await["outcome"], "failed");
    }
}

#[tokio::test]
async fn a_host_below_the_domain_of_workflows_is_an_address() {
    for world in worlds_with(&[("workflow_domain", "flows.example")]).await {
        let text = ECHO.replace(", respond: custom", "");
        let made = world.workflow(&text).await;
        let url = made["endpoint_url"].as_str().unwrap();
        let key = url.rsplit('/').next().unwrap();
        for (path, wanted) in [("/", "/"), ("/deeper?a=b", "/deeper")] {
            let host = format!("{key}.flows.example");
            let at = format!("{}{path}", world.url);
            let reply = read(world.http.post(at).header("host", host).json(&json!({}))).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            assert_eq!(last_run(&world).await["event"]["path"], wanted);
            world.app.clock.shift(1);
        }
        let at = format!("{}/", world.url);
        let other = read(world.http.post(at).header("host", "eono.flows.example")).await;
        assert_eq!(other.status, 404, "{other:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_kept_as_a_file_comes_as_a_link() {
    let text = "name: large
trigger: { http: { auth: none } }
environment: development
user: '{{ event.query.who }}'
steps:
  - name: say
    code: |
      export default async ({ steps }) => {
        const { body } = steps.trigger.event;
        const file = await fetch(body.raw_body_url);
        return { ...body, fetched: (await file.text()).length };
      }
";
    for world in worlds().await {
        let made = world.workflow(text).await;
        let url = made["endpoint_url"].as_str().unwrap_or_else(|| panic!("{made}"));
        let body = "x".repeat(600 * 1024);
        let ask = format!("{url}?who=grace");
        let refused = read(world.http.post(&ask).body(body.clone())).await;
        assert_eq!(refused.status, 413, "{refused:?}");
        let by_header = world.http.post(&ask).header("x-pd-upload-body", "1").body(body.clone());
        let query = format!("{ask}&pipedream_upload_body=1");
        for ask in [by_header, world.http.post(&query).body(body.clone())] {
            let taken = read(ask).await;
            assert_eq!(taken.status, 200, "{taken:?}");
            world.flow().await;
            let run = last_run(&world).await;
            assert_eq!(run["external_user_id"], "grace", "{run}");
            let said = &run["steps"][0]["exports"]["$return_value"];
            assert_eq!(
                (&said["bytes"], &said["fetched"]),
                (&json!(600 * 1024), &json!(600 * 1024))
            );
            let link = said["raw_body_url"].as_str().unwrap();
            assert_eq!(read(world.http.get(link)).await.text, body);
            world.app.clock.shift(1);
        }
        let none = world.http.post(url).header("x-pd-upload-body", "1").body("x");
        assert_eq!(read(none).await.status, 400, "nobody says whom it is for");
    }
}

#[tokio::test]
async fn an_address_that_a_client_glued_to_ours_is_the_workflows() {
    for world in worlds().await {
        let made = world.workflow(ECHO).await;
        let url = made["endpoint_url"].as_str().unwrap();
        let glued = format!("{}/{url}?a=1", world.url);
        let form = world.http.post(&glued).form(&[("b", "2")]);
        let reply = answered(&world, form).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let event = reply.json();
        assert_eq!((&event["query"], &event["body"]), (&json!({ "a": "1" }), &json!({ "b": "2" })));
        let other = format!("{}/https://evil.example/v1/workflows/x", world.url);
        assert_eq!(read(world.http.post(&other)).await.status, 404);
    }
}
