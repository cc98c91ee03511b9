//! Connect links: a page of its own, for projects that allow it.

use grantkeep::projects::{Change, Settings, update};
use serde_json::{Value, json};

use super::browser::{Browser, code_on};
use crate::world::{Reply, World, read, worlds};

const SUCCESS: &str = "https://product.example/done?from=grantkeep";
const FAILURE: &str = "https://product.example/failed";

async fn allow_links(world: &World) {
    let settings = Settings {
        allow_unverified_links: true,
        redirect_uris: vec![SUCCESS.to_owned(), FAILURE.to_owned()],
        ..Settings::default()
    };
    let change = Change { settings: Some(settings), ..Change::default() };
    update(&world.app, &world.project.id, change).await.unwrap();
}

fn redirects() -> Value {
    json!({ "success_redirect_uri": SUCCESS, "error_redirect_uri": FAILURE })
}

#[tokio::test]
async fn links_need_the_projects_leave() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let reply = Browser::new(&world).link(&token, "sim_rotating", "").await;
        assert_eq!((reply.status.as_u16(), code_on(&reply).as_str()), (403, "links_off"));
        assert_eq!(reply.headers["x-frame-options"], "DENY");
    }
}

#[tokio::test]
async fn f_11_a_link_ends_at_the_products_own_addresses() {
    for world in worlds().await {
        allow_links(&world).await;
        world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        let token = world.connect_token_with("u", redirects()).await;
        let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
        let csp = page.reply.headers["content-security-policy"].to_str().unwrap();
        assert!(csp.ends_with("frame-ancestors 'none'"), "{csp}");
        assert_eq!(page.boot["mode"], "link");
        let started = page.start().await;
        let provider = browser.leave(&started).await;
        let denied = browser.visit(&world.provider.deny(&provider, "ada").unwrap()).await;
        assert_eq!(
            (denied.status.as_u16(), &denied.headers["location"]),
            (303, &FAILURE.parse().unwrap())
        );

        let started = page.start().await;
        let back = browser.consent(&started).await;
        let reply =
            browser.visit(&format!("{back}&success_redirect_uri=https://evil.example")).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["location"]),
            (303, &SUCCESS.parse().unwrap())
        );
        let id = page.status(&started.flow).await["account_id"].as_str().unwrap().to_owned();
        let account = world.get(&world.path(&format!("/accounts/{id}"))).await.json();
        assert_eq!(account["binding"], "none", "{account}");
    }
}

