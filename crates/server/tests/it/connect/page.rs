//! When the page is shown, to whom, and with which headers.

use grantkeep::apps::{Edit, create_oauth_app};
use grantkeep::projects::{Change, Settings, update};
use serde_json::json;

use super::browser::{Browser, code_on, connect};
use crate::world::{PRODUCT_ORIGIN, World, read, worlds};

fn told(reply: &crate::world::Reply) -> (u16, String) {
    (reply.status.as_u16(), code_on(reply))
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn w_02_w_03_the_page_is_framed_by_the_tokens_origins_only() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let header = |name| page.reply.headers[name].to_str().unwrap().to_owned();
        let csp = header("content-security-policy");
        assert!(csp.ends_with(&format!("frame-ancestors {PRODUCT_ORIGIN}")), "{csp}");
        for part in ["object-src 'none'", "base-uri 'none'", "form-action 'self';", "'nonce-"] {
            assert!(csp.contains(part), "{part}: {csp}");
        }
        assert!(!csp.contains("unsafe"), "{csp}");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin-allow-popups");
        assert!(page.reply.headers.get("x-frame-options").is_none());
        assert_eq!(page.boot["targetOrigins"], json!([PRODUCT_ORIGIN]));
        let nonce = csp.split_once("'nonce-").unwrap().1.split_once('\'').unwrap().0;
        assert!(page.reply.text.contains(&format!("nonce=\"{nonce}\"")));
        let again = browser.page(&token, "sim_rotating").await;
        assert!(!again.reply.text.contains(nonce), "a nonce is used once");
    }
}

#[tokio::test]
async fn row_27_ended_and_unknown_tokens() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        let unknown = format!("ctok_{}", "0".repeat(32));
        for token in [unknown.as_str(), "ctok_0", "", "%00", &"a".repeat(5_000)] {
            let reply = browser.frame(token, "sim_rotating", "").await;
            assert_eq!(told(&reply), refused(404, "connect_token_unknown"), "{token}");
        }
        let token = world.connect_token_with("u", json!({ "expires_in": 60 })).await;
        world.app.clock.shift(61_000);
        let reply = browser.frame(&token, "sim_rotating", "").await;
        assert_eq!(told(&reply), refused(410, "connect_token_expired"));
        // Those who may frame the page may see why it is not there.
        let csp = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(csp.ends_with(&format!("frame-ancestors {PRODUCT_ORIGIN}")), "{csp}");
    }
}

#[tokio::test]
async fn row_29_a_page_for_a_frame_is_not_shown_on_top() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let url = format!("/_static/connect.html?token={token}&app=sim_rotating");
        let reply = read(browser.get(&url).header("sec-fetch-dest", "document")).await;
        assert_eq!(told(&reply), refused(403, "must_be_embedded"));
        // A browser that does not say is served, but proves nothing of the person.
        let page = browser.shown(read(browser.get(&url)).await);
        let started = page.start().await;
        browser.visit(&browser.consent(&started).await).await;
        let status = page.status(&started.flow).await;
        let path = world.path(&format!("/accounts/{}", status["account_id"].as_str().unwrap()));
        assert_eq!(world.get(&path).await.json()["binding"], "none");
    }
}

#[tokio::test]
async fn tokens_without_origins_need_the_projects_leave() {
    for world in worlds().await {
        let browser = Browser::new(&world);
        world.oauth_app("rotating").await;
        let body = json!({ "external_user_id": "u" });
        let token = world.post(&world.path("/tokens"), body.clone()).await.json();
        let reply = browser.frame(token["token"].as_str().unwrap(), "sim_rotating", "").await;
        assert_eq!(told(&reply), refused(403, "origins_missing"));
        let open = world.another_project(Settings::default().compatible()).await;
        let edit = Edit { client_id: Some("x".into()), ..Edit::default() };
        create_oauth_app(&world.app, &open.id, "sim_grace", edit).await.unwrap();
        let path = format!("/v1/connect/{}/tokens", open.id);
        let token = world.call(reqwest::Method::POST, &path, Some(&open.token), Some(body)).await;
        let token = token.json()["token"].as_str().unwrap().to_owned();
        let page = browser.shown(browser.frame(&token, "sim_grace", "").await);
        let csp = page.reply.headers["content-security-policy"].to_str().unwrap();
        assert!(csp.ends_with("frame-ancestors *"), "{csp}");
    }
}

