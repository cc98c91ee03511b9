//! Apps that are connected with keys.

use grantkeep::projects::{Change, update};
use grantkeep_simulator::{Endpoint, Fault, Times};
use serde_json::json;

use super::browser::{Browser, code_on};
use crate::world::{World, worlds};

async fn ask_for_tests(world: &World) {
    let change = Change { require_key_test: Some(true), ..Change::default() };
    update(&world.app, &world.project.id, change).await.unwrap();
}

#[tokio::test]
async fn a_key_is_tried_out_and_kept() {
    for world in worlds().await {
        ask_for_tests(&world).await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_keys").await;
        assert!(page.reply.text.contains(r#"name="f-api_key""#), "{}", page.reply.text);
        assert!(page.reply.text.contains(r#"type="password""#));
        assert_eq!(page.boot["kind"], "keys");
        let send = |key: &str| page.call("account", json!({ "fields": { "api_key": key } }));

        let reply = send("not-a-key").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "credentials_refused"));
        for bad in ["", "a\nb", &"x".repeat(20_000)] {
            let reply = send(bad).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_field"));
            assert_eq!(reply.json()["details"]["field"], "api_key");
        }
        let down = Fault::Status { status: 503, retry_after_s: None };
        world.provider.fault("keys", Endpoint::Verify, down, Times::Next(1));
        assert_eq!(send("sim_live_demo").await.code(), "provider_unavailable");

        let reply = send("sim_live_demo").await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert!(!reply.text.contains("sim_live_demo"));
        let id = reply.json()["account_id"].as_str().unwrap().to_owned();
        let account = world.get(&world.path(&format!("/accounts/{id}"))).await.json();
        assert_eq!(account["app"]["name_slug"], "sim_keys");
        assert_eq!(account["binding"], "embedded");
        assert!(account["name"].is_string(), "{account}");
        // Its answer was lost, and the person presses again.
        let again = send("sim_live_demo").await;
        assert_eq!((again.status.as_u16(), again.text), (200, reply.text));
        assert_eq!(world.count("select count(*) from accounts").await, 1);
        let elsewhere = browser.frame(&token, "sim_keys", "").await;
        assert_eq!(code_on(&elsewhere), "connect_token_used", "another page gets nothing");
    }
}

#[tokio::test]
async fn without_the_projects_wish_nothing_is_tried_out_first() {
    for world in worlds().await {
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_keys").await;
        let body = json!({ "fields": { "api_key": "whatever" }, "name": "My key" });
        let reply = page.call("account", body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(reply.json()["account_name"], "My key");
    }
}

#[tokio::test]
async fn user_and_password_apps_ask_for_both() {
    let world = World::sqlite(&[]).await;
    ask_for_tests(&world).await;
    let token = world.connect_token("u").await;
    let browser = Browser::new(&world);
    let page = browser.page(&token, "sim_basic").await;
    let fields = json!({ "workspace": "acme", "username": "ada" });
    let reply = page.call("account", json!({ "fields": fields })).await;
    assert_eq!(reply.json()["details"]["field"], "password", "{}", reply.text);
    let fields = json!({ "workspace": "acme", "username": "ada", "password": "wrong" });
    assert_eq!(
        page.call("account", json!({ "fields": fields })).await.code(),
        "credentials_refused"
    );
    let fields = json!({ "workspace": "acme", "username": "ada", "password": "pretend" });
    assert_eq!(page.call("account", json!({ "fields": fields })).await.status, 200);
}

#[tokio::test]
async fn a_form_is_not_taken_for_an_oauth_app_nor_a_click_for_a_key_app() {
    let world = World::sqlite(&[]).await;
    world.oauth_app("rotating").await;
    let browser = Browser::new(&world);
    let token = world.connect_token("u").await;
    let page = browser.page(&token, "sim_rotating").await;
    assert_eq!(page.call("account", json!({ "fields": {} })).await.status, 400);
    let page = browser.page(&token, "sim_keys").await;
    assert_eq!(page.call("start", json!({ "fields": {} })).await.status, 400);
}

#[tokio::test]
async fn whoever_reconnects_finds_what_he_typed_but_for_secrets() {
    for world in worlds().await {
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let page = browser.page(&token, "sim_basic").await;
        let fields = json!({ "workspace": "globex", "username": "ada", "password": "pretend" });
        let reply = page.call("account", json!({ "fields": fields })).await;
        let id = reply.json()["account_id"].as_str().unwrap().to_owned();
        let token = world.connect_token("u").await;
        let again = browser.frame(&token, "sim_basic", &format!("&accountId={id}")).await;
        assert_eq!(again.status, 200, "{}", again.text);
        for value in ["globex", "ada"] {
            assert!(again.text.contains(&format!("value=\"{value}\"")), "{}", again.text);
        }
        assert!(!again.text.contains("pretend\""), "{}", again.text);
        // Somebody else's account is not there, so nothing of it is shown.
        let other = world.connect_token("v").await;
        let foreign = browser.frame(&other, "sim_basic", &format!("&accountId={id}")).await;
        assert_eq!(foreign.status, 404, "{}", foreign.text);
        assert!(!foreign.text.contains("globex"));
    }
}
