//! Which credential and scope each route needs: the table of the guide, held against every route.

use std::collections::BTreeMap;

use grantkeep::projects;
use grantkeep::scope::{Scope, Scopes};
use reqwest::Method;
use serde_json::{Value, json};

use crate::openapi::{filled, operations};
use crate::world::{Reply, World, worlds};

const GUIDE: &str = include_str!("../../../../docs/guides/api.md");

/// A row of the table.
#[derive(Debug)]
struct Row {
    /// Any of them will do; none is needed where there are none.
    scopes: Vec<Scope>,
    client: bool,
    connect: bool,
}

fn table() -> BTreeMap<String, Row> {
    let part = GUIDE.split("## Every route and its scope").nth(1).unwrap();
    let mut rows = BTreeMap::new();
    for line in part.lines().filter(|it| it.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(|it| it.trim().trim_matches('`')).collect();
        let [_, route, scope, client, connect, _] = cells[..] else { panic!("{line}") };
        let named = |text: &str| Scope::ALL.iter().copied().find(|it| it.as_str() == text);
        let words = scope.split(" or ").map(|it| it.trim_matches('`')).filter(|it| !it.is_empty());
        let scopes = words.map(|it| named(it).unwrap_or_else(|| panic!("{line}"))).collect();
        let row = Row { scopes, client: client == "yes", connect: connect == "yes" };
        assert!(rows.insert(route.replace("{*", "{"), row).is_none(), "twice: {line}");
    }
    rows
}

/// All scopes but those that open what one of `scopes` opens.
fn all_but(scopes: &[Scope]) -> Scopes {
    let covers = |it: &Scope| scopes.iter().any(|wanted| Scopes::of(&[*it]).allow(*wanted));
    Scopes::of(&Scope::ALL.iter().copied().filter(|it| !covers(it)).collect::<Vec<_>>())
}

async fn key(world: &World, scopes: &Scopes) -> String {
    let made = projects::create_key(&world.app, &world.project.id, "x", scopes).await;
    made.unwrap().1.expose().to_owned()
}

/// A connect token with what of these a connect token can have.
async fn token(world: &World, scopes: &Scopes) -> String {
    let words = scopes.to_string();
    let can = |it: &&str| !Scopes::parse(it).unwrap().contains_server_only();
    let words: Vec<&str> = words.split(' ').filter(can).collect();
    world.connect_token_with("matrix", json!({ "scope": words.join(" ") })).await
}

#[track_caller]
fn lacks(reply: &Reply, scopes: &[Scope], route: &str) {
    assert_eq!((reply.status.as_u16(), reply.code()), (403, "scope_missing".into()), "{route}");
    let text = reply.json()["error"].as_str().unwrap().to_owned();
    let named = |it: &Scope| text.contains(&format!("`{}`", it.as_str()));
    assert!(scopes.iter().all(named), "{route}: {text}");
}

#[track_caller]
fn let_in(reply: &Reply, route: &str) {
    assert_ne!(reply.status, 401, "{route}: {}", reply.text);
    assert!(!reply.text.contains("needs the scope"), "{route}: {}", reply.text);
    let built = reply.status != 501;
    assert!(reply.status.as_u16() < 500 || !built, "{route}: {}", reply.text);
}

/// Every route with the scope alone, and with all others; by each kind of bearer.
#[tokio::test]
async fn a_12_every_route_needs_the_scope_that_the_guide_says() {
    let document: Value =
        serde_json::from_str(grantkeep::router::rendered().json.as_str()).unwrap();
    for world in worlds().await {
        let mut rows = table();
        let mut alone = BTreeMap::new();
        for scope in Scope::ALL.iter().copied() {
            alone.insert(scope, key(&world, &Scopes::of(&[scope])).await);
        }
        let mut others: BTreeMap<Vec<Scope>, String> = BTreeMap::new();
        for (path, method, _) in operations(&document) {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let route = format!("{method} {}", path.replace("{*", "{"));
            let row = rows.remove(&route).unwrap_or_else(|| panic!("{route} is not in the guide"));
            let body = (![Method::GET, Method::DELETE].contains(&method)).then(|| json!({}));
            let path = filled(&path, world.project.id.as_str());
            let ask = async |bearer: &str| {
                world.call(method.clone(), &path, Some(bearer), body.clone()).await
            };
            if row.scopes.is_empty() {
                continue;
            }
            let rest = all_but(&row.scopes);
            if row.client {
                if !others.contains_key(&row.scopes) {
                    others.insert(row.scopes.clone(), key(&world, &rest).await);
                }
                lacks(&ask(&others[&row.scopes]).await, &row.scopes, &route);
                for scope in &row.scopes {
                    let_in(&ask(&alone[scope]).await, &route);
                }
            }
            if row.connect {
                lacks(&ask(&token(&world, &rest).await).await, &row.scopes, &route);
                for scope in &row.scopes {
                    let name = if *scope == Scope::ProxyUse { Scope::Proxy } else { *scope };
                    let_in(&ask(&token(&world, &Scopes::of(&[name])).await).await, &route);
                }
            }
        }
        let routes: Vec<_> = rows.keys().collect();
        assert!(routes.is_empty(), "the guide has routes that are not there: {routes:?}");
    }
}

/// Whom the document names is whom the guide names.
#[test]
fn a_12_the_guide_and_the_document_name_the_same_callers() {
    let document: Value =
        serde_json::from_str(grantkeep::router::rendered().json.as_str()).unwrap();
    let rows = table();
    for (path, method, it) in operations(&document) {
        let route = format!("{} {}", method.to_uppercase(), path.replace("{*", "{"));
        let named =
            |name: &str| it["security"].as_array().unwrap().iter().any(|it| it.get(name).is_some());
        let row = rows.get(&route).unwrap_or_else(|| panic!("{route} is not in the guide"));
        assert_eq!((row.client, row.connect), (named("client"), named("connect")), "{route}");
    }
}