#[tokio::test]
async fn rows_31_to_33_what_is_not_yours_does_not_exist() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let browser = Browser::new(&world);
        let token = world.connect_token("u").await;
        let long = "a".repeat(3_000);
        for app in ["nope", "..%2F..%2Fetc%2Fpasswd", "%00", &long] {
            let reply = browser.frame(&token, app, "").await;
            assert_eq!(told(&reply), refused(404, "app_not_found"), "{app}");
        }
        let other = world.another_project(Settings::default()).await;
        let edit = Edit { client_id: Some("y".into()), ..Edit::default() };
        let foreign = create_oauth_app(&world.app, &other.id, "sim_rotating", edit).await.unwrap();
        let others_account = connect(&world, "somebody-else", "sim_rotating").await;
        let page = |more: String| {
            let (browser, token) = (&browser, &token);
            async move {
                let reply = browser.frame(token, "sim_rotating", &more).await;
                let (_, body) = reply.text.split_once("<body").unwrap();
                (told(&reply), body.to_owned())
            }
        };
        let random = page("&oauthAppId=oa_AAAAAAAAAAAAAA".into()).await;
        assert_eq!(random.0, refused(404, "not_found"));
        assert_eq!(page(format!("&oauthAppId={}", foreign.id)).await, random);
        let gone = page("&accountId=apn_AAAAAAAAAAAAAA".into()).await;
        assert_eq!(gone.0, refused(404, "not_found"));
        assert!(gone.1.contains("The account that was to be reconnected is gone"), "{}", gone.1);
        assert_eq!(page(format!("&accountId={others_account}")).await, gone);
    }
}

#[tokio::test]
async fn a_token_for_one_app_opens_no_other() {
    let world = World::sqlite(&[]).await;
    world.oauth_app("rotating").await;
    world.oauth_app("grace").await;
    let token = world.connect_token_with("u", json!({ "app_id": "sim_grace" })).await;
    let browser = Browser::new(&world);
    assert_eq!(browser.frame(&token, "sim_rotating", "").await.status, 404);
    let reply = browser.frame(&token, "", "").await;
    assert!(browser.shown(reply).reply.text.contains("Tidepool Files"));
}

#[tokio::test]
async fn an_app_without_a_client_says_who_can_help() {
    for world in worlds().await {
        let token = world.connect_token("u").await;
        let reply = Browser::new(&world).frame(&token, "sim_rotating", "").await;
        assert_eq!(told(&reply), refused(400, "oauth_client_missing"));
        assert!(reply.text.contains("support of Acme"), "{}", reply.text);
        assert!(reply.text.contains("mailto:help@acme.example"), "{}", reply.text);
    }
}

#[tokio::test]
async fn the_page_says_what_is_asked_in_words() {
    let world = World::sqlite(&[]).await;
    world.oauth_app("rotating").await;
    let token = world.connect_token("u").await;
    let browser = Browser::new(&world);
    let page = browser.page(&token, "sim_rotating").await;
    let app = world.app.catalog.get("sim_rotating").unwrap();
    let scopes = &app.oauth2().unwrap().scopes;
    let words: Vec<&String> = scopes
        .asked()
        .iter()
        .filter_map(|it| scopes.words.get(*it))
        .filter(|it| !it.is_empty())
        .collect();
    assert!(!words.is_empty());
    for text in words {
        assert!(page.reply.text.contains(text.as_str()), "{text}");
    }
    assert!(page.reply.text.len() < 20_000, "{} bytes", page.reply.text.len());
}

#[tokio::test]
async fn the_products_addresses_stand_at_the_foot() {
    for world in worlds().await {
        let (privacy, terms) = ("https://acme.example/privacy", "https://acme.example/terms");
        let settings = Settings {
            privacy_url: Some(privacy.to_owned()),
            terms_url: Some(terms.to_owned()),
            ..Settings::default()
        };
        let change = Change { settings: Some(settings), ..Change::default() };
        update(&world.app, &world.project.id, change).await.unwrap();
        let token = world.connect_token("u").await;
        let page = Browser::new(&world).page(&token, "sim_keys").await.reply.text;
        let (_, foot) = page.split_once(r#"class="foot""#).unwrap();
        for (url, word) in [(privacy, "Privacy"), (terms, "Terms")] {
            assert!(foot.contains(&format!("href=\"{url}\"")) && foot.contains(word), "{foot}");
        }
    }
}

#[tokio::test]
async fn a_window_has_a_page_before_its_flow_begins() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let window = browser.visit(page.boot["window"].as_str().unwrap()).await;
        assert_eq!(window.status, 200);
        assert!(window.text.contains("go back to <bdi>Acme</bdi>"), "{}", window.text);
        assert_eq!(window.headers["x-frame-options"], "DENY");
        assert_eq!(browser.visit("/connect/window/proj_AAAAAAA").await.status, 404);
    }
}

