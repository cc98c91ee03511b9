//! The OpenAPI document: committed as generated, served as committed, and true of who may call.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, worlds};

fn committed() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json")
}

#[test]
fn the_committed_document_is_the_one_that_the_routes_make() {
    let made = grantkeep::router::rendered().json.as_str();
    #[expect(clippy::disallowed_methods, reason = "set by a developer who wants the file written")]
    if std::env::var("UPDATE_REFERENCES").is_ok() {
        std::fs::write(committed(), made).unwrap();
    }
    let kept = std::fs::read_to_string(committed()).unwrap_or_default();
    assert!(kept == made, "docs/openapi.json is stale: run the tests with UPDATE_REFERENCES=1");
}

#[test]
fn every_operation_says_what_it_does_and_for_whom() {
    let document: Value =
        serde_json::from_str(grantkeep::router::rendered().json.as_str()).unwrap();
    for (path, method, it) in operations(&document) {
        assert!(it["tags"][0].is_string(), "{method} {path} has no group");
        assert!(it["security"].is_array(), "{method} {path} does not say who may call it");
        let answers = it["responses"].as_object().unwrap();
        assert!(!answers.is_empty(), "{method} {path} has no answers");
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let world = World::sqlite(&[]).await;
    let document = world.call(Method::GET, "/openapi.json", None, None).await;
    assert_eq!(document.text, grantkeep::router::rendered().json.as_str());
    let page = world.call(Method::GET, "/docs", None, None).await;
    assert_eq!(page.status, 200);
    for (path, _, _) in operations(&document.json()) {
        assert!(page.text.contains(&path.replace('&', "&amp;")), "{path} is not on the page");
    }
    assert_eq!(world.call(Method::GET, "/_static/docs.css", None, None).await.status, 200);
    for (path, word) in [("/sdk.js", "Grantkeep"), ("/sdk.mjs", "export")] {
        let script = world.call(Method::GET, path, None, None).await;
        assert!(script.text.contains(word), "{path}");
        assert!(script.headers["content-type"].to_str().unwrap().starts_with("text/javascript"));
    }
}

/// A-12 and M-04: every operation of the document with every kind of caller. Who the document does
/// not name is refused before anything is looked up; a foreign project looks like none.
#[tokio::test]
async fn a_12_every_route_with_every_kind_of_caller() {
    for world in worlds().await {
        let other = world.another_project(grantkeep::projects::Settings::default()).await;
        let document: Value =
            serde_json::from_str(grantkeep::router::rendered().json.as_str()).unwrap();
        let mut tried = 0;
        for (path, method, it) in operations(&document) {
            let allowed = |name: &str| {
                it["security"].as_array().unwrap().iter().any(|it| it.get(name).is_some())
            };
            if !allowed("client") && !allowed("connect") {
                continue;
            }
            tried += 1;
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let body = (method != Method::GET && method != Method::DELETE).then(|| json!({}));
            let ask = async |project: &str, bearer: Option<&str>| {
                let path = filled(&path, project);
                world.call(method.clone(), &path, bearer, body.clone()).await
            };
            let own = world.project.id.as_str();
            let connect = world.connect_token("matrix").await;
            let nobody = ask(own, None).await;
            assert_eq!(nobody.status, 401, "{method} {path} without a bearer");
            for (name, bearer) in [("client", &world.project.token), ("connect", &connect)] {
                let reply = ask(own, Some(bearer)).await;
                if allowed(name) {
                    assert_ne!(reply.status, 401, "{method} {path} as {name}: {}", reply.text);
                } else {
                    assert_eq!(reply.status, 401, "{method} {path} as {name}: {}", reply.text);
                    assert_eq!(reply.code(), "wrong_token_type", "{method} {path} as {name}");
                }
                // What is not built yet says so.
                let failed = reply.status.as_u16() / 100 == 5 && reply.status != 501;
                assert!(!failed, "{method} {path}: {}", reply.text);
            }
            if path.contains("{project}") && allowed("client") {
                let foreign = ask(own, Some(&other.token)).await;
                let random = ask("proj_nothere", Some(&other.token)).await;
                assert_eq!(foreign.status, 404, "{method} {path} by a stranger");
                assert_eq!(foreign.text, random.text, "{method} {path} by a stranger");
            }
        }
        assert!(tried >= 20, "{tried}");
    }
}

pub fn filled(path: &str, project: &str) -> String {
    path.replace("{project}", project)
        .replace("{*rest}", "nobody/accounts")
        .replace("{rest}", "nobody/accounts")
        .split('/')
        .map(|part| if part.starts_with('{') { "nothere" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

pub fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, it) in methods.as_object().unwrap() {
            all.push((path.clone(), method.clone(), it.clone()));
        }
    }
    all
}
