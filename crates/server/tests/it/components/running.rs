//! Running: what code gets and gives, and what it cannot do.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::publishing::action;
use crate::proxy::lab::{KEY, Lab, labs};
use crate::proxy::upstream::answer;
use crate::receiver::{Receiver, Say};
use crate::world::{Reply, World, worlds, worlds_with};

/// Longer than anything here takes; only a fault is waited for so long.
const PATIENCE: Duration = Duration::from_mins(1);

/// Calls the lab's app with its account, and says everything that it sees.
const TALKER: &str = "props: { raw: { type: \"app\", app: \"raw\" }, base: \"string\" },
  async run({ $ }) {
    const key = this.raw.$auth.api_key;
    console.log(`key ${key}`, { key });
    const answer = await fetch(this.base, { method: 'POST', body: JSON.stringify({ key }),
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } });
    $.export('$summary', `Answered ${answer.status}`);
    $.export('seen', { [key]: `x${key}y` });
    return { key, text: await answer.text(), coded: Buffer.from(key).toString('base64') };
  }";

fn errors(reply: &Reply) -> Vec<Value> {
    let body = reply.json();
    let all = body["os"].as_array().unwrap().iter();
    all.filter(|it| it["k"] == "error").map(|it| it["err"].clone()).collect()
}

impl Lab {
    async fn talk(&self, key: &str) -> Reply {
        let base = format!("http://{}/base/things", self.upstream.address);
        let props = json!({ "raw": { "authProvisionId": self.account }, "base": base });
        self.world.run_action(key, props).await
    }
}

#[tokio::test]
async fn an_action_sends_requests_and_is_told_what_only_workflows_do() {
    for world in worlds().await {
        let target = Receiver::start().await;
        let rest = "props: { url: \"string\" },
          async run({ $ }) {
            $.send.http({ url: this.url, params: { a: 1 } });
            $.send.emit({ raw_event: 1 });
            $.send.email({ subject: 's', text: 't' });
            $.respond({ status: 200 });
            return $.flow.suspend();
          }";
        let key = world.published(&action("send", "0.0.1", rest)).await;
        let reply = world.run_action(&key, json!({ "url": target.url })).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        world.run_jobs().await;
        assert_eq!(target.posts()[0].path, "/hook?a=1");
        let os = reply.json()["os"].to_string();
        for what in ["$.send.emit works in", "$.respond works in", "$.flow.suspend works in"] {
            assert!(os.contains(what), "{what}: {os}");
        }
        assert!(os.contains("$.send.email: this server sends no mail"), "{os}");
    }
}

/// Requests that nobody answers hold up neither another project nor revocations.
#[tokio::test]
async fn many_letters_to_one_that_never_answers_keep_nobody_waiting() {
    let rest = "props: { url: \"string\", count: \"integer\" },
      async run({ $ }) {
        for (let n = 0; n < this.count; n += 1) $.send.http({ method: 'POST', url: this.url });
      }";
    for world in worlds().await {
        let (dead, alive) = (Receiver::start().await, Receiver::start().await);
        dead.usually(Say::Nothing);
        let key = world.published(&action("send", "0.0.1", rest)).await;
        let reply = world.run_action(&key, json!({ "url": dead.url, "count": 100 })).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let stop = CancellationToken::new();
        let working = tokio::spawn(grantkeep::jobs::work(Arc::clone(&world.app), stop.clone()));
        dead.next().await;
        let other = world.another_project(grantkeep::projects::Settings::default()).await;
        let call = async |rest: &str, body: Value| {
            let path = format!("/v1/connect/{}{rest}", other.id);
            let reply = world.call(Method::POST, &path, Some(&other.key), Some(body)).await;
            assert!(reply.status.is_success(), "{reply:?}");
        };
        let text = action("send", "0.0.1", rest);
        call("/components", json!({ "files": [{ "path": "send.mjs", "text": text }] })).await;
        let props = json!({ "url": alive.url, "count": 1 });
        let body = json!({ "id": key, "external_user_id": "bob", "configured_props": props });
        call("/actions/run", body).await;
        tokio::time::timeout(PATIENCE, alive.next()).await.unwrap();
        assert_eq!(dead.answered(), 0);
        stop.cancel();
        working.abort();
    }
}

