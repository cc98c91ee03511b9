//! A flow belongs to one browser, one context and one window.

use serde_json::json;

use super::browser::{Browser, code_on, parameter, with_parameter};
use crate::world::{World, worlds};

/// A flow whose person has allowed the access, in `browser`; with the address that leads back.
async fn ready(browser: &Browser<'_>, app: &str) -> String {
    let token = browser.world.connect_token("u").await;
    let page = browser.page(&token, app).await;
    let started = page.start().await;
    browser.consent(&started).await
}

fn exchanges(world: &World) -> u64 {
    world.provider.counters("rotating").token_code
}

#[tokio::test]
async fn b_01_b_02_an_answer_at_another_clients_redirect_uri_is_refused() {
    for world in worlds().await {
        let ours = world.oauth_app("rotating").await;
        let other = world.oauth_app("grace").await;
        let browser = Browser::new(&world);
        let back = ready(&browser, "sim_rotating").await;
        for context in [other.id.as_str(), "oa_nobody", "x"] {
            let back = ready(&browser, "sim_rotating").await;
            let moved = back.replace(ours.id.as_str(), context);
            let reply = browser.visit(&moved).await;
            assert_eq!(
                (reply.status.as_u16(), code_on(&reply).as_str()),
                (400, "context_mismatch")
            );
            // The flow is over: its answer is of no use at the right place either.
            let reply = browser.visit(&back).await;
            assert_eq!(code_on(&reply), "state_invalid");
        }
        assert_eq!(exchanges(&world) + world.provider.counters("grace").token_code, 0);
        drop(back);
    }
}

#[tokio::test]
async fn b_02_another_projects_client_gets_no_code_of_ours() {
    use grantkeep::apps::{Edit, create_oauth_app};
    use grantkeep::projects::Settings;
    let world = World::sqlite(&[]).await;
    let ours = world.oauth_app("rotating").await;
    let attacker = world.another_project(Settings::default()).await;
    let edit = Edit { client_id: Some("attacker".to_owned()), ..Edit::default() };
    let theirs = create_oauth_app(&world.app, &attacker.id, "sim_rotating", edit).await.unwrap();
    let browser = Browser::new(&world);
    let back = ready(&browser, "sim_rotating").await;
    let reply = browser.visit(&back.replace(ours.id.as_str(), theirs.id.as_str())).await;
    assert_eq!(code_on(&reply), "context_mismatch");
    assert_eq!(exchanges(&world), 0);
}

#[tokio::test]
async fn b_03_the_cookie_of_another_flow_does_not_do() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let (one, two) = (Browser::new(&world), Browser::new(&world));
        let first = ready(&one, "sim_rotating").await;
        ready(&two, "sim_rotating").await;
        let reply = two.visit(&first).await;
        assert_eq!(
            (reply.status.as_u16(), code_on(&reply).as_str()),
            (400, "flow_not_started_here")
        );
        assert_eq!(exchanges(&world), 0);
        // The right browser can still finish.
        assert_eq!(one.visit(&first).await.status, 200);
    }
}

#[tokio::test]
async fn b_07_the_providers_address_is_of_no_use_in_another_browser() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let (attacker, victim) = (Browser::new(&world), Browser::new(&world));
        let token = world.connect_token("attacker").await;
        let page = attacker.page(&token, "sim_rotating").await;
        let provider = attacker.leave(&page.start().await).await;
        let back = world.provider.approve(&provider, "linus").unwrap();
        let reply = victim.visit(&back).await;
        assert_eq!(
            (reply.status.as_u16(), code_on(&reply).as_str()),
            (400, "flow_not_started_here")
        );
        assert_eq!(exchanges(&world), 0);
    }
}

#[tokio::test]
async fn b_07_the_cookie_is_set_after_the_click_and_only_then() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        assert!(page.reply.headers.get("set-cookie").is_none());
        let started = page.start().await;
        let window = browser.visit(&started.path).await;
        assert!(window.headers.get("set-cookie").is_none());
        let left = browser.submit(&started).await;
        let cookie = left.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.starts_with(&format!("cf-{}=", started.flow)), "{cookie}");
        for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
}

