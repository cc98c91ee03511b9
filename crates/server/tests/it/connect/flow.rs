//! The whole way, for every kind of provider.

use serde_json::json;

use super::browser::{Browser, connect, parameter};
use crate::world::{World, worlds};

#[tokio::test]
async fn a_person_connects_an_account() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("ada-17").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        assert!(page.reply.text.contains("Lumen Chat"), "{}", page.reply.text);
        assert!(page.reply.text.contains("Acme"));
        let started = page.start().await;
        assert_eq!(page.status(&started.flow).await["state"], "waiting");
        let window = browser.visit(&started.path).await;
        assert_eq!(window.status, 200);
        assert_eq!(page.status(&started.flow).await["state"], "opened");
        let provider = browser.leave(&started).await;
        assert_eq!(page.status(&started.flow).await["state"], "authorizing");
        let back = world.provider.approve(&provider, "ada").unwrap();
        let reply = browser.visit(&back).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert!(reply.text.contains("is connected"), "{}", reply.text);

        let status = page.status(&started.flow).await;
        assert_eq!(status["state"], "done", "{status}");
        assert!(status["account_name"].as_str().unwrap().contains("ada"), "{status}");
        let id = status["account_id"].as_str().unwrap();
        let account = world.get(&world.path(&format!("/accounts/{id}"))).await.json();
        assert_eq!(account["external_id"], "ada-17", "{account}");
        assert_eq!(account["app"]["name_slug"], "sim_rotating");
        assert_eq!(account["binding"], "embedded");
        assert_eq!(account["healthy"], true);
        assert_eq!(world.provider.counters("rotating").token_code_ok, 1);
    }
}

#[tokio::test]
async fn every_oauth_provider_of_the_simulator_can_be_connected() {
    for world in worlds().await {
        for provider in ["rotating", "grace", "static", "short", "quirky", "encoded", "oauth1"] {
            world.oauth_app(provider).await;
            let id = connect(&world, "u", &format!("sim_{provider}")).await;
            assert!(id.starts_with("apn_"), "{provider}: {id}");
        }
    }
}