#[tokio::test]
async fn a_project_leaves_no_more_requests_than_can_wait() {
    let fill = "insert into jobs (id, kind, payload, run_at_ms, attempts, lease_until_ms, \
                created_at_ms, lane, project_id, queue) with recursive n(i) as (select 1 union all \
                select i + 1 from n where i < 9998) select j.id || '_' || cast(i as text), kind, \
                payload, run_at_ms, attempts, lease_until_ms, created_at_ms, lane, project_id, \
                queue from jobs j cross join n";
    for world in worlds().await {
        let target = Receiver::start().await;
        let rest = "props: { url: \"string\" },
          async run({ $ }) { $.send.http({ url: this.url }); }";
        let key = world.published(&action("send", "0.0.1", rest)).await;
        let send = async || {
            let reply = world.run_action(&key, json!({ "url": target.url })).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            reply.json()["os"].to_string()
        };
        assert_eq!(send().await, "[]");
        grantkeep::on!(world.app.db.write(), conn =>
            sqlx::query(fill).execute(conn).await.unwrap().rows_affected());
        assert_eq!(send().await, "[]");
        let os = send().await;
        let text = "10000 requests of this project wait to be sent already";
        assert!(os.contains(text) && os.contains("not_sent"), "{os}");
        assert_eq!(grantkeep::outbox::left(&world.app.db).await.unwrap(), 10_000);
    }
}

#[tokio::test]
async fn an_action_gives_what_it_returns_exports_and_logs() {
    for world in worlds().await {
        let key = world
            .published(&action(
                "say",
                "0.0.1",
                "props: { text: \"string\", many: { type: \"integer[]\", optional: true } },
                 async run({ steps, $ }) {
                   console.log('said', this.text);
                   $.export('$summary', `Said ${this.text}`);
                   return { text: this.text, many: this.many, steps };
                 }",
            ))
            .await;
        let label = json!({ "__lv": { "label": "Hi!", "value": "hi" } });
        let reply = world.run_action(&key, json!({ "text": label, "many": [1, 2] })).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let body = reply.json();
        assert_eq!(body["ret"], json!({ "text": "hi", "many": [1, 2], "steps": {} }), "{body}");
        assert_eq!(body["exports"], json!({ "$summary": "Said hi" }));
        assert_eq!(body["os"][0]["k"], "console.log");
        assert_eq!(body["os"][0]["msg"], "said hi");
        assert!(body["os"][0]["ts"].as_i64().unwrap() > 1_700_000_000_000);
        assert_eq!((&body["stash_id"], &body["stashId"]), (&Value::Null, &Value::Null));
        let missing = world.run_action(&key, json!({})).await;
        assert_eq!((missing.status.as_u16(), missing.code()), (400, "invalid_field".to_owned()));
        assert_eq!(missing.json()["details"]["field"], "text");
        let run = world.get(&world.path("/runs?external_user_id=ada")).await.json();
        assert_eq!(run["page_info"]["total_count"], 1);
        let id = run["data"][0]["id"].as_str().unwrap();
        let run = world.get(&world.path(&format!("/runs/{id}"))).await.json();
        assert_eq!(run["data"]["outcome"], "ok");
        assert_eq!(run["data"]["exports"]["$summary"], "Said hi");
    }
}

#[tokio::test]
async fn what_code_throws_is_an_answer_and_not_a_failure_of_the_call() {
    for world in worlds().await {
        for (nth, (rest, name, message)) in [
            ("run() { throw new RangeError('too far'); }", "RangeError", "too far"),
            (
                "async run() { const e = new Error('mend it'); e.name = 'ConfigurationError'; \
                 throw e; }",
                "ConfigurationError",
                "mend it",
            ),
            ("run() { const a = {}; a.a = a; return a; }", "", ""),
            ("run() { return 10n; }", "", ""),
        ]
        .into_iter()
        .enumerate()
        {
            let key = world.published(&action(&format!("throw-{nth}"), "0.0.1", rest)).await;
            let reply = world.run_action(&key, json!({})).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            let found = errors(&reply);
            assert_eq!(found.len(), 1, "{reply:?}");
            if !name.is_empty() {
                assert_eq!(
                    (&found[0]["name"], &found[0]["message"]),
                    (&json!(name), &json!(message))
                );
            }
            assert_eq!(reply.json()["ret"], Value::Null);
        }
        let runs = world.get(&world.path("/runs")).await.json();
        assert!(runs["data"].as_array().unwrap().iter().all(|it| it["outcome"] == "thrown"));
    }
}

