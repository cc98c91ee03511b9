//! What a connect token is good for.

use serde_json::{Value, json};

use super::browser::connect;
use crate::world::{World, worlds};

async fn ask(world: &World, token: &str, query: &str) -> Value {
    let path = format!("/v1/connect/tokens/{token}/validate{query}");
    let reply = world.call(reqwest::Method::GET, &path, None, None).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.headers["cache-control"], "no-store");
    reply.json()
}

#[tokio::test]
async fn a_good_token_is_told_with_every_field() {
    for world in worlds().await {
        let client = world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let answer = ask(&world, &token, "?app_id=sim_rotating").await;
        assert_eq!(answer["success"], true, "{answer}");
        assert_eq!(answer["error"], Value::Null);
        assert_eq!(answer["app"]["name_slug"], "sim_rotating");
        assert_eq!(answer["oauth_app_id"], client.id.as_str());
        assert_eq!(answer["project_id"], world.project.id.as_str());
        assert_eq!(answer["project_app_name"], "Acme");
        assert_eq!(answer["project_support_email"], "help@acme.example");
        assert_eq!(answer["project_environment"], "development");
        let fields: Vec<&str> = vec![
            "app_override_id",
            "app_override_field_names",
            "oauth_app_workday_official",
            "oauth_app_connect_base_url",
            "success_redirect_uri",
            "error_redirect_uri",
        ];
        for field in fields {
            assert!(answer.get(field).is_some(), "{field}");
        }
        // Asking uses nothing up, and an account names its app.
        let id = connect(&world, "u", "sim_rotating").await;
        assert_eq!(ask(&world, &token, &format!("?account_id={id}")).await["success"], true);
        assert_eq!(ask(&world, &token, "?app_id=sim_rotating").await["success"], true);
    }
}

#[tokio::test]
async fn bad_tokens_and_names_are_told_as_a_sentence() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let told = |answer: Value| {
            assert_eq!(answer["success"], false, "{answer}");
            answer["error"].as_str().unwrap().to_owned()
        };
        let unknown = format!("ctok_{}", "0".repeat(32));
        for token in [unknown.as_str(), "x"] {
            assert!(told(ask(&world, token, "?app_id=sim_rotating").await).contains("no such"));
        }
        let token = world.connect_token_with("u", json!({ "expires_in": 60 })).await;
        assert!(told(ask(&world, &token, "?app_id=nope").await).contains("no such app"));
        assert!(told(ask(&world, &token, "").await).contains("No app is named"));
        let answer = ask(&world, &token, "?app_id=sim_grace").await;
        assert_eq!(answer["app"]["name_slug"], "sim_grace");
        assert!(told(answer).contains("OAuth client"));
        let theirs = connect(&world, "somebody-else", "sim_rotating").await;
        told(ask(&world, &token, &format!("?account_id={theirs}")).await);
        world.app.clock.shift(61_000);
        assert!(told(ask(&world, &token, "?app_id=sim_rotating").await).contains("expired"));
    }
}