#[tokio::test]
async fn fields_asked_before_build_the_address() {
    for world in worlds().await {
        world.oauth_app("tenant").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_tenant").await;
        assert!(page.reply.text.contains(r#"name="f-workspace""#), "{}", page.reply.text);
        for bad in ["evil.com/", "a.b@evil", "127.0.0.1", "", &"a".repeat(64)] {
            let reply = page.call("start", json!({ "fields": { "workspace": bad } })).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_field"));
            assert_eq!(reply.json()["details"]["field"], "workspace");
        }
        let started = page.start_with(json!({ "workspace": "acme" })).await;
        let provider = browser.leave(&started).await;
        assert!(provider.contains("/w/acme/authorize"), "{provider}");
        let back = world.provider.approve(&provider, "grace").unwrap();
        browser.visit(&back).await;
        assert_eq!(page.status(&started.flow).await["state"], "done");
    }
}

#[tokio::test]
async fn f_01_states_are_fresh_and_long() {
    let world = World::sqlite(&[]).await;
    world.oauth_app("rotating").await;
    let token = world.connect_token("u").await;
    let browser = Browser::new(&world);
    let page = browser.page(&token, "sim_rotating").await;
    let mut states = std::collections::HashSet::new();
    for _ in 0..20 {
        let started = page.start().await;
        let state = parameter(&browser.leave(&started).await, "state").unwrap();
        assert_eq!(state.len(), 43, "{state}: 256 bits as base64url");
        assert!(states.insert(state));
    }
}

#[tokio::test]
async fn f_04_the_store_holds_neither_state_nor_cookie_nor_verifier() {
    let world = World::sqlite(&[]).await;
    world.oauth_app("rotating").await;
    let token = world.connect_token("u").await;
    let browser = Browser::new(&world);
    let page = browser.page(&token, "sim_rotating").await;
    let started = page.start().await;
    let reply = browser.submit(&started).await;
    let location = reply.headers["location"].to_str().unwrap();
    let state = parameter(location, "state").unwrap();
    let cookie = reply.headers["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(['=', ';']).nth(1).unwrap().to_owned();
    let session = page.boot["session"].as_str().unwrap().to_owned();
    let rows: Vec<Vec<u8>> = grantkeep::on!(world.app.db.read(), conn => sqlx::query_scalar(
        "select coalesce(state_hash, x'') || cookie_hash || sealed || cast(id as blob) \
         from connect_flows \
         union all select hash || cast(id as blob) from connect_sessions")
        .fetch_all(conn).await.unwrap());
    assert_eq!(rows.len(), 2);
    for secret in [state, cookie, session, token, started.ticket] {
        let found =
            rows.iter().any(|row| row.windows(secret.len()).any(|it| it == secret.as_bytes()));
        assert!(!found, "a secret stands in the store");
    }
}

#[tokio::test]
async fn f_05_f_10_pkce_s256_and_the_registered_redirect_uri() {
    for world in worlds().await {
        let client = world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let started = page.start().await;
        let url = format!("{}{}", world.url, started.path);
        let post = browser.http.post(url).form(&[("ticket", &started.ticket)]);
        // What a proxy or an attacker says of our name is not listened to.
        let post =
            post.header("x-forwarded-host", "evil.example").header("sec-fetch-site", "same-origin");
        let reply = crate::world::read(post).await;
        let provider = reply.headers["location"].to_str().unwrap();
        let at = |name| parameter(provider, name);
        assert_eq!(at("code_challenge_method").as_deref(), Some("S256"));
        assert_eq!(at("code_challenge").unwrap().len(), 43);
        assert_eq!(at("response_type").as_deref(), Some("code"));
        assert_eq!(at("redirect_uri"), Some(client.redirect_uri(&world.app)));
        assert_eq!(at("code_verifier"), None);
    }
}

#[tokio::test]
async fn f_12_f_13_redirects_are_303_and_the_result_page_is_closed() {
    let world = World::sqlite(&[]).await;
    world.oauth_app("rotating").await;
    let token = world.connect_token("u").await;
    let browser = Browser::new(&world);
    let page = browser.page(&token, "sim_rotating").await;
    let started = page.start().await;
    let left = browser.submit(&started).await;
    assert_eq!(left.status, 303);
    let location = left.headers["location"].to_str().unwrap();
    let back = world.provider.approve(location, "ada").unwrap();
    let reply = browser.visit(&back).await;
    let header = |name| reply.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-frame-options"), "DENY");
    assert_eq!(header("cross-origin-opener-policy"), "unsafe-none");
    let csp = header("content-security-policy");
    for part in
        ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'"]
    {
        assert!(csp.contains(part), "{csp}");
    }
    assert!(!csp.contains("unsafe"), "{csp}");
    // Nothing of the callback's address is in the page.
    let code = parameter(&back, "code").unwrap();
    assert!(!reply.text.contains(&code));
}

#[tokio::test]
async fn f_16_scopes_not_granted_are_told() {
    use grantkeep_simulator::{Endpoint, Fault, Times};
    for world in worlds().await {
        world.oauth_app("rotating").await;
        world.provider.fault("rotating", Endpoint::TokenCode, Fault::ScopeReduced, Times::Next(1));
        let id = connect(&world, "u", "sim_rotating").await;
        let account = world.get(&world.path(&format!("/accounts/{id}"))).await.json();
        let missing = account["missing_scopes"].as_array().unwrap();
        assert!(!missing.is_empty(), "{account}");
        let id = connect(&world, "u", "sim_rotating").await;
        let account = world.get(&world.path(&format!("/accounts/{id}"))).await.json();
        assert_eq!(account["missing_scopes"], json!([]), "{account}");
    }
}

#[tokio::test]
async fn f_17_scopes_come_from_the_catalogue_or_the_operator() {
    use grantkeep::apps::{Edit, update_oauth_app};
    let world = World::sqlite(&[]).await;
    let client = world.oauth_app("rotating").await;
    let browser = Browser::new(&world);
    let asked = async |more: &str| {
        let token = world.connect_token("u").await;
        let page = browser.shown(browser.frame(&token, "sim_rotating", more).await);
        let started = page.start().await;
        let scope = parameter(&browser.leave(&started).await, "scope").unwrap();
        let mut scopes: Vec<String> = scope.split(' ').map(str::to_owned).collect();
        scopes.sort();
        scopes
    };
    let default = asked("").await;
    assert_eq!(asked("&scope=everything").await, default, "an address cannot name scopes");
    let narrow = asked("&oauthScopeProfile=read_only").await;
    assert!(narrow.len() < default.len() && narrow.iter().all(|it| default.contains(it)));
    // The operator's own list holds, and a profile only narrows it.
    let own = Edit { scopes: Some(vec![narrow[0].clone()]), ..Edit::default() };
    update_oauth_app(&world.app, &world.project.id, client.id.as_str(), own).await.unwrap();
    assert_eq!(asked("").await, [narrow[0].clone()]);
    assert!(asked("&oauthScopeProfile=admin").await.len() <= 1);
    let token = world.connect_token("u").await;
    let reply = browser.frame(&token, "sim_rotating", "&oauthScopeProfile=root").await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn b_13_a_reconnect_keeps_the_id_and_the_person() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let id = connect(&world, "u", "sim_rotating").await;
        let browser = Browser::new(&world);
        let again = async |person: &str| {
            let token = world.connect_token("u").await;
            let more = format!("&accountId={id}");
            let page = browser.shown(browser.frame(&token, "sim_rotating", &more).await);
            assert!(page.reply.text.contains("Reconnect"), "{}", page.reply.text);
            let started = page.start().await;
            let provider = browser.leave(&started).await;
            let reply = browser.visit(&world.provider.approve(&provider, person).unwrap()).await;
            (page.status(&started.flow).await, reply.status)
        };
        let (status, _) = again("ada").await;
        assert_eq!(status["account_id"], id.as_str(), "{status}");
        let (status, answered) = again("grace").await;
        assert_eq!(status["code"], "different_account", "{status}");
        assert_eq!(answered, 409);
        assert_eq!(world.count("select count(*) from accounts").await, 1);
    }
}

#[tokio::test]
async fn a_window_that_was_given_up_can_be_finished_in_until_the_next_has_left() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let former = page.start().await;
        let back = browser.consent(&former).await;
        let next = page.start().await;
        browser.visit(&back).await;
        let status = page.status(&next.flow).await;
        assert_eq!(status["state"], "done", "the page asks for the newer: {status}");
        assert_eq!(status["account_id"], page.status(&former.flow).await["account_id"]);

        let token = world.connect_token("u").await;
        let page = browser.page(&token, "sim_rotating").await;
        let former = page.start().await;
        let back = browser.consent(&former).await;
        browser.leave(&page.start().await).await;
        browser.visit(&back).await;
        assert_eq!(page.status(&former.flow).await["code"], "cancelled");
        assert_eq!(world.count("select count(*) from accounts").await, 1);
    }
}