#[tokio::test]
async fn b_10_an_open_link_names_who_receives_the_access() {
    for world in worlds().await {
        allow_links(&world).await;
        world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        let shown = |reply: Reply| {
            let (_, rest) = reply.text.split_once(r#"class="receiver""#).unwrap();
            rest.split_once("</div>").unwrap().0.to_owned()
        };
        let token = world.connect_token("user-<1>").await;
        let block = shown(browser.link(&token, "sim_rotating", "").await);
        assert!(block.contains("user-&#60;1&#62;") && block.contains("Acme"), "{block}");
        let more = json!({ "external_user_name": "Mallory Example" });
        let token = world.connect_token_with("user-1", more).await;
        let block = shown(browser.link(&token, "sim_keys", "").await);
        assert!(block.contains("Mallory Example") && !block.contains("user-1"), "{block}");
        // In the product's own frame the person has not been sent there by somebody else.
        let framed = browser.frame(&token, "sim_rotating", "").await;
        assert!(!framed.text.contains(r#"class="receiver""#));
        for bad in ["", " ", "a\nb", "\u{202e}b", &"x".repeat(121)] {
            let body = json!({ "external_user_id": "u", "external_user_name": bad });
            let reply = world.post(&world.path("/tokens"), body).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_field"));
            assert_eq!(reply.json()["details"]["field"], "external_user_name");
        }
    }
}

#[tokio::test]
async fn b_10_an_open_links_token_lives_a_quarter_of_an_hour() {
    for world in worlds().await {
        let cases = [
            (Settings::default(), 900),
            (Settings { allow_unverified_links: true, ..Settings::default() }, 900),
            (Settings::default().compatible(), 14_400),
            (Settings::default().compatible().strict(), 900),
        ];
        for (settings, life_s) in cases {
            let change = Change { settings: Some(settings), ..Change::default() };
            update(&world.app, &world.project.id, change).await.unwrap();
            let token = world.connect_token("u").await;
            let found = grantkeep::tokens::find(&world.app, &token).await.unwrap().unwrap();
            assert_eq!(found.expires_at_ms - found.created_at_ms, life_s * 1_000);
        }
    }
}

#[tokio::test]
async fn without_redirects_a_page_of_ours_tells_the_end() {
    for world in worlds().await {
        allow_links(&world).await;
        world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
        let reply = browser.visit(&browser.consent(&page.start().await).await).await;
        assert_eq!(reply.status, 200);
        assert!(reply.text.contains("is connected"), "{}", reply.text);
        assert_eq!(super::browser::boot(&reply.text)["popup"], false);
    }
}

#[tokio::test]
async fn row_28_a_link_that_was_begun_belongs_to_its_browser() {
    for world in worlds().await {
        allow_links(&world).await;
        world.oauth_app("rotating").await;
        let (one, two) = (Browser::new(&world), Browser::new(&world));
        let token = world.connect_token("u").await;
        // A look alone, such as a chat program's preview, takes nothing.
        two.shown(two.link(&token, "sim_rotating", "").await);
        let page = one.shown(one.link(&token, "sim_rotating", "").await);
        one.leave(&page.start().await).await;
        let reply = two.link(&token, "sim_rotating", "").await;
        assert_eq!((reply.status.as_u16(), code_on(&reply).as_str()), (410, "connect_token_used"));
        one.shown(one.link(&token, "sim_rotating", "").await);
    }
}

#[tokio::test]
async fn a_window_that_lost_its_page_goes_on_by_a_link_only_where_links_are_allowed() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let page = browser.page(&token, "sim_rotating").await;
        let started = page.start().await;
        let body = json!({ "flow": started.flow });
        let reply = page.call("link", body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (403, "links_off"));

        allow_links(&world).await;
        let reply = page.call("link", body.clone()).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let window = browser.visit(&started.path).await;
        assert_eq!(super::browser::boot(&window.text)["byLink"], true);
        assert_eq!(browser.submit(&started).await.status, 403, "the first ticket is void");
        let ticket = reply.json()["ticket"].as_str().unwrap().to_owned();
        let loose = super::browser::Started { ticket, ..started.clone() };
        browser.visit(&browser.consent(&loose).await).await;
        let id = page.status(&started.flow).await["account_id"].as_str().unwrap().to_owned();
        let account = world.get(&world.path(&format!("/accounts/{id}"))).await.json();
        assert_eq!(account["binding"], "none");
        assert_eq!(page.call("link", body).await.status, 410, "the token is used up");
    }
}

#[tokio::test]
async fn b_10_a_windows_link_names_who_receives_the_access_and_is_its_first_browsers() {
    for world in worlds().await {
        allow_links(&world).await;
        world.oauth_app("rotating").await;
        let (one, two) = (Browser::new(&world), Browser::new(&world));
        let more = json!({ "external_user_name": "Mallory <1>" });
        let token = world.connect_token_with("mallory", more).await;
        let page = one.page(&token, "sim_rotating").await;
        let proved = page.start().await;
        let window = one.visit(&proved.path).await.text;
        assert!(!window.contains(r#"class="receiver""#), "a frame of the product proved him");

        let loosened = page.call("link", json!({ "flow": proved.flow })).await;
        let window = two.visit(&proved.path).await.text;
        let (_, block) = window.split_once(r#"class="receiver""#).unwrap();
        assert!(block.contains("Mallory &#60;1&#62;") && block.contains("Acme"), "{block}");
        assert!(block.contains("Continue to Lumen Chat"), "{block}");
        let by_link = async |browser: &Browser<'_>, reply: &Reply| {
            let started = super::browser::Page::started(reply);
            let url = format!("{}{}", world.url, started.path);
            let post = browser.http.post(url).form(&[("ticket", &*started.ticket), ("by", "link")]);
            read(post.header("sec-fetch-site", "same-origin")).await
        };
        assert_eq!(by_link(&two, &loosened).await.status, 303);
        // The next link of the same token is for that browser too.
        let next = page.start().await;
        let loosened = page.call("link", json!({ "flow": next.flow })).await;
        let refused = by_link(&one, &loosened).await;
        assert_eq!(
            (refused.status.as_u16(), code_on(&refused).as_str()),
            (410, "connect_token_used")
        );
        assert_eq!(by_link(&two, &loosened).await.status, 303);
    }
}

#[tokio::test]
async fn an_ended_link_leads_back_to_the_product() {
    for world in worlds().await {
        allow_links(&world).await;
        world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        let back = format!("href=\"{FAILURE}\"");
        let mut more = redirects();
        more["expires_in"] = json!(60);
        let token = world.connect_token_with("u", more).await;
        let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
        world.app.clock.shift(61_000);
        let late = page.call("start", json!({ "fields": {} })).await.json();
        assert_eq!(late["code"], "connect_token_expired");
        let text = late["error"].as_str().unwrap();
        assert!(text.contains("open for too long") && text.contains("Go back to Acme"), "{text}");
        let reply = browser.link(&token, "sim_rotating", "").await;
        assert_eq!(code_on(&reply), "connect_token_expired");
        assert!(reply.text.contains("This link has expired"), "{}", reply.text);
        assert!(reply.text.contains(&back), "{}", reply.text);
        // In a frame nobody has seen a link, and the product is around it.
        let framed = browser.frame(&token, "sim_rotating", "").await.text;
        assert!(framed.contains("This page has expired") && !framed.contains(&back), "{framed}");
        let token = world.connect_token_with("u", json!({ "expires_in": 60 })).await;
        world.app.clock.shift(61_000);
        assert!(!browser.link(&token, "sim_rotating", "").await.text.contains("href=\"https:"));
    }
}

#[tokio::test]
async fn a_result_can_be_loaded_again_at_its_own_address() {
    for world in worlds().await {
        allow_links(&world).await;
        world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        for deny in [false, true] {
            let token = world.connect_token("u").await;
            let page = browser.shown(browser.link(&token, "sim_rotating", "").await);
            let started = page.start().await;
            let provider = browser.leave(&started).await;
            let back = if deny {
                world.provider.deny(&provider, "ada").unwrap()
            } else {
                world.provider.approve(&provider, "ada").unwrap()
            };
            let reply = browser.visit(&back).await;
            assert_eq!(super::browser::boot(&reply.text)["flow"], started.flow.as_str());
            let other = Browser::new(&world);
            let again = other.visit(&format!("/connect/result/{}", started.flow)).await;
            assert_eq!(again.status, 200, "{}", again.text);
            let words = if deny { "is not connected" } else { "is connected" };
            assert!(reply.text.contains(words) && again.text.contains(words), "{}", again.text);
        }
    }
}
