//! Triggers without code: addresses and clocks.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{HOUR_MS, MINUTE_MS, posts_of, signed};
use crate::receiver::Receiver;
use crate::world::{World, worlds, worlds_with};

const ADDRESS: &str = "http-new-requests";
const CLOCK: &str = "schedule-custom-interval";

#[tokio::test]
async fn an_address_without_code_emits_each_request() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        let made = world.deploy(ADDRESS, json!({}), json!({ "webhook_url": receiver.url })).await;
        assert_eq!(made["type"], "HttpInterface", "{made}");
        let (id, url) = (made["id"].as_str().unwrap(), made["endpoint_url"].as_str().unwrap());
        let key = made["webhook_signing_key"].as_str().unwrap();
        assert!(id.starts_with("hi_") && made["key"].as_str().unwrap().len() == 32, "{made}");
        assert!(url.ends_with(made["key"].as_str().unwrap()), "{made}");
        let answer = world.hit(&format!("{url}/deeper?a=1"), json!({ "n": 1 })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.headers["content-security-policy"], "default-src 'none'; sandbox");
        let event = &world.events(id).await[0];
        let e = &event["e"];
        assert_eq!((&e["method"], &e["path"]), (&json!("POST"), &json!("/deeper")), "{event}");
        assert_eq!((&e["body"], &e["query"]["a"]), (&json!({ "n": 1 }), &json!("1")));
        assert_eq!(e["url"], format!("{url}/deeper?a=1"));
        assert_eq!((&event["k"], e["client_ip"].is_string()), (&json!("emit"), true));
        world.deliver().await;
        let [post] = &posts_of(&receiver, id)[..] else { panic!("{:?}", receiver.posts()) };
        assert_eq!(&post.json(), e, "the event itself, without an envelope");
        assert_eq!(post.header("x-pd-external-user-id"), "ada");
        assert_eq!(post.header("x-pd-project-id"), world.project.id.as_str());
        assert!(signed(post, key) && !signed(post, "whsec_x"));
        let listed = |kind: &'static str| {
            let path = format!("/deployed-triggers?external_user_id=ada&emitter_type={kind}");
            world.path(&path)
        };
        assert_eq!(world.get(&listed("http")).await.json()["data"][0]["id"], id);
        for other in ["source", "timer", "email"] {
            assert_eq!(world.get(&listed(other)).await.json()["data"], json!([]), "{other}");
        }
        let gone = world.of_trigger(Method::DELETE, id, "", Value::Null).await;
        assert_eq!(gone.status, 204, "{gone:?}");
        assert_eq!(world.hit(url, json!({})).await.status, 404);
    }
}

#[tokio::test]
async fn a_clock_without_code_emits_at_its_times_and_missed_times_are_one() {
    for world in worlds().await {
        let made =
            world.deploy(CLOCK, json!({ "cron": { "intervalSeconds": 60 } }), json!({})).await;
        assert_eq!(made["type"], "TimerInterface", "{made}");
        assert_eq!((&made["interval_seconds"], &made["cron"]), (&json!(60), &Value::Null));
        let id = made["id"].as_str().unwrap();
        world.fire().await;
        assert_eq!(world.events(id).await.len(), 0, "not before its time");
        world.fire_after(MINUTE_MS).await;
        let event = world.emitted(id).await.remove(0);
        assert_eq!(event["interval_seconds"], 60);
        assert!(event["timezone_utc"]["iso8601"]["timestamp"].is_string(), "{event}");
        world.fire_after(10 * HOUR_MS).await;
        assert_eq!(world.events(id).await.len(), 2, "after ten hours one, and no burst");
        let change = json!({ "configured_props": { "cron": { "cron": "30 9 * * *",
            "timezone": "Europe/Berlin" } } });
        let changed = world.of_trigger(Method::PUT, id, "", change).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let changed = changed.json()["data"].clone();
        assert_eq!(
            (&changed["cron"], &changed["timezone"]),
            (&json!("30 9 * * *"), &json!("Europe/Berlin"))
        );
        world.fire_after(24 * HOUR_MS).await;
        let event = world.emitted(id).await.remove(2);
        let shown = event["timezone_configured"]["iso8601"]["time"].as_str().unwrap();
        assert!(shown.starts_with("09:30:00"), "{event}");
        let off = world.of_trigger(Method::PUT, id, "", json!({ "active": false })).await;
        assert_eq!(off.json()["data"]["active"], false);
        world.fire_after(48 * HOUR_MS).await;
        assert_eq!(world.events(id).await.len(), 3, "it is off");
    }
}

#[tokio::test]
async fn what_is_no_schedule_is_refused() {
    for world in worlds().await {
        for value in [json!({ "intervalSeconds": 0 }), json!({ "cron": "x" }), json!("soon")] {
            let reply = world.try_deploy(CLOCK, json!({ "cron": value }), json!({})).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_field".into()));
            assert_eq!(reply.json()["details"]["field"], "cron");
        }
        assert_eq!(world.count("select count(*) from triggers").await, 0);
    }
}

