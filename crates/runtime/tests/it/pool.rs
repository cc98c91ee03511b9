//! Who gets which worker, and that none is left.

use std::sync::Arc;
use std::time::Duration;

use grantkeep_runtime::{Failure, Key, Op, Unavailable, Wanted};
use serde_json::json;

use crate::world::{Recorder, World, action, input, key, world, world_with};

/// Tells the worker's runs apart, without a doubt: memory of an earlier one shows.
const COUNTS: &str = "globalThis.runs = (globalThis.runs ?? 0) + 1; return globalThis.runs;";

#[tokio::test]
async fn j_07_a_worker_serves_its_key_and_no_other() {
    let world = world(Wanted::Best).await;
    let code = action(COUNTS);
    for runs in 1..=3 {
        assert_eq!(world.returned("a", &code).await, json!(runs));
    }
    assert_eq!(world.returned("b", &code).await, json!(1));
    assert_eq!(world.returned("a", &code).await, json!(4));
}

#[tokio::test]
async fn parts_of_a_key_cannot_be_shifted() {
    let key = |parts: &[&'static str]| Key::new(parts.iter().copied());
    assert_ne!(key(&["a", "bc"]), key(&["ab", "c"]));
    assert_ne!(key(&["a,1:b"]), key(&["a", "b"]));
}

#[tokio::test]
async fn two_runs_of_one_key_at_once_have_a_worker_each() {
    let world = world(Wanted::Best).await;
    let code = action(
        "const n = (globalThis.n = (globalThis.n ?? 0) + 1); \
                       await new Promise((it) => setTimeout(it, 300)); return [n, globalThis.n];",
    );
    let ((one, _), (two, _)) = tokio::join!(world.run("a", &code), world.run("a", &code));
    assert_eq!(one.unwrap()["ret"], json!([1, 1]));
    assert_eq!(two.unwrap()["ret"], json!([1, 1]));
    assert_eq!(world.folders().len(), 2);
}

#[tokio::test]
async fn at_the_most_workers_runs_wait_and_the_longest_unused_goes() {
    let world = world_with(Wanted::Best, |it| it.workers_max = 2).await;
    let code = action(COUNTS);
    let runs = ["a", "b", "c", "d"].map(|name| world.run(name, &code));
    for (answer, _) in futures::future::join_all(runs).await {
        assert_eq!(answer.unwrap()["ret"], json!(1));
    }
    assert_eq!(world.returned("d", &code).await, json!(2));
    assert_eq!(world.returned("e", &code).await, json!(1));
    // Of the two places one is of e, one of d, which was used after c.
    assert_eq!(world.returned("d", &code).await, json!(3));
    assert_eq!(world.returned("c", &code).await, json!(1));
}

#[tokio::test]
async fn a_warm_worker_is_taken_and_replaced() {
    let world = world_with(Wanted::Best, |it| it.warm = 1).await;
    assert_eq!(world.pool.warm(), 1);
    let warm = world.folders();
    assert_eq!(world.returned("a", &action(COUNTS)).await, json!(1));
    assert!(world.folders().contains(&warm[0]));
    while world.pool.warm() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_worker_that_was_kept_long_enough_is_ended() {
    let world = world_with(Wanted::Best, |it| it.idle_max = Duration::from_millis(50)).await;
    assert_eq!(world.returned("a", &action(COUNTS)).await, json!(1));
    while !world.folders().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(world.returned("a", &action(COUNTS)).await, json!(1));
}

#[tokio::test]
async fn code_stands_still_between_its_runs() {
    let world = world(Wanted::Best).await;
    let code = action(
        "globalThis.ticks ??= 0; globalThis.timer ??= setInterval(() => { ticks += 1; }, 5); \
                       return ticks;",
    );
    assert_eq!(world.returned("a", &code).await, json!(0));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ticks = world.returned("a", &code).await.as_u64().unwrap();
    assert!(ticks < 20, "{ticks} ticks in a time in which no run was under way");
}

#[tokio::test]
async fn a_worker_whose_code_left_a_process_is_not_kept() {
    let world = world(Wanted::Best).await;
    let code = action(
        "const { spawn } = await import('node:child_process'); \
                       spawn('/bin/sleep', ['60'], { detached: true }).unref(); \
                       return (globalThis.n = (globalThis.n ?? 0) + 1);",
    );
    for _ in 0..2 {
        assert_eq!(world.returned("a", &code).await, json!(1));
    }
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_any_more_is_ended() {
    let world = world(Wanted::Best).await;
    let code = action("await new Promise(() => {});");
    let run = world.run("a", &code);
    assert!(tokio::time::timeout(Duration::from_millis(900), run).await.is_err());
    while !world.folders().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_run_dropped_while_its_code_is_laid_leaves_no_folder() {
    let world = world(Wanted::Best).await;
    let mut code = action("return 1;");
    let file = |at: usize| (format!("many/{at}.mjs"), bytes::Bytes::from_static(b"//"));
    code.files.extend((0..4_000).map(file));
    for tried in 0..8 {
        let run = world.run("a", &code);
        drop(tokio::time::timeout(Duration::from_millis(40 + 20 * tried), run).await);
    }
    while !world.folders().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn after_shutdown_no_process_is_left() {
    for sandbox in [Wanted::Best, Wanted::Landlock, Wanted::NoneByName] {
        let world = world_with(sandbox, |it| it.warm = 1).await;
        assert_eq!(world.returned("kept", &action("return 1;")).await, json!(1));
        let (pool, host) = (world.pool.clone(), Arc::new(Recorder::default()));
        let running = tokio::spawn(async move {
            let code = action("await new Promise(() => {});");
            pool.perform(&key("running"), &code, Op::run(input()), host).await
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.pool.shutdown().await;
        let stopped = running.await.unwrap().unwrap_err();
        assert_eq!(stopped, Failure::Unavailable(Unavailable::Stopping));
        assert_nothing_is_left(&world);
        let again = world.failed("kept", &action("return 1;")).await;
        assert_eq!(again, Failure::Unavailable(Unavailable::Stopping));
    }
}

#[tokio::test]
async fn a_worker_that_is_given_up_while_it_starts_leaves_no_process() {
    for sandbox in [Wanted::Best, Wanted::Landlock, Wanted::NoneByName] {
        for tried in 0..10 {
            let world = world(sandbox).await;
            let (code, key) = (action("return 1;"), key("starting"));
            let host = Arc::new(Recorder::default());
            let run = world.pool.perform(&key, &code, Op::run(input()), host);
            let run = tokio::time::timeout(Duration::from_millis(4 * tried), run);
            drop(run.await);
            world.pool.shutdown().await;
            assert_nothing_is_left(&world);
        }
    }
}

fn assert_nothing_is_left(world: &World) {
    let folder = world.folder.path().to_str().unwrap();
    let left = processes().into_iter().filter(|it| it.contains(folder)).collect::<Vec<_>>();
    assert!(left.is_empty(), "{left:?}");
    assert!(world.folders().is_empty());
}

/// The command lines, with the environment, of what runs on this machine.
fn processes() -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let of = |name| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let text = [of("cmdline"), of("environ"), of("mountinfo")].concat();
        found.push(String::from_utf8_lossy(&text).into_owned());
    }
    found
}

#[tokio::test]
async fn without_a_sandbox_the_profile_says_so_loudly() {
    let world = world(Wanted::NoneByName).await;
    let profile = world.pool.profile();
    assert_eq!(profile.name, "none");
    assert!(profile.lacks[0].starts_with("NOTHING HOLDS THE CODE"));
    let body = "return [Object.keys(process.env).sort().join(), 1];";
    let told = world.returned("a", &action(body)).await;
    assert_eq!(told[0], "HOME,LANG,PATH,STASH_DIR,TMPDIR,TZ");
}
