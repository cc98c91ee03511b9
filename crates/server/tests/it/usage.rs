//! What was used: counted in memory, written down once, summed over processes.

use grantkeep::meters::Meter;
use grantkeep::usage;
use reqwest::Method;
use serde_json::{Value, json};

use crate::grants::TWO_HOURS_MS;
use crate::world::{Reply, World, worlds};

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;

fn now_s(world: &World) -> i64 {
    world.app.clock.now_ms() / 1_000
}

async fn used(world: &World, more: &str) -> Value {
    let (from, to) = (now_s(world) - DAY_S, now_s(world) + DAY_S);
    let path = world.path(&format!("/usage?start_ts={from}&end_ts={to}{more}"));
    let reply = world.get(&path).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

fn sum(list: &Value, name: &str) -> i64 {
    list["data"].as_array().unwrap().iter().map(|it| it[name].as_i64().unwrap()).sum()
}

async fn rows(world: &World) -> i64 {
    world.count("select coalesce(cast(sum(amount) as bigint), 0) from usage_hours").await
}

#[tokio::test]
async fn usage_counts_what_was_done_and_in_which_hour() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        assert_eq!(world.vend(&account).await.status, 200);
        // An account that is shown without its credentials is no vend.
        assert_eq!(world.get(&world.path("/accounts")).await.status, 200);
        world.later(TWO_HOURS_MS);
        assert_eq!(world.vend(&account).await.status, 200);
        assert_eq!(rows(&world).await, 0, "no call writes a count");
        let list = used(&world, "&by=hour").await;
        assert_eq!(list["data"].as_array().unwrap().len(), 49, "every hour, used or not");
        for (name, expected) in [
            ("connects", 1),
            ("vends", 2),
            ("refreshes", 1),
            ("proxy_calls", 0),
            ("action_runs", 0),
            ("source_emits", 0),
        ] {
            assert_eq!(sum(&list, name), expected, "{name} of {}", world.engine);
        }
        let vended = list["data"].as_array().unwrap().iter().filter(|it| it["vends"] == 1);
        let hours: Vec<_> = vended.map(|it| it["start_ts"].as_i64().unwrap()).collect();
        assert_eq!(hours.len(), 2);
        assert_eq!(hours[1] - hours[0], 2 * HOUR_S);
        assert_eq!(sum(&used(&world, "").await, "vends"), 2, "by the day it is the same");
        let path = world.path(&format!("/usage?start_ts=0&end_ts={}", now_s(&world)));
        assert_eq!(world.get(&path).await.code(), "invalid_parameter");
        // Another environment used nothing.
        let path = format!("{}{}", world.url, world.path("/usage?start_ts=1&end_ts=2"));
        let request = world.http.get(path).bearer_auth(&world.project.key);
        let reply = crate::world::read(request.header("x-pd-environment", "production")).await;
        assert_eq!(sum(&reply.json(), "vends"), 0);
    }
}

#[tokio::test]
async fn usage_of_several_processes_adds_up_and_nothing_counts_twice() {
    for world in worlds().await {
        let other = World::beside(&world).await;
        let (tenant, now_ms) = (world.tenant(), world.app.clock.now_ms());
        for app in [&world.app, &other.app] {
            for _ in 0..5 {
                app.meters.count(&tenant, Meter::ProxyCalls, now_ms);
            }
        }
        let (one, two) = tokio::join!(usage::flush(&world.app), usage::flush(&other.app));
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(rows(&world).await, 10);
        usage::flush(&world.app).await.unwrap();
        assert_eq!(rows(&world).await, 10, "a second flush has nothing to write");
        // The store took a batch, and the answer was lost: it is tried again, and added once.
        world.app.meters.count(&tenant, Meter::ProxyCalls, now_ms);
        let counts = world.app.meters.take();
        let id = grantkeep::ids::BatchId::mint();
        for _ in 0..2 {
            let counts = counts.clone();
            let batch = grantkeep::meters::Batch { id: id.clone(), counts };
            *world.app.meters.leaving.lock().await = Some(batch);
            usage::flush(&world.app).await.unwrap();
        }
        assert_eq!(rows(&world).await, 11);
        // While the store is away, counts wait.
        other.app.meters.count(&tenant, Meter::ProxyCalls, now_ms);
        other.app.db.close().await;
        assert!(usage::flush(&other.app).await.is_err());
        assert_eq!(other.app.meters.leaving.lock().await.as_ref().unwrap().counts[0].amount, 1);
    }
}

