//! Sources: their hooks, what wakes them, what they remember, and what they emit.

use reqwest::Method;
use serde_json::{Value, json};

use super::{HOUR_MS, MINUTE_MS};
use crate::proxy::lab::{KEY, labs};
use crate::receiver::Receiver;
use crate::world::{worlds, worlds_with};

/// Writes down what is called of it, and emits that at each run.
const DIARY: &str = "props: { db: \"$.service.db\",
    timer: { type: \"$.interface.timer\", default: { intervalSeconds: 60 } },
    word: { type: \"string\", optional: true } },
  methods: { async note(what) {
    this.db.set('diary', [...(this.db.get('diary') ?? []), what]);
  } },
  hooks: {
    async deploy() {
      await this.note('deploy');
      this.$emit({ past: 2 }, { id: 'p2', ts: 2000, summary: 'second' });
      this.$emit({ past: 1 }, { id: 'p1', ts: 1000, summary: 'first' });
    },
    async activate() { await this.note(`activate ${this.word}`); },
    async deactivate() { await this.note('deactivate'); },
  },
  dedupe: \"unique\",
  async run(event) {
    const diary = await this.db.get('diary');
    this.$emit({ past: 1 }, { id: 'p1' });
    this.$emit({ diary, event, word: this.word }, { id: `run ${event?.timestamp}` });
  }";

fn diary(events: &[Value]) -> Value {
    events.iter().rev().find_map(|it| it.get("diary")).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_source_lives_from_deploy_to_delete() {
    for world in worlds().await {
        let key = world.source("diary", DIARY).await;
        let made = world.deploy(&key, json!({ "word": "a" }), json!({})).await;
        assert_eq!(made["type"], "DeployedComponent", "{made}");
        let id = made["id"].as_str().unwrap();
        assert!(id.starts_with("dc_") && made["owner_id"].as_str().unwrap().starts_with("exu_"));
        assert_eq!((&made["component_key"], &made["active"]), (&json!(key), &json!(true)));
        assert_eq!(
            (&made["name"], &made["name_slug"]),
            (&json!("Test diary"), &json!("test-diary"))
        );
        let configured = json!({ "word": "a", "db": { "type": "$.service.db" },
            "timer": { "intervalSeconds": 60 } });
        assert_eq!(made["configured_props"], configured);
        let past = world.events(id).await;
        assert_eq!((&past[1]["e"], &past[1]["sum"]), (&json!({ "past": 1 }), &json!("first")));
        assert_eq!((&past[0]["e"], &past[0]["ts"]), (&json!({ "past": 2 }), &json!(2000)));
        world.fire_after(MINUTE_MS).await;
        let all = world.emitted(id).await;
        assert_eq!(all.len(), 3, "what it emitted before is not new: {all:?}");
        assert_eq!(all[2]["event"]["interval_seconds"], 60);
        assert_eq!(diary(&all), json!(["deploy", "activate a"]));
        let change = json!({ "configured_props": { "word": "b" }, "name": "Mine" });
        let changed = world.of_trigger(Method::PUT, id, "", change).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let data = changed.json()["data"].clone();
        assert_eq!(
            (&data["name"], &data["configured_props"]["word"]),
            (&json!("Mine"), &json!("b"))
        );
        assert_eq!(data["configured_props"]["timer"]["intervalSeconds"], 60);
        world.fire_after(MINUTE_MS).await;
        let all = world.emitted(id).await;
        assert_eq!(all.last().unwrap()["word"], "b");
        assert_eq!(diary(&all), json!(["deploy", "activate a", "deactivate", "activate b"]));
        world.of_trigger(Method::PUT, id, "", json!({ "active": false })).await;
        world.fire_after(HOUR_MS).await;
        assert_eq!(world.emitted(id).await.len(), 4, "it is off");
        let on = world.of_trigger(Method::PUT, id, "", json!({ "active": true })).await;
        assert_eq!(on.json()["data"]["active"], true, "{on:?}");
        world.fire().await;
        assert_eq!(world.emitted(id).await.len(), 4, "what it missed while it was off, it missed");
        world.fire_after(MINUTE_MS).await;
        let all = world.emitted(id).await;
        let expected =
            json!(["deploy", "activate a", "deactivate", "activate b", "deactivate", "activate b"]);
        assert_eq!(diary(&all), expected);
        let runs = world.get(&world.path("/runs?external_user_id=ada")).await.json();
        assert!(runs["data"].as_array().unwrap().iter().any(|it| it["about"] == id), "{runs}");
        let gone = world.of_trigger(Method::DELETE, id, "", Value::Null).await;
        assert_eq!(gone.status, 204, "{gone:?}");
        let missing = world.of_trigger(Method::GET, id, "", Value::Null).await;
        assert_eq!(missing.status, 404);
        for table in ["triggers", "trigger_interfaces", "trigger_states", "trigger_events"] {
            assert_eq!(world.dump(table).await, "", "{table}");
        }
    }
}

#[tokio::test]
async fn what_code_finds_of_the_past_is_told_nobody_who_does_not_want_it() {
    for world in worlds().await {
        let key = world.source("diary", DIARY).await;
        let made = world.deploy(&key, json!({}), json!({ "emit_on_deploy": false })).await;
        let id = made["id"].as_str().unwrap();
        assert_eq!((world.events(id).await.len(), &made["emit_on_deploy"]), (0, &json!(false)));
        world.fire_after(MINUTE_MS).await;
        let all = world.emitted(id).await;
        assert_eq!(all.len(), 1, "and is not taken for new later: {all:?}");
    }
}

#[tokio::test]
async fn a_hook_that_fails_leaves_nothing() {
    for world in worlds().await {
        for (nth, hook) in ["deploy", "activate"].into_iter().enumerate() {
            let rest = format!(
                "props: {{ http: \"$.interface.http\" }},
                 hooks: {{ async {hook}() {{ throw new Error(`not ${{this.http.endpoint}}`); }} }},
                 run() {{}}"
            );
            let key = world.source(&format!("bad{nth}"), &rest).await;
            let reply = world.try_deploy(&key, json!({}), json!({})).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "hook_failed".into()));
            let body = reply.json();
            assert_eq!(body["details"]["hook"], hook);
            let said = body["error"].as_str().unwrap();
            assert!(said.contains(&format!("not {}/v1/hooks/", world.url)), "{said}");
            assert_eq!(world.dump("triggers").await, "");
        }
        let rest = "hooks: { async deactivate() { throw new Error('stays'); } }, run() {}";
        let key = world.source("stays", rest).await;
        let made = world.deploy(&key, json!({}), json!({})).await;
        let id = made["id"].as_str().unwrap();
        let kept = world.of_trigger(Method::DELETE, id, "", Value::Null).await;
        assert_eq!((kept.status.as_u16(), kept.code()), (400, "hook_failed".into()));
        assert_eq!(world.trigger(id).await["active"], true);
        let rest = "?ignore_hook_errors=true";
        let gone = world.of_trigger(Method::DELETE, id, rest, Value::Null).await;
        assert_eq!(gone.status, 204, "{gone:?}");
    }
}

#[tokio::test]
async fn a_source_keeps_60_kb_and_no_more() {
    for world in worlds().await {
        let rest = "props: { db: \"$.service.db\", timer: { type: \"$.interface.timer\",
              default: { intervalSeconds: 60 } } },
          async run() {
            const before = (await this.db.get('text'))?.length ?? null;
            await this.db.set('text', 'x'.repeat(50_000));
            let error = null;
            try { await this.db.set('more', 'y'.repeat(20_000)); }
            catch (it) { error = it.message; }
            this.$emit({ before, error, more: (await this.db.get('more')) ?? null });
          }";
        let key = world.source("full", rest).await;
        let made = world.deploy(&key, json!({}), json!({})).await;
        let id = made["id"].as_str().unwrap();
        world.fire_after(MINUTE_MS).await;
        world.fire_after(MINUTE_MS).await;
        let all = world.emitted(id).await;
        assert_eq!((&all[0]["before"], &all[1]["before"]), (&Value::Null, &json!(50_000)));
        assert!(all[0]["error"].as_str().unwrap().contains("61440"), "{all:?}");
        assert_eq!(all[0]["more"], Value::Null);
        assert!(!world.dump("trigger_states").await.contains("xxxx"), "it is sealed");
    }
}