#[tokio::test]
async fn a_page_and_all_that_it_loads_weigh_less_than_50_kb() {
    let world = World::sqlite(&[]).await;
    world.oauth_app("rotating").await;
    world.oauth_app("tenant").await;
    let token = world.connect_token("u").await;
    let browser = Browser::new(&world);
    for app in ["", "sim_rotating", "sim_tenant", "twilio"] {
        let page = browser.page(&token, app).await;
        let mut bytes = page.reply.text.len();
        let paths = page.reply.text.split('"').filter(|it| it.starts_with("/_static/connect"));
        for path in paths {
            bytes += browser.visit(path).await.text.len();
        }
        assert!(bytes < 50_000, "{app}: {bytes} bytes");
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_their_hash() {
    let world = World::sqlite(&[]).await;
    world.oauth_app("rotating").await;
    let token = world.connect_token("u").await;
    let browser = Browser::new(&world);
    let page = browser.page(&token, "sim_rotating").await;
    for (kind, mark) in [
        ("text/css", "href=\"/_static/connect.css"),
        ("text/javascript", "src=\"/_static/connect.js"),
    ] {
        let at = page.reply.text.find(mark).unwrap();
        let path = page.reply.text[at..].split('"').nth(1).unwrap();
        let reply = browser.visit(path).await;
        assert_eq!(reply.status, 200);
        assert!(reply.headers["content-type"].to_str().unwrap().starts_with(kind));
        assert!(reply.headers["cache-control"].to_str().unwrap().contains("immutable"));
        let old = browser.visit(path.split('?').next().unwrap()).await;
        assert!(!old.headers["cache-control"].to_str().unwrap().contains("immutable"));
    }
}

#[tokio::test]
async fn w_11_icons_are_pictures_and_nothing_else() {
    let world = World::sqlite(&[]).await;
    let browser = Browser::new(&world);
    for slug in ["github", "sim_rotating"] {
        let reply = browser.visit(&format!("/_static/apps/{slug}.svg")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(reply.headers["content-type"], "image/svg+xml");
        assert!(reply.headers["content-security-policy"].to_str().unwrap().contains("sandbox"));
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
        assert!(reply.text.starts_with("<svg"), "{}", reply.text);
    }
    // The path knows no project, so an app of some project's own has a tile too.
    let tile = browser.visit("/_static/apps/nope.svg").await;
    assert!(tile.status == 200 && tile.text.contains(">N<"), "{tile:?}");
    assert_eq!(browser.visit("/_static/apps/No%20pe.svg").await.status, 404);
    assert_eq!(browser.visit("/_static/apps/github").await.status, 404);
}

#[tokio::test]
async fn the_pages_calls_take_the_pages_secret_only() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let flow = page.start().await.flow;
        let url = format!("/connect/session/status?flow={flow}");
        for bearer in [token.as_str(), &world.project.token, "cps_wrong", ""] {
            let reply = read(browser.get(&url).bearer_auth(bearer)).await;
            assert_eq!(reply.status, 401, "{bearer}");
        }
        assert_eq!(page.status_reply("fl_AAAAAAAAAAAAAA").await.status, 404);
        assert_eq!(page.call("cancel", json!({ "flow": flow })).await.status, 204);
        assert_eq!(page.status(&flow).await["code"], "cancelled");
    }
}

#[tokio::test]
async fn a_page_cannot_fill_the_audit_log() {
    let world = World::sqlite(&[]).await;
    world.oauth_app("rotating").await;
    let token = world.connect_token("u").await;
    let browser = Browser::new(&world);
    let page = browser.page(&token, "sim_rotating").await;
    for _ in 0..100 {
        assert_eq!(page.call("event", json!({ "event": "closed" })).await.status, 204);
    }
    assert_eq!(page.call("event", json!({ "event": "closed" })).await.status, 429);
}

#[tokio::test]
async fn ended_sessions_are_forgotten_after_a_while() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        browser.page(&token, "sim_rotating").await.start().await;
        browser.page(&token, "sim_rotating").await.start().await;
        grantkeep::connect::forget_ended(&world.app).await.unwrap();
        assert_eq!(world.count("select count(*) from connect_sessions").await, 2);
        world.app.clock.shift(61 * 60_000);
        grantkeep::connect::forget_ended(&world.app).await.unwrap();
        assert_eq!(world.count("select count(*) from connect_sessions").await, 1);
        assert_eq!(world.count("select count(*) from connect_flows").await, 1);
    }
}
