//! Every limit: what goes over it fails with its own kind, and the next run is as before.

use std::time::Duration;

use grantkeep_runtime::{Failure, Memory, Wanted};
use serde_json::json;

use crate::world::{World, action, module, world_with, worlds};

async fn fails_and_the_next_run_is_as_before(world: &World, body: &str) -> Failure {
    let failure = world.failed("hostile", &action(body)).await;
    assert_eq!(world.returned("good", &action("return 1;")).await, json!(1));
    assert!(failure.to_string().len() > 40, "{failure}");
    failure
}

async fn both(change: impl Fn(&mut grantkeep_runtime::Settings)) -> [World; 2] {
    [world_with(Wanted::Best, &change).await, world_with(Wanted::Landlock, &change).await]
}

#[tokio::test]
async fn a_loop_without_an_end_is_a_timeout() {
    for world in both(|it| it.limits.wall = Duration::from_millis(400)).await {
        let failure = fails_and_the_next_run_is_as_before(&world, "for (;;) {}").await;
        assert_eq!(failure, Failure::Timeout { limit: Duration::from_millis(400) });
        let waits = "await new Promise(() => setInterval(() => {}, 1000));";
        let failure = fails_and_the_next_run_is_as_before(&world, waits).await;
        assert_eq!(failure.code(), "timeout");
    }
}

#[tokio::test]
async fn processor_time_is_counted_over_all_threads() {
    for world in both(|it| it.limits.cpu = Duration::from_millis(500)).await {
        let busy = "const { Worker } = await import('node:worker_threads'); \
                    new Worker('for (;;) {}', { eval: true }); await new Promise(() => {});";
        for body in ["for (;;) {}", busy] {
            let failure = fails_and_the_next_run_is_as_before(&world, body).await;
            assert_eq!(failure.code(), "cpu", "{body}: {failure:?}");
        }
    }
}

#[tokio::test]
async fn heap_and_resident_memory_each_have_an_end() {
    for world in both(|it| (it.limits.heap_mib, it.limits.rss_mib) = (48, 200)).await {
        let heap = "const all = []; for (;;) all.push({ n: [all.length] });";
        let failure = fails_and_the_next_run_is_as_before(&world, heap).await;
        assert_eq!(failure, Failure::Memory { limit_mib: 48, of: Memory::Heap });
        let buffers = "const all = []; for (;;) { all.push(Buffer.alloc(1 << 23, 1)); \
                       await new Promise((it) => setTimeout(it, 5)); }";
        let failure = fails_and_the_next_run_is_as_before(&world, buffers).await;
        assert_eq!(failure, Failure::Memory { limit_mib: 200, of: Memory::Resident });
        // Quicker than anybody looks.
        let at_once = "const all = []; for (;;) all.push(Buffer.alloc(1 << 26, 1));";
        let failure = fails_and_the_next_run_is_as_before(&world, at_once).await;
        assert!(["memory", "thrown"].contains(&failure.code()), "{failure:?}");
    }
}

#[tokio::test]
async fn output_has_an_end_whatever_way_it_takes() {
    for world in both(|it| it.limits.output_bytes = 1 << 18).await {
        let raw = "const fs = await import('node:fs'); const line = 'x'.repeat(4096); \
                   for (;;) { fs.writeSync(2, line); await 1; }";
        let logs = "for (;;) { console.log('x'.repeat(1000)); await new Promise(setImmediate); }";
        let exports =
            "for (;;) { $.export('a', 'x'.repeat(1000)); await new Promise(setImmediate); }";
        for body in [raw, logs, exports, "return 'x'.repeat(1 << 19);"] {
            let failure = fails_and_the_next_run_is_as_before(&world, body).await;
            assert_eq!(failure, Failure::Output { limit_bytes: 1 << 18 }, "{body}");
        }
    }
}

#[tokio::test]
async fn a_process_that_ends_by_itself_is_told_from_one_that_was_ended() {
    for world in worlds().await {
        let body = "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {});";
        let failure = fails_and_the_next_run_is_as_before(&world, body).await;
        assert_eq!(failure.code(), "ended", "{failure:?}");
    }
}