#[tokio::test]
async fn b_09_the_windows_address_holds_no_secret() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let started = page.start().await;
        assert!(!started.path.contains(&started.ticket));
        let victim = Browser::new(&world);
        let window = victim.visit(&started.path).await;
        assert!(!window.text.contains(&started.ticket));
        assert!(!window.text.contains("ctk_") && !window.text.contains("cps_"));
        assert_eq!(super::browser::boot(&window.text)["byLink"], false);
    }
}

#[tokio::test]
async fn b_09_a_ticket_is_good_once_and_for_a_minute() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let started = page.start().await;
        let refused = browser.post_ticket(&started.path, "ctk_wrong", "same-origin").await;
        assert_eq!((refused.status.as_u16(), code_on(&refused).as_str()), (403, "ticket_invalid"));
        browser.leave(&started).await;
        assert_eq!(browser.submit(&started).await.status, 403);
        let started = page.start().await;
        world.app.clock.shift(61_000);
        assert_eq!(browser.submit(&started).await.status, 403);
    }
}

#[tokio::test]
async fn row_34_other_sites_cannot_submit_a_ticket() {
    let world = World::sqlite(&[]).await;
    world.oauth_app("rotating").await;
    let token = world.connect_token("u").await;
    let browser = Browser::new(&world);
    let page = browser.page(&token, "sim_rotating").await;
    let started = page.start().await;
    for site in ["cross-site", "same-site", "none"] {
        let reply = browser.post_ticket(&started.path, &started.ticket, site).await;
        assert_eq!(reply.status, 403, "{site}");
        assert!(reply.headers.get("set-cookie").is_none());
    }
    // Without Fetch Metadata the origin must be ours.
    let url = format!("{}{}", world.url, started.path);
    let form = [("ticket", &started.ticket)];
    for origin in ["null", "https://evil.example"] {
        let reply = crate::world::read(world.http.post(&url).form(&form).header("origin", origin));
        assert_eq!(reply.await.status, 403, "{origin}");
    }
    let reply = crate::world::read(world.http.post(&url).form(&form).header("origin", &world.url));
    assert_eq!(reply.await.status, 303);
}

#[tokio::test]
async fn b_12_an_attackers_own_answer_is_refused_in_the_victims_browser() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let (attacker, victim) = (Browser::new(&world), Browser::new(&world));
        let token = world.connect_token("victim").await;
        let page = victim.page(&token, "sim_rotating").await;
        let started = page.start().await;
        let theirs = victim.leave(&started).await;
        let forged = ready(&attacker, "sim_rotating").await;
        // The attacker's whole address, and his code under the victim's state.
        assert_eq!(code_on(&victim.visit(&forged).await), "flow_not_started_here");
        let state = parameter(&theirs, "state").unwrap();
        let mixed = with_parameter(&forged, "state", Some(&state));
        let reply = victim.visit(&mixed).await;
        assert_eq!(reply.status, 200, "PKCE makes the provider refuse: {}", reply.text);
        assert_eq!(page.status(&started.flow).await["code"], "provider_refused");
        assert_eq!(world.count("select count(*) from accounts").await, 0);
    }
}

#[tokio::test]
async fn w_08_a_new_load_ends_the_older_page() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let older = browser.page(&token, "sim_rotating").await;
        let started = older.start().await;
        let gone_on = browser.consent(&started).await;
        let newer = browser.page(&token, "sim_rotating").await;
        let reply = older.call("start", json!({ "fields": {} })).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (410, "page_ended"));
        assert_eq!(older.status_reply(&started.flow).await.status, 410);
        assert_eq!(newer.status_reply(&started.flow).await.status, 404, "another page's flow");
        let reply = browser.visit(&gone_on).await;
        assert_eq!((reply.status.as_u16(), code_on(&reply).as_str()), (410, "page_ended"));
        assert_eq!(exchanges(&world), 0);
        let started = newer.start().await;
        browser.visit(&browser.consent(&started).await).await;
        assert_eq!(newer.status(&started.flow).await["state"], "done");
    }
}