#[tokio::test]
async fn a_token_connects_one_account() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let started = page.start().await;
        browser.visit(&browser.consent(&started).await).await;
        assert_eq!(page.status(&started.flow).await["state"], "done");
        let reply = page.call("start", json!({ "fields": {} })).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (410, "connect_token_used"));
        let reply = browser.frame(&token, "sim_rotating", "").await;
        assert_eq!(reply.status, 410);
    }
}

#[tokio::test]
async fn a_flow_begun_in_time_may_end_after_its_token() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token_with("u", json!({ "expires_in": 60 })).await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        let started = page.start().await;
        let back = browser.consent(&started).await;
        world.app.clock.shift(5 * 60_000);
        assert_eq!(browser.visit(&back).await.status, 200);
        assert_eq!(page.status(&started.flow).await["state"], "done");
        // A new one cannot be begun.
        let reply = page.call("start", json!({ "fields": {} })).await;
        assert_eq!(reply.status, 410, "{}", reply.text);
        let token = world.connect_token_with("u", json!({ "expires_in": 60 })).await;
        let page = browser.page(&token, "sim_rotating").await;
        world.app.clock.shift(61_000);
        let reply = page.call("start", json!({ "fields": {} })).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (410, "connect_token_expired"));
    }
}

#[tokio::test]
async fn the_funnel_is_kept() {
    for world in worlds().await {
        world.oauth_app("rotating").await;
        let token = world.connect_token("u").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_rotating").await;
        assert_eq!(page.call("event", json!({ "event": "chosen" })).await.status, 204);
        assert_eq!(page.call("event", json!({ "event": "anything" })).await.status, 400);
        let started = page.start().await;
        browser.visit(&browser.consent(&started).await).await;
        world.app.audit.settle().await;
        let steps: Vec<String> = grantkeep::on!(world.app.db.read(), conn => sqlx::query_scalar(
            "select action from audit_events where action like 'connect.%' order by at_ms, action")
            .fetch_all(conn).await.unwrap());
        for step in ["opened", "chosen", "consent_started", "came_back", "finished"] {
            assert!(steps.contains(&format!("connect.{step}")), "{step} is missing in {steps:?}");
        }
    }
}
