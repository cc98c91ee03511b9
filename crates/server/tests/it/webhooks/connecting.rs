//! What the address of a connect token is told, in the form that older clients know.

use serde_json::{Value, json};

use crate::connect::browser::{Browser, PERSON};
use crate::receiver::Receiver;
use crate::world::{World, worlds};

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

async fn token(world: &World, receiver: &Receiver) -> String {
    let uri = format!("{}?user=ada", receiver.url);
    world.connect_token_with("ada", json!({ "webhook_uri": uri })).await
}

#[tokio::test]
async fn a_connection_is_told_to_the_address_of_its_token() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        world.oauth_app("rotating").await;
        let token = token(&world, &receiver).await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let started = page.start().await;
        let back = browser.consent(&started).await;
        assert_eq!(browser.visit(&back).await.status, 200);
        // The text of the token is nowhere, neither while it waits nor after.
        for round in 0..2 {
            for table in ["connect_tokens", "webhook_deliveries", "webhook_endpoints"] {
                assert!(!world.dump(table).await.contains(&token), "{table} in {round}");
            }
            world.deliver().await;
        }
        let [post] = &receiver.posts()[..] else { panic!("{:?}", receiver.posts()) };
        assert_eq!(post.path, "/hook?user=ada");
        let body = post.json();
        assert_eq!(
            names(&body),
            ["account", "connect_session_id", "connect_token", "environment", "event"]
        );
        assert_eq!(body["event"], "CONNECTION_SUCCESS");
        assert_eq!(body["connect_token"], token);
        assert_eq!(body["environment"], "development");
        assert!(body["connect_session_id"].as_u64().unwrap() <= 1 << 53);
        let account = &body["account"];
        for name in ["id", "name", "external_id", "healthy", "dead", "created_at", "updated_at"] {
            assert!(!account[name].is_null(), "{name} in {account}");
        }
        assert_eq!(
            names(&account["app"]["connect"]),
            ["allowed_domains", "base_proxy_target_url", "proxy_enabled"]
        );
        assert!(!names(account).contains(&"credentials"));
        assert_eq!(account["binding"], "embedded");
        assert_ne!(post.header("webhook-signature"), "", "a key was made for it");
    }
}

#[tokio::test]
async fn row_40_a_no_is_told_with_the_text_that_the_person_sees() {
    for world in worlds().await {
        let (receiver, own) = (Receiver::start().await, Receiver::start().await);
        world.endpoint(&own.url).await;
        world.oauth_app("rotating").await;
        let token = token(&world, &receiver).await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let started = page.start().await;
        let away = browser.leave(&started).await;
        let back = world.provider.deny(&away, PERSON).unwrap();
        browser.visit(&back).await;
        let seen = page.status(&started.flow).await;
        world.deliver().await;
        let [post] = &receiver.posts()[..] else { panic!("{:?}", receiver.posts()) };
        let body = post.json();
        assert_eq!(
            names(&body),
            ["connect_session_id", "connect_token", "environment", "error", "event"]
        );
        assert_eq!(body["event"], "CONNECTION_ERROR");
        assert_eq!((&body["error"], &body["connect_token"]), (&seen["error"], &json!(token)));
        // The same news at the project's own endpoint, but for the token, which may still be good.
        let [other] = &own.posts()[..] else { panic!("{:?}", own.posts()) };
        assert_eq!(other.id(), post.id());
        let mut expected = body.clone();
        expected["connect_token"] = Value::Null;
        assert_eq!(other.json(), expected);
    }
}

#[tokio::test]
async fn keys_that_the_app_refuses_are_told_and_a_typing_error_is_not() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        let change = grantkeep::projects::Change {
            require_key_test: Some(true),
            ..grantkeep::projects::Change::default()
        };
        grantkeep::projects::update(&world.app, &world.project.id, change).await.unwrap();
        let token = token(&world, &receiver).await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_keys").await;
        for key in ["", "not-a-key", "sim_live_demo"] {
            page.call("account", json!({ "fields": { "api_key": key } })).await;
        }
        world.deliver().await;
        let mut kinds = super::kinds(&receiver);
        kinds.sort();
        assert_eq!(kinds, ["CONNECTION_ERROR", "CONNECTION_SUCCESS"]);
        let sessions: std::collections::BTreeSet<_> =
            receiver.posts().iter().map(|it| it.json()["connect_session_id"].as_u64()).collect();
        assert_eq!(sessions.len(), 1, "one token, one session");
    }
}

#[tokio::test]
async fn the_key_made_silently_is_the_one_that_is_shown_when_the_address_is_set() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        let made = token(&world, &receiver).await;
        let body = json!({ "app_slug": "sim_keys", "cfmap_json": "{\"api_key\":\"k-1\"}" });
        let path = "/v1/connect/accounts";
        world.call(reqwest::Method::POST, path, Some(&made), Some(body)).await;
        world.deliver().await;
        let post = &receiver.posts()[0];
        let webhook = world.path("/webhook");
        assert_eq!(world.get(&webhook).await.json(), json!({ "data": null }));
        assert_eq!(world.get(&world.path("/webhooks")).await.json(), json!({ "data": [] }));
        let wish = json!({ "url": "https://a.example/" });
        let set = world
            .call(reqwest::Method::PUT, &webhook, Some(&world.project.key), Some(wish))
            .await
            .json();
        let key = set["data"]["signing_key"].as_str().unwrap();
        let verifier = standardwebhooks::Webhook::new(key).unwrap();
        verifier.verify(&post.body, &post.headers).unwrap();
    }
}