#[tokio::test]
async fn two_processes_share_what_is_due_and_each_time_is_worked_off_once() {
    for world in worlds().await {
        let mut ids = Vec::new();
        for _ in 0..24 {
            let props = json!({ "cron": { "intervalSeconds": 60 } });
            let made = world.deploy(CLOCK, props, json!({})).await;
            ids.push(made["id"].as_str().unwrap().to_owned());
        }
        let other = World::beside(&world).await;
        for nth in 1..=3 {
            world.app.clock.shift(MINUTE_MS);
            tokio::join!(world.fire(), other.fire());
            let sum = world.count("select cast(sum(emitted) as bigint) from triggers").await;
            assert_eq!(sum, 24 * nth, "{}", world.engine);
        }
        for id in ids {
            let seen: BTreeSet<String> =
                world.emitted(&id).await.iter().map(|it| it["timestamp"].to_string()).collect();
            assert_eq!(seen.len(), 3, "three times, each once");
        }
    }
}

#[tokio::test]
async fn row_91_an_address_takes_so_much_and_no_more() {
    for world in worlds_with(&[("rate_limits", "true")]).await {
        let made = world.deploy(ADDRESS, json!({}), json!({})).await;
        let url = made["endpoint_url"].as_str().unwrap();
        let large = world.http.post(url).body(vec![b'x'; 512 * 1024 + 1]);
        let large = crate::world::read(large).await;
        assert_eq!((large.status.as_u16(), large.code()), (413, "body_too_large".into()));
        let fits = crate::world::read(world.http.post(url).body(vec![b'x'; 512 * 1024])).await;
        assert_eq!(fits.status, 200, "{fits:?}");
        let mut statuses = BTreeSet::new();
        // More than two windows of a second take, however slow this machine is.
        for _ in 0..60 {
            let sent = (0..30).map(|_| crate::world::read(world.http.get(url)));
            for answer in futures::future::join_all(sent).await {
                if answer.status == 429 {
                    assert!(answer.headers.contains_key("retry-after"));
                }
                statuses.insert(answer.status.as_u16());
            }
            if statuses.contains(&429) {
                break;
            }
        }
        assert_eq!(statuses, BTreeSet::from([200, 429]));
        let unknown = format!("{}/v1/hooks/{}", world.url, "0".repeat(32));
        assert_eq!(world.hit(&unknown, json!({})).await.status, 404);
    }
}

#[tokio::test]
async fn a_change_of_nothing_and_values_that_cannot_work_are_refused() {
    for world in worlds().await {
        let refused = |reply: crate::world::Reply, parts: &[&str]| {
            assert_eq!(reply.status, 400, "{reply:?}");
            for part in parts {
                assert!(reply.text.contains(part), "no {part:?} in {reply:?}");
            }
        };
        let both = json!({ "cron": { "intervalSeconds": 60, "cron": "0 9 * * *" } });
        refused(world.try_deploy(CLOCK, both, json!({})).await, &["and not both"]);
        refused(world.try_deploy(CLOCK, json!({ "cron": {} }), json!({})).await, &["A timer is"]);
        let beside = json!({ "intervalSeconds": 60 });
        refused(world.try_deploy(CLOCK, beside, json!({})).await, &["`cron` is missing"]);
        let nowhere = json!({ "workflow_id": "p_leadsnowhere" });
        let reply = world.try_deploy(ADDRESS, json!({}), nowhere).await;
        refused(reply, &["`p_leadsnowhere` is no workflow of this project"]);
        assert_eq!(world.dump("triggers").await, "");
        let made = world.deploy(CLOCK, json!({}), json!({})).await;
        assert_eq!(made["interval_seconds"], 900, "as the guide says");
        let id = made["id"].as_str().unwrap();
        for nothing in [json!({}), json!({ "naem": "x" })] {
            let reply = world.of_trigger(Method::PUT, id, "", nothing).await;
            refused(reply, &["`active`, `configured_props`, `name` and `emit_on_deploy`"]);
        }
        let rest = "props: { count: \"integer\", word: { type: \"string\", optional: true } },
            run() {}";
        let key = world.source("typed", rest).await;
        let reply = world.try_deploy(&key, json!({ "count": "many" }), json!({})).await;
        refused(reply, &["`count`: it is a whole number"]);
        let reply = world.try_deploy(&key, json!({ "cuont": 1 }), json!({})).await;
        refused(reply, &["`count` is missing. There is no field `cuont`."]);
        let every = json!({ "crn": { "intervalSeconds": 60 } });
        let reply = world.try_deploy("schedule-custom-interval", every, json!({})).await;
        refused(reply, &["`cron` is missing, and `crn` is no field."]);
        // What products send along from their forms is let be.
        let sent = json!({ "count": "3", "word": 5, "of_a_form": { "a": 1 } });
        world.deploy(&key, sent, json!({})).await;
    }
}

#[tokio::test]
async fn an_address_whose_events_start_nothing_takes_no_more_after_a_while() {
    let text =
        "name: slow\ntrigger: { call: {} }\nsteps: [{ name: a, code: 'export default 1' }]\n";
    for world in worlds_with(&[("rate_limits", "false")]).await {
        let made = world.workflow(&text.replace("default 1", "default () => 1")).await;
        let more = json!({ "workflow_id": made["id"] });
        let trigger = world.deploy("http-new-requests", json!({}), more).await;
        let url = trigger["endpoint_url"].as_str().unwrap();
        let mut taken = 0;
        let reply = loop {
            let reply = world.hit(url, json!({ "n": taken })).await;
            if reply.status != 200 || taken > 300 {
                break reply;
            }
            taken += 1;
        };
        assert_eq!((taken, reply.status.as_u16()), (200, 429), "{reply:?}");
        world.flow().await;
        assert_eq!(world.hit(url, json!({})).await.status, 200);
    }
}
