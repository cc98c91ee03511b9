//! Connecting by a link in a browser without scripts.

use grantkeep::projects::{Change, Settings, update};
use serde_json::json;

use super::browser::{Browser, Page, code_on};
use crate::world::{Reply, World, worlds};

const DONE: &str = "https://product.example/done";

async fn allow_links(world: &World) {
    let settings = Settings {
        allow_unverified_links: true,
        redirect_uris: vec![DONE.to_owned()],
        ..Settings::default()
    };
    let change =
        Change { settings: Some(settings), require_key_test: Some(true), ..Change::default() };
    update(&world.app, &world.project.id, change).await.unwrap();
}

#[tokio::test]
async fn a_refused_form_comes_back_with_what_was_typed_but_its_secrets() {
    for world in worlds().await {
        allow_links(&world).await;
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let list = browser.shown(browser.link(&token, "", "").await);
        let page = list.choose("sim_basic").await;
        let reply = send(&page, "No Such", "hunter2").await;
        assert_eq!(reply.status, 400, "{}", reply.text);
        assert!(reply.text.contains("value=\"No Such\""));
        assert!(
            reply.text.contains("value=\"ada\"") && reply.text.contains("aria-invalid=\"true\"")
        );
        assert!(reply.text.contains("Workspace does not look right."), "{}", reply.text);
        assert!(!reply.text.contains("hunter2"));
        assert!(reply.text.contains("name=\"q\" value=\"cob\""), "the way back is kept");
        let reply = send(&page, "acme", "hunter2").await;
        assert!(reply.text.contains("did not accept this"), "{}", reply.text);
        assert!(!reply.text.contains("hunter2"));
        let reply = send(&page, "acme", "pretend").await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert!(reply.text.contains("is connected"), "{}", reply.text);
        let accounts = world.get(&world.path("/accounts")).await.json();
        assert_eq!(accounts["data"][0]["app"]["name_slug"], "sim_basic");
        assert_eq!(accounts["data"][0]["binding"], "none");
    }
}

/// The form of `sim_basic`, by somebody who came from the list.
async fn send(page: &Page<'_>, workspace: &str, password: &str) -> Reply {
    let came = [("do", "form"), ("listed", "true"), ("q", "cob")];
    let typed = [("f-workspace", workspace), ("f-username", "ada"), ("f-password", password)];
    page.form(&[came, typed].concat()).await
}

#[tokio::test]
async fn a_sign_in_is_begun_by_a_form_alone() {
    for world in worlds().await {
        allow_links(&world).await;
        world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        let more = json!({ "success_redirect_uri": DONE });
        let token = world.connect_token_with("u", more).await;
        let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
        let left = page.form(&[("do", "form")]).await;
        assert_eq!(left.status, 303, "{}", left.text);
        let provider = left.headers["location"].to_str().unwrap();
        let back = browser.visit(&world.provider.approve(provider, "ada").unwrap()).await;
        assert_eq!(
            (back.status.as_u16(), &back.headers["location"]),
            (303, &DONE.parse().unwrap())
        );
        assert_eq!(world.count("select count(*) from accounts").await, 1);
        let again = page.form(&[("do", "form")]).await;
        assert_eq!(code_on(&again), "connect_token_used");
    }
}

#[tokio::test]
async fn in_a_frame_no_form_leaves_without_the_script() {
    let world = World::sqlite(&[]).await;
    world.oauth_app("rotating").await;
    let browser = Browser::new(&world);
    let page = browser.page(&world.connect_token("u").await, "sim_rotating").await;
    assert!(!page.reply.text.contains("action=\"/connect/page\""));
    assert_eq!(code_on(&page.form(&[("do", "form")]).await), "invalid_request");
}
