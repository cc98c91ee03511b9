//! How much the person allows.

use reqwest::Method;
use serde_json::json;

use super::browser::{Browser, Page, parameter};
use crate::world::{World, worlds};

async fn let_choose(world: &World) {
    let path = format!("/v1/connect/projects/{}", world.project.id);
    let body = json!({ "scope_choice": true });
    let reply = world.call(Method::PATCH, &path, Some(&world.project.token), Some(body)).await;
    assert_eq!(reply.json()["scope_choice"], true, "{}", reply.text);
    let other = json!({ "app_name": "Acme" });
    let reply = world.call(Method::PATCH, &path, Some(&world.project.token), Some(other)).await;
    assert_eq!(reply.json()["scope_choice"], true, "what is not named stays");
}

/// What the app is asked for.
async fn asked(browser: &Browser<'_>, page: &Page<'_>, profile: Option<&str>) -> usize {
    let body = json!({ "fields": {}, "scope_profile": profile });
    let started = Page::started(&page.call("start", body).await);
    let url = browser.leave(&started).await;
    parameter(&url, "scope").unwrap().split_whitespace().count()
}

#[tokio::test]
async fn the_person_chooses_where_the_project_lets_him() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let page = browser.page(&token, "sim_rotating").await;
        assert!(!page.reply.text.contains("name=\"profile\""));
        let all = asked(&browser, &page, None).await;
        assert_eq!(asked(&browser, &page, Some("read_only")).await, all, "not his to choose");

        let_choose(&world).await;
        let page = browser.page(&token, "sim_rotating").await;
        let text = &page.reply.text;
        assert_eq!(text.matches("name=\"profile\"").count(), 2, "{text}");
        assert!(text.contains("value=\"read_write\" checked"), "the default is what is asked");
        assert!(asked(&browser, &page, Some("read_only")).await < all);
        assert_eq!(asked(&browser, &page, Some("read_write")).await, all);
        assert_eq!(asked(&browser, &page, Some("everything")).await, all, "no such measure");
        assert_eq!(asked(&browser, &page, None).await, all);

        let reply = browser.frame(&token, "sim_rotating", "&oauthScopeProfile=read_only").await;
        let page = browser.shown(reply);
        assert!(page.reply.text.contains("value=\"read_only\" checked"), "{}", page.reply.text);
        assert!(asked(&browser, &page, None).await < all);
    }
}

#[tokio::test]
async fn a_token_leaves_the_choice_to_its_user() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        let wish = json!({ "allow_progressive_scopes": true });
        let token = world.connect_token_with("u", wish).await;
        let page = browser.page(&token, "sim_rotating").await;
        assert_eq!(page.reply.text.matches("name=\"profile\"").count(), 2);
        let all = asked(&browser, &page, None).await;
        assert!(asked(&browser, &page, Some("read_only")).await < all);
    }
}

#[tokio::test]
async fn a_choice_of_one_is_none() {
    let world = World::sqlite(&[]).await;
    let_choose(&world).await;
    let client = world.oauth_app("rotating").await;
    let app = world.app.catalog.get("sim_rotating").unwrap();
    let own = app.oauth2().unwrap().scopes.profile("read_only").unwrap();
    let own = own.into_iter().map(str::to_owned).collect();
    let edit = grantkeep::apps::Edit { scopes: Some(own), ..Default::default() };
    grantkeep::apps::update_oauth_app(&world.app, &world.project.id, client.id.as_str(), edit)
        .await
        .unwrap();
    let browser = Browser::new(&world);
    let page = browser.page(&world.connect_token("u").await, "sim_rotating").await;
    assert!(!page.reply.text.contains("name=\"profile\""), "the client allows to read only");
}
