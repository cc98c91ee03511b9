//! What a run gives back, says, asks and leaves.

use std::sync::Arc;

use grantkeep_runtime::{Failure, Notice, Op};
use serde_json::json;

use crate::world::{Recorder, action, input, key, module, worlds};

#[tokio::test]
async fn a_run_returns_logs_and_exports() {
    for world in worlds().await {
        let body = "console.log('hello', 1); $.export('a', {b: 2}); return {c: [3]};";
        let (answer, host) = world.run("one", &action(body)).await;
        assert_eq!(answer.unwrap()["ret"], json!({"c": [3]}));
        assert_eq!(host.logs(), ["hello 1"]);
        let exported = Notice::Export { name: "a".into(), value: json!({"b": 2}) };
        assert!(host.notices.lock().unwrap().contains(&exported));
    }
}

#[tokio::test]
async fn a_component_is_described_without_being_run() {
    for world in worlds().await {
        let text = "export default { key: 'k', name: 'N', version: '1.2.3', type: 'action', \
                    props: { n: { type: 'integer', label: 'L' } }, run() { throw 1; } };";
        let told = world.pool.describe(&key("described"), &module(text)).await.unwrap();
        assert_eq!((told.key.as_deref(), told.kind.as_deref()), (Some("k"), Some("action")));
        assert_eq!((told.props.len(), told.run), (1, true));
        assert_eq!(told.props[0]["name"], "n");
    }
}

#[tokio::test]
async fn what_code_throws_comes_with_its_place_and_spares_the_worker() {
    for world in worlds().await {
        let code =
            action("globalThis.n = (globalThis.n ?? 0) + 1;\nthrow new TypeError('no ' + n)");
        for n in 1..=2 {
            let failure = world.failed("throws", &code).await;
            let Failure::Thrown(thrown) = failure else { panic!("{failure:?}") };
            assert_eq!((&*thrown.name, thrown.message), ("TypeError", format!("no {n}")));
            let place = thrown.position.unwrap();
            assert_eq!((&*place.file, place.line), ("index.mjs", 4));
        }
        assert_eq!(world.folders().len(), 1);
    }
}

#[tokio::test]
async fn a_module_that_cannot_be_loaded_says_so() {
    for world in worlds().await {
        let failure = world.failed("broken", &module("export default {;")).await;
        let Failure::Load(thrown) = failure else { panic!("{failure:?}") };
        assert_eq!(thrown.name, "SyntaxError", "{thrown:?}");
        let failure = world.failed("missing", &module("import 'left-pad-of-nobody';")).await;
        assert!(matches!(failure, Failure::Load(_)), "{failure:?}");
    }
}

#[tokio::test]
async fn calls_are_answered_and_refused() {
    for world in worlds().await {
        let text = "export default { key: 'it', version: '0.0.1', type: 'source', \
            props: { db: '$.service.db' }, async run() { \
            const n = this.db.get('n'); \
            let told; try { await this.db.set('n', 1); } catch (error) { told = error.message; } \
            console.log(n, told, this.db.get('n')); } };";
        let mut input = input();
        input.insert("props".into(), json!({"db": {}}));
        input.insert("db".into(), json!({"db": {"n": 41}}));
        let host = Arc::new(Recorder::default());
        let op = Op::run(input);
        world.pool.perform(&key("db"), &module(text), op, Arc::clone(&host)).await.unwrap();
        assert_eq!(host.logs(), ["41 no room 41"]);
        let methods: Vec<_> = host.calls.lock().unwrap().iter().map(|it| it.0.clone()).collect();
        assert_eq!(methods, ["db.set"]);
    }
}

#[tokio::test]
async fn connections_go_to_the_host_and_nowhere_else() {
    for world in worlds().await {
        let body = "const net = await import('node:net'); \
            const echoed = await new Promise((done, failed) => { \
              const socket = net.connect(7, 'echo.test', () => socket.write('ping')); \
              socket.on('data', (it) => { socket.end(); done(String(it)); }); \
              socket.on('error', failed); }); \
            const refused = await fetch('https://other.test/').catch((it) => it.cause.message); \
            return [echoed, refused];";
        let (answer, host) = world.run("net", &action(body)).await;
        let told = answer.unwrap()["ret"].clone();
        assert_eq!(told[0], "ping");
        assert!(told[1].as_str().unwrap().contains("not allowed"), "{told}");
        let targets = host.targets.lock().unwrap();
        let names: Vec<_> = targets.iter().map(|it| (&*it.host, it.port)).collect();
        assert_eq!(names, [("echo.test", 7), ("other.test", 443)]);
    }
}

#[tokio::test]
async fn files_of_the_stash_go_both_ways_and_are_gone_for_the_next_run() {
    for world in worlds().await {
        let code = action(
            "const fs = await import('node:fs'); const path = process.env.STASH_DIR; \
             const before = fs.existsSync(path) ? fs.readdirSync(path) : []; \
             fs.mkdirSync(path, {recursive: true}); \
             fs.writeFileSync(path + '/out.txt', 'made here'); return before.sort();",
        );
        let mut input = input();
        input.insert("files".into(), json!([{"path": "in.txt", "base64": "aGk="}]));
        for input in [input, self::input()] {
            let given = input["files"].as_array().unwrap().len();
            let host = Arc::new(Recorder::default());
            let op = Op::run(input);
            let done = world.pool.perform(&key("stash"), &code, op, Arc::clone(&host)).await;
            assert_eq!(done.unwrap()["ret"].as_array().unwrap().len(), given);
            let files = host.files.lock().unwrap();
            let made = files.iter().find(|(path, _)| path == "out.txt").unwrap();
            assert_eq!(made.1, b"made here");
        }
    }
}

#[tokio::test]
async fn our_package_is_there_under_every_name_it_is_given() {
    for world in worlds().await {
        let mut code = module(
            "import { axios } from '@grantkeep/runtime'; import * as other from 'their-name'; \
             import { createRequire } from 'node:module'; \
             const third = createRequire(import.meta.url)('their-name'); \
             export default { key: 'it', version: '0.0.1', type: 'action', props: {}, \
             run() { return [typeof axios, other.axios === axios, third.axios === axios]; } };",
        );
        code.aliases.push("their-name".into());
        let told = world.returned("names", &code).await;
        assert_eq!(told, json!(["function", true, true]));
    }
}