#[tokio::test]
async fn the_latest_hundred_events_are_kept() {
    for world in worlds().await {
        let rest = "props: { timer: { type: \"$.interface.timer\",
              default: { intervalSeconds: 60 } } },
          run() { for (let n = 0; n < 70; n += 1) this.$emit({ n }); }";
        let key = world.source("many", rest).await;
        let made = world.deploy(&key, json!({}), json!({})).await;
        let id = made["id"].as_str().unwrap();
        world.fire_after(MINUTE_MS).await;
        world.fire_after(MINUTE_MS).await;
        let all = world.emitted(id).await;
        assert_eq!(all.len(), 100);
        assert_eq!((&all[0], &all[99]), (&json!({ "n": 40 }), &json!({ "n": 69 })));
        let three = world.of_trigger(Method::GET, id, "/events?n=3", Value::Null).await.json();
        assert_eq!(three["data"].as_array().unwrap().len(), 3);
        let now_s = world.app.clock.now_ms() / 1_000;
        let path = format!("/v1/connect/usage?start_ts={}&end_ts={}", now_s - 3_600, now_s + 60);
        let usage = world.call(Method::GET, &path, Some(&world.project.token), None).await.json();
        let used = usage["data"].as_array().unwrap().iter();
        let used: i64 = used.filter_map(|it| it["source_emit_credits_used"].as_i64()).sum();
        assert_eq!(used, 140, "{usage}");
    }
}

