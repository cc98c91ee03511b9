//! Bad input, row by row, as `docs/security.md` lists it: what is sent, what is answered, and that
//! nothing came of it.

mod accounts;
mod flow;
mod listener;
mod token_endpoint;
mod tokens;

use grantkeep::scope::Scopes;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{ROOT_KEY, Reply, World, read};

/// What bad input must leave as it is.
const TABLES: [&str; 5] =
    ["external_users", "connect_tokens", "accounts", "revocations", "oauth_apps"];

/// All rows that a bad request could have changed.
async fn stored(world: &World) -> Vec<String> {
    let mut all = Vec::new();
    for table in TABLES {
        all.push(world.dump(table).await);
    }
    all
}

/// The answer is this refusal, names its request, and holds no secret. A panic would be `internal`.
#[track_caller]
fn refused(world: &World, reply: &Reply, (status, code): (u16, &str), input: &str) {
    let input: String = input.chars().take(200).collect();
    let body: Value = serde_json::from_str(&reply.text).unwrap_or_default();
    let told = body["code"].as_str().or(body["error"].as_str()).unwrap_or_default();
    let got = (reply.status.as_u16(), told);
    assert_eq!(got, (status, code), "{} {input}: {}", world.engine, reply.text);
    let id = reply.headers.get("x-request-id").and_then(|it| it.to_str().ok());
    assert!(id.is_some_and(|it| it.starts_with("req_")), "{input}");
    for secret in [world.project.token.as_str(), &world.project.key, ROOT_KEY] {
        assert!(!reply.text.contains(secret), "{input}");
    }
}

/// How often an act was recorded with an outcome, once all events are stored.
async fn recorded(world: &World, action: &str, outcome: &str) -> i64 {
    world.app.audit.settle().await;
    let sql = "select count(*) from audit_events where action = $1 and outcome = $2";
    grantkeep::on!(world.app.db.read(), conn => sqlx::query_scalar(sql)
        .bind(action).bind(outcome).fetch_one(conn).await.unwrap())
}

/// An OAuth client of the world's project: id and secret.
async fn client(world: &World, scopes: &str) -> (String, String) {
    let scopes = Scopes::parse(scopes).unwrap();
    let project = Some(&world.project.id);
    let made = grantkeep::projects::create_client(&world.app, project, "x", &scopes).await.unwrap();
    (made.client.id.to_string(), made.secret.expose().to_owned())
}

/// An API key of the world's project with these scopes and no others.
pub async fn key(world: &World, scopes: &str) -> String {
    let scopes = Scopes::parse(scopes).unwrap();
    let made = grantkeep::projects::create_key(&world.app, &world.project.id, "x", &scopes).await;
    made.unwrap().1.expose().to_owned()
}

/// A request for an access token.
async fn token_request(world: &World, body: Value) -> Reply {
    read(world.http.post(format!("{}/v1/oauth/token", world.url)).json(&body)).await
}

fn grant(id: &str, secret: &str) -> Value {
    json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret })
}

/// A list of users, with any bearer.
async fn users(world: &World, bearer: &str) -> Reply {
    world.call(Method::GET, &world.path("/users"), Some(bearer), None).await
}

/// Sends bytes that no HTTP client would, and gives the status line and all that follows.
async fn raw(world: &World, request: &[u8]) -> String {
    let address = world.url.strip_prefix("http://").unwrap();
    let mut to = tokio::net::TcpStream::connect(address).await.unwrap();
    // The server may close before it has read all.
    let _ = to.write_all(request).await;
    let mut answer = Vec::new();
    let _ = to.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn status_of(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or_default()
}