#[tokio::test]
async fn the_wires_usage_is_in_credits_by_day_for_all_that_the_caller_reaches() {
    for world in worlds().await {
        let (tenant, now_ms) = (world.tenant(), world.app.clock.now_ms());
        for meter in [Meter::ProxyCalls, Meter::ProxyCalls, Meter::Vends, Meter::Refreshes] {
            world.app.meters.count(&tenant, meter, now_ms);
        }
        let other = world.another_project(grantkeep::projects::Settings::default()).await;
        let ask = async |bearer: &str, from: i64, to: i64| {
            let path = format!("/v1/connect/usage?start_ts={from}&end_ts={to}");
            world.call(Method::GET, &path, Some(bearer), None).await
        };
        let today_s = now_ms / 1_000 / DAY_S * DAY_S;
        let day = ask(&world.project.token, today_s, today_s + DAY_S).await;
        let expected = json!({ "data": [{ "credits_used": 2, "action_run_credits_used": 0,
            "proxy_credits_used": 2, "source_emit_credits_used": 0, "usage_start_ts": today_s,
            "usage_end_ts": today_s + DAY_S }] });
        assert_eq!(day.json(), expected);
        let foreign = ask(&other.token, today_s, today_s + DAY_S).await.json();
        assert_eq!(foreign["data"][0]["credits_used"], 0);
        let week = ask(&world.project.token, today_s - 6 * DAY_S, today_s + DAY_S).await.json();
        assert_eq!(week["data"].as_array().unwrap().len(), 7);
        for (from, to) in [(5, 5), (6, 5), (-5, 5), (0, 401 * DAY_S)] {
            let reply = ask(&world.project.token, from, to).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_parameter".into()));
        }
        for query in
            ["", "?start_ts=1", "?end_ts=1", "?start_ts=x&end_ts=2", "?start_ts=1.5&end_ts=2"]
        {
            let path = format!("/v1/connect/usage{query}");
            let reply: Reply =
                world.call(Method::GET, &path, Some(&world.project.token), None).await;
            assert_eq!(reply.code(), "invalid_parameter", "{query}");
        }
        world.app.clock.shift(401 * DAY_S * 1_000);
        usage::forget_old(&world.app).await.unwrap();
        assert_eq!(rows(&world).await, 0);
        assert_eq!(world.count("select count(*) from usage_batches").await, 0);
    }
}

#[test]
fn the_binary_shows_usage_by_day() {
    use std::process::Command;
    let dir = tempfile::tempdir().unwrap();
    let program = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grantkeep"));
        let command = command.current_dir(dir.path()).env("GRANTKEEP_DATA_DIR", dir.path());
        let command = command.env("GRANTKEEP_ROOT_KEY", crate::world::ROOT_KEY);
        command.arg("--json").args(args).output().unwrap()
    };
    assert!(program(&["migrate"]).status.success());
    let run = |args: &[&str]| program(&[&["project"], args].concat());
    let made: Value = serde_json::from_slice(&run(&["create", "Acme"]).stdout).unwrap();
    let id = made["id"].as_str().unwrap();
    let shown = run(&["usage", id, "--days", "7", "--environment", "production"]);
    let days: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(days.as_array().unwrap().len(), 7, "{days}");
    assert!(days.as_array().unwrap().iter().all(|it| it["vends"] == 0 && it["proxy_calls"] == 0));
    let dates: Vec<_> = days.as_array().unwrap().iter().map(|it| it["day"].to_string()).collect();
    assert!(dates.is_sorted() && dates[0] < dates[6], "{dates:?}");
    for (args, status) in [
        (["usage", "proj_none", "--days", "1"], 4),
        (["usage", "acme", "--days", "1"], 2),
        (["usage", id, "--days", "0"], 2),
    ] {
        assert_eq!(run(&args).status.code(), Some(status), "{args:?}");
    }
}