#[tokio::test]
async fn a_user_who_is_erased_leaves_no_trigger() {
    for world in worlds().await {
        let key = world.source("diary", DIARY).await;
        let made = world.deploy(&key, json!({}), json!({ "webhook_url": "https://w.example/" }));
        let made = made.await;
        let id = made["id"].as_str().unwrap();
        let other = world.path(&format!("/deployed-triggers/{id}?external_user_id=grace"));
        assert_eq!(world.get(&other).await.status, 404, "it is Ada's alone");
        assert_eq!(world.delete(&world.path("/users/ada")).await.status, 204);
        assert_eq!(world.of_trigger(Method::GET, id, "", Value::Null).await.status, 404);
        world.fire_after(HOUR_MS).await;
        for table in ["triggers", "trigger_interfaces", "trigger_states", "trigger_events"] {
            assert_eq!(world.dump(table).await, "", "{table}");
        }
        let sql = "select count(*) from webhook_endpoints where kind = 'emitter'";
        assert_eq!(world.count(sql).await, 0);
    }
}

/// What the code began at the app with the user's account, it ends with it.
#[tokio::test]
async fn erasing_a_user_has_his_sources_end_what_they_began() {
    for lab in labs().await {
        let world = &lab.world;
        let rest = "props: { raw: { type: \"app\", app: \"raw\" }, base: \"string\" },
          methods: { tell(what) {
            const authorization = `Bearer ${this.raw.$auth.api_key}`;
            return fetch(`${this.base}/${what}`, { method: 'POST', headers: { authorization } });
          } },
          hooks: {
            async activate() { await this.tell('subscribe'); },
            async deactivate() {
              await this.tell('unsubscribe');
              if (this.base.endsWith('/bad')) throw new Error('not over');
            },
          },
          run() {}";
        let key = world.source("subscriber", rest).await;
        for name in ["one", "two", "bad", "off"] {
            let base = format!("http://{}/base/{name}", lab.upstream.address);
            let props = json!({ "raw": { "authProvisionId": lab.account }, "base": base });
            let made = world.deploy(&key, props, json!({})).await;
            if name == "off" {
                let id = made["id"].as_str().unwrap();
                world.of_trigger(Method::PUT, id, "", json!({ "active": false })).await;
            }
        }
        let seen = || lab.upstream.seen().into_iter().map(|it| it.line).collect::<Vec<_>>();
        let before = seen().len();
        assert_eq!(before, 5, "{:?}", seen());
        assert_eq!(world.delete(&world.path("/users/ada")).await.status, 204);
        let mut told = seen().split_off(before);
        told.sort();
        let line = |name: &str| format!("POST /base/{name}/unsubscribe HTTP/1.1");
        assert_eq!(told, [line("bad"), line("one"), line("two")]);
        let last = lab.upstream.last();
        assert_eq!(last.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        assert_eq!(world.dump("triggers").await, "");
        assert_eq!(world.delete(&world.path("/users/ada")).await.status, 404);
    }
}

#[tokio::test]
async fn a_project_that_is_deleted_leaves_no_trigger() {
    for world in worlds().await {
        let key = world.source("diary", DIARY).await;
        world.deploy(&key, json!({}), json!({})).await;
        let receiver = Receiver::start().await;
        let rest = "props: { url: \"string\" },
          hooks: { async deactivate() { await fetch(this.url, { method: 'POST', body: '{}' }); } },
          run() {}";
        let tells = world.source("tells", rest).await;
        world.deploy(&tells, json!({ "url": receiver.url }), json!({})).await;
        world.connected("rotating", "grace").await;
        let path = format!("/v1/connect/projects/{}", world.project.id);
        let kept = world.call(Method::DELETE, &path, Some(&world.project.token), None).await;
        assert_eq!((kept.status, receiver.count()), (reqwest::StatusCode::BAD_REQUEST, 0));
        assert_eq!(world.delete(&world.path("/users/grace")).await.status, 204);
        let still = world.call(Method::DELETE, &path, Some(&world.project.token), None).await;
        assert!(still.status == 400 && still.text.contains("still being revoked"), "{still:?}");
        world.run_jobs().await;
        let gone = world.call(Method::DELETE, &path, Some(&world.project.token), None).await;
        assert_eq!(gone.status, 204, "{gone:?}");
        assert_eq!(receiver.count(), 1, "its hook ran");
        world.fire_after(HOUR_MS).await;
        for table in ["triggers", "trigger_interfaces", "trigger_states", "trigger_events"] {
            assert_eq!(world.dump(table).await, "", "{table}");
        }
    }
}

/// A worker serves one user. With timers of all at once, each would need a new one.
#[tokio::test]
async fn timers_of_one_second_are_taken_user_by_user() {
    for world in worlds_with(&[("code_workers_max", "2")]).await {
        let clock = "props: { timer: \"$.interface.timer\" }, run() { this.$emit({}); }";
        let key = world.source("clock", clock).await;
        let props = json!({ "timer": { "cron": "0 * * * *" } });
        for user in ["ada", "grace", "linus", "ada", "grace", "linus"] {
            world.deploy(&key, props.clone(), json!({ "external_user_id": user })).await;
        }
        world.app.clock.shift(HOUR_MS);
        for users in 1..=3 {
            assert_eq!(grantkeep::triggers::round(&world.app).await.unwrap(), 2);
            let sql = "select count(distinct t.user_id) from trigger_events e join triggers t \
                       on t.id = e.trigger_id";
            assert_eq!(world.count(sql).await, users);
        }
    }
}

#[tokio::test]
async fn a_component_that_is_deployed_is_not_deleted_in_silence() {
    for world in worlds().await {
        let key = world.source("diary", DIARY).await;
        let made = world.deploy(&key, json!({}), json!({})).await;
        let path = world.path("/components/~/diary");
        let kept = world.delete(&path).await;
        assert_eq!((kept.status.as_u16(), kept.code()), (409, "component_in_use".to_owned()));
        let named = &kept.json()["details"]["triggers"][0];
        assert_eq!((&named["id"], &named["external_user_id"]), (&made["id"], &json!("ada")));
        assert_eq!(world.get(&path).await.status, 200);
        assert_eq!(world.delete(&format!("{path}?force=true")).await.status, 204);
        assert_eq!(world.get(&path).await.status, 404);
        let id = made["id"].as_str().unwrap();
        assert_eq!(world.trigger(id).await["active"], false);
        world.fire_after(MINUTE_MS).await;
        assert_eq!(world.of_trigger(Method::DELETE, id, "", Value::Null).await.status, 204);
    }
}

#[tokio::test]
async fn a_request_that_came_before_the_timer_was_due_is_worked_off_before_it() {
    for world in worlds().await {
        let rest = "props: { http: \"$.interface.http\",
            timer: { type: \"$.interface.timer\", default: { intervalSeconds: 60 } } },
          run(event) { this.$emit({ by: event.method ? 'request' : 'timer' }); }";
        let key = world.source("both", rest).await;
        let made = world.deploy(&key, json!({}), json!({})).await;
        let id = made["id"].as_str().unwrap();
        world.fire().await;
        let before = world.emitted(id).await.len();
        world.app.clock.shift(MINUTE_MS / 2);
        let url = made["configured_props"]["http"]["endpoint_url"].as_str().unwrap();
        assert!(world.hit(url, json!({})).await.status.is_success());
        world.fire_after(MINUTE_MS).await;
        let all = world.emitted(id).await;
        assert_eq!(all[before..], [json!({ "by": "request" }), json!({ "by": "timer" })]);
    }
}