#[tokio::test]
async fn j_05_an_overrun_ends_its_run_and_nothing_else() {
    let settings = [("code_wall_ms", "1500"), ("code_heap_mib", "64")];
    for world in worlds_with(&settings).await {
        let calm = world.published(&action("calm", "0.0.1", "run() { return 1; }")).await;
        for (name, body, code) in [
            ("loop", "for (;;) {}", "timeout"),
            ("sleep", "await new Promise(() => setInterval(() => {}, 1e3))", "timeout"),
            ("exit", "process.exit(3)", ""),
        ] {
            let rest = format!("async run() {{ {body}; }}");
            let key = world.published(&action(name, "0.0.1", &rest)).await;
            let reply = world.run_action(&key, json!({})).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            let found = errors(&reply);
            assert_eq!(found.len(), 1, "{reply:?}");
            assert!(code.is_empty() || found[0]["code"] == code, "{reply:?}");
            let next = world.run_action(&calm, json!({})).await.json();
            assert_eq!(next["ret"], 1, "after {name}");
        }
    }
}

#[tokio::test]
async fn j_04_row_99_code_sees_placeholders_and_the_app_gets_the_credential() {
    for lab in labs().await {
        let key = lab.world.published(&action("talk", "0.0.1", TALKER)).await;
        lab.upstream.script([answer("", &format!("you sent {KEY}"))]);
        let reply = lab.talk(&key).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(errors(&reply).is_empty(), "{reply:?}");
        let seen = lab.upstream.seen().pop().unwrap();
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        assert_eq!(String::from_utf8_lossy(&seen.body), json!({ "key": KEY }).to_string());
        for part in [KEY, "gkblind_"] {
            assert!(!reply.text.contains(part), "{part} in {reply:?}");
        }
        assert!(reply.text.contains("[redacted]"), "{reply:?}");
        assert_eq!(reply.json()["exports"]["$summary"], "Answered 200");
        let runs = lab.world.get(&lab.world.path("/runs")).await;
        assert!(!runs.text.contains(KEY) && !runs.text.contains("gkblind_"), "{runs:?}");
        let call = &runs.json()["data"][0]["calls"][0];
        assert_eq!((&call["method"], &call["status"]), (&json!("POST"), &json!(200)), "{call}");
        assert_eq!(call["path"], "/base/things");
    }
}

#[tokio::test]
async fn j_08_code_that_may_see_the_credential_leaves_none_behind() {
    for lab in labs().await {
        let text = action("talk", "0.0.1", TALKER);
        let more = json!({ "permissions": ["raw-tokens"] });
        assert_eq!(lab.world.publish_with(&text, more).await.status, 201);
        lab.upstream.script([answer("", "ok")]);
        let reply = lab.talk("~/talk").await;
        assert!(errors(&reply).is_empty(), "{reply:?}");
        let seen = lab.upstream.seen().pop().unwrap();
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        assert!(!reply.text.contains(KEY), "{reply:?}");
        let audit = lab.world.dump("audit_events").await.replace("\"\"", "\"");
        assert!(audit.contains("action.run") && audit.contains("\"raw_tokens\":true"), "{audit}");
        let stored = lab.world.dump("component_runs").await;
        assert!(!stored.contains(KEY) && !stored.contains("Answered"), "sealed");
    }
}