#[tokio::test]
async fn what_is_not_of_the_protocol_ends_the_run() {
    for world in worlds().await {
        // The control connection is a descriptor like any other.
        let body = "const fs = await import('node:fs'); \
                    for (let fd = 3; fd < 64; fd += 1) try { fs.writeSync(fd, '{]\\n'); } catch {} \
                    await new Promise(() => {});";
        let failure = fails_and_the_next_run_is_as_before(&world, body).await;
        assert!(["protocol", "ended"].contains(&failure.code()), "{failure:?}");
    }
}

#[tokio::test]
async fn a_payload_over_the_limit_is_refused_and_the_worker_kept() {
    for world in both(|it| it.limits.payload_bytes = 1_000).await {
        let mut input = crate::world::input();
        input.insert("event".into(), json!("x".repeat(2_000)));
        let host = std::sync::Arc::new(crate::world::Recorder::default());
        let op = grantkeep_runtime::Op::run(input);
        let code = action("return 1;");
        let failure = world.pool.perform(&crate::world::key("big"), &code, op, host).await;
        assert_eq!(failure.unwrap_err().code(), "payload");
        assert_eq!(world.returned("big", &code).await, json!(1));
        assert_eq!(world.folders().len(), 1);
    }
}

#[tokio::test]
async fn j_05_files_and_processes_have_an_end() {
    let world = world_with(Wanted::Best, |it| it.limits.files_open = 64).await;
    let body = "const fs = await import('node:fs'); let n = 0; \
                try { for (;;) { fs.openSync('/dev/null'); n += 1; } } \
                catch (error) { return [n < 64 || n, error.code]; }";
    assert_eq!(world.returned("files", &action(body)).await, json!([true, "EMFILE"]));
    let world = world_with(Wanted::Best, |_| {}).await;
    let body = "const { spawn } = await import('node:child_process'); \
                const options = { stdio: 'ignore' }; \
                for (;;) { spawn('/bin/sleep', ['60'], options).on('error', () => {}); \
                await new Promise((it) => setTimeout(it, 1)); }";
    let failure = fails_and_the_next_run_is_as_before(&world, body).await;
    assert_eq!(failure.code(), "processes", "{failure:?}");
    let many = "const fs = await import('node:fs'); \
                for (let n = 0; ; n += 1) fs.writeFileSync('/tmp/' + n, '');";
    let failure = fails_and_the_next_run_is_as_before(&world, many).await;
    assert_eq!(failure.code(), "files", "{failure:?}");
}

#[tokio::test]
async fn j_05_tmp_has_a_size() {
    let world = world_with(Wanted::Best, |it| it.limits.tmp_mib = 8).await;
    let body = "const fs = await import('node:fs'); let n = 0; \
                try { for (;;) { fs.writeFileSync('/tmp/' + n, Buffer.alloc(1 << 20)); n += 1; } } \
                catch (error) { return [n, error.code]; }";
    assert_eq!(world.returned("tmp", &action(body)).await, json!([8, "ENOSPC"]));
}

#[tokio::test]
async fn more_connections_than_allowed_are_refused_and_said_to_be() {
    for world in both(|it| it.limits.connections = 4).await {
        let body = "const net = await import('node:net'); const all = []; \
            for (let n = 0; n < 8; n += 1) all.push(new Promise((done) => { \
              const socket = net.connect(7, 'echo.test', () => socket.write('a')); \
              socket.on('data', () => done('open')); \
              socket.on('error', (it) => done(it.message)); })); \
            return (await Promise.all(all)).map((it) => it === 'open' ? it : \
              /More than 4 connections/.test(it) ? 'refused' : it);";
        let mut told: Vec<String> =
            serde_json::from_value(world.returned("many", &action(body)).await).unwrap();
        told.sort();
        assert_eq!(told.join(" "), "open open open open refused refused refused refused");
    }
}

#[tokio::test]
async fn a_loop_while_loading_ends_too() {
    let world = world_with(Wanted::Best, |it| it.limits.cpu = Duration::from_millis(300)).await;
    let failure = world.failed("loop", &module("for (;;) {}")).await;
    assert_eq!(failure.code(), "cpu");
}