#[tokio::test]
async fn j_02_a_run_that_posts_its_credential_elsewhere_leaks_nothing() {
    for lab in labs().await {
        // Another port of this machine is nobody's host, and no public one.
        let rest = "props: { raw: { type: \"app\", app: \"raw\" } },
          async run() {
            const tried = [];
            for (const url of ['http://127.0.0.1:1/', 'http://169.254.169.254/', 'http://[::1]/']) {
              const said = await fetch(url, { method: 'POST', body: this.raw.$auth.api_key })
                .then((it) => it.status, (error) => String(error.cause ?? error));
              tried.push(said);
            }
            return { tried, env: Object.keys(process.env) };
          }";
        let key = lab.world.published(&action("leak", "0.0.1", rest)).await;
        let props = json!({ "raw": { "authProvisionId": lab.account } });
        let reply = lab.world.run_action(&key, props).await;
        let body = reply.json();
        let tried = body["ret"]["tried"].as_array().unwrap_or_else(|| panic!("{reply:?}"));
        assert_eq!(tried.len(), 3);
        // Refused before a connection; where tests may reach this machine, after it.
        assert!(tried.iter().all(|it| it.is_string() || it == 502), "{reply:?}");
        assert!(lab.upstream.seen().is_empty());
        let env = body["ret"]["env"].to_string();
        assert!(!env.contains("GRANTKEEP_ROOT") && !env.contains("HOME_"), "{env}");
    }
}

#[tokio::test]
async fn runs_at_once_have_an_end_and_are_counted() {
    for world in worlds_with(&[("code_runs_per_project_max", "1")]).await {
        let rest = "async run() { await new Promise((done) => setTimeout(done, 700)); }";
        let key = world.published(&action("slow", "0.0.1", rest)).await;
        let (first, second) =
            tokio::join!(world.run_action(&key, json!({})), world.run_action(&key, json!({})));
        let mut found = [first.status.as_u16(), second.status.as_u16()];
        found.sort_unstable();
        assert_eq!(found, [200, 429]);
        let refused = if first.status == 429 { first } else { second };
        assert_eq!(refused.code(), "too_many_runs");
        assert_eq!(refused.headers["retry-after"], "1");
        let now_s = world.app.clock.now_ms() / 1_000;
        let range = format!("/v1/connect/usage?start_ts={}&end_ts={}", now_s - 60, now_s + 60);
        let used = world.get(&range).await.json();
        let all = used["data"].as_array().unwrap_or_else(|| panic!("{used}"));
        let sum: i64 = all.iter().map(|it| it["action_run_credits_used"].as_i64().unwrap()).sum();
        assert_eq!(sum, 1);
    }
}

#[tokio::test]
async fn j_01_without_node_the_caller_is_told_what_is_missing() {
    let world = World::sqlite(&[("code_node", "/nonexistent/node")]).await;
    let reply = world.publish(&action("say", "0.0.1", "run() {}")).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, "code_unavailable".to_owned()));
    assert!(reply.text.contains("Node.js 20 or newer"), "{reply:?}");
}

#[tokio::test]
async fn code_may_take_longer_than_other_requests_and_is_told_of_its_own_limit() {
    let settings = [("request_timeout_ms", "500"), ("code_wall_ms", "3000")];
    for world in worlds_with(&settings).await {
        let rest = "props: { ms: \"integer\" },
          async run() { await new Promise((go) => setTimeout(go, this.ms)); return this.ms; }";
        let key = world.published(&action("slow", "0.0.1", rest)).await;
        let reply = world.run_action(&key, json!({ "ms": 1_000 })).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.json()["ret"]),
            (200, &json!(1_000)),
            "{reply:?}"
        );
        let reply = world.run_action(&key, json!({ "ms": 60_000 })).await;
        assert_eq!((reply.status.as_u16(), &errors(&reply)[0]["code"]), (200, &json!("timeout")));
    }
}

#[tokio::test]
async fn what_no_field_can_take_is_refused_before_the_code_runs() {
    let rest = "props: { n: \"integer\", mode: { type: \"string\", optional: true },
        on: { type: \"boolean\", optional: true } },
      run() { return [this.n, this.mode, this.on]; }";
    for world in worlds().await {
        let key = world.published(&action("typed", "0.0.1", rest)).await;
        for (props, name) in [
            (json!({ "n": "abc" }), "n"),
            (json!({ "n": 2.5 }), "n"),
            (json!({ "n": 1, "mode": { "x": 1 } }), "mode"),
            (json!({ "n": 1, "mode": ["a"] }), "mode"),
            (json!({ "n": 1, "on": "yes" }), "on"),
        ] {
            let reply = world.run_action(&key, props).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_field".to_owned()));
            assert_eq!(reply.json()["details"]["field"], name, "{reply:?}");
        }
        let label = json!({ "__lv": { "label": "A", "value": "a" } });
        let reply = world.run_action(&key, json!({ "n": "7", "mode": label, "on": "true" })).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}
