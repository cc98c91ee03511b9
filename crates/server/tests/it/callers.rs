//! Who may call what: tokens, keys, scopes, projects, environments.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{PRODUCT_ORIGIN, World, read, worlds};

async fn token_request(world: &World, body: Value) -> crate::world::Reply {
    read(world.http.post(format!("{}/v1/oauth/token", world.url)).json(&body)).await
}

async fn fresh_client(world: &World, scopes: &str) -> (String, String) {
    let scopes = grantkeep::scope::Scopes::parse(scopes).unwrap();
    let project = Some(&world.project.id);
    let made = grantkeep::projects::create_client(&world.app, project, "x", &scopes).await.unwrap();
    (made.client.id.to_string(), made.secret.expose().to_owned())
}

#[tokio::test]
async fn a_form_with_basic_authentication_works_too() {
    for world in worlds().await {
        let (id, secret) = fresh_client(&world, "*").await;
        let request = world.http.post(format!("{}/v1/oauth/token", world.url));
        let request =
            request.basic_auth(&id, Some(&secret)).form(&[("grant_type", "client_credentials")]);
        let reply = read(request).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let body = reply.json();
        assert_eq!(body["token_type"], "Bearer");
        assert_eq!(body["expires_in"], 3600);
        let token = body["access_token"].as_str().unwrap();
        let list = world.call(Method::GET, &world.path("/users"), Some(token), None).await;
        assert_eq!(list.status, 200, "{list:?}");
    }
}

#[tokio::test]
async fn a_04_bad_bearers_are_all_told_the_same() {
    for world in worlds().await {
        let path = world.path("/users");
        let mut wrong_checksum = world.project.token.clone();
        wrong_checksum.pop();
        let unknown = grantkeep_vault::token::key("gk_access");
        let mut answers = Vec::new();
        for bearer in [None, Some("x"), Some(wrong_checksum.as_str()), Some(unknown.expose())] {
            let reply = world.call(Method::GET, &path, bearer, None).await;
            assert_eq!(reply.status, 401, "{bearer:?}");
            answers.push(reply.text);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
    }
}

#[tokio::test]
async fn a_07_a_revoked_client_is_refused_at_once() {
    for world in worlds().await {
        let (id, secret) = fresh_client(&world, "*").await;
        let body =
            json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret });
        let token = token_request(&world, body.clone()).await.json()["access_token"].clone();
        let token = token.as_str().unwrap();
        let path = world.path("/users");
        assert_eq!(world.call(Method::GET, &path, Some(token), None).await.status, 200);
        let id = grantkeep::ids::ClientId::parse(&id).unwrap();
        grantkeep::projects::revoke_client(&world.app, &id).await.unwrap();
        assert_eq!(world.call(Method::GET, &path, Some(token), None).await.status, 401);
        assert_eq!(token_request(&world, body).await.status, 401);
    }
}

#[tokio::test]
async fn access_tokens_live_an_hour_and_no_longer() {
    for world in worlds().await {
        let path = world.path("/users");
        let get = || world.call(Method::GET, &path, Some(&world.project.token), None);
        world.app.clock.shift(3_590_000);
        assert_eq!(get().await.status, 200);
        world.app.clock.shift(11_000);
        // What is remembered of a caller is not trusted longer than a second.
        tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
        assert_eq!(get().await.status, 401);
    }
}

#[tokio::test]
async fn m_05_the_environments_do_not_mix() {
    for world in worlds().await {
        world.connect_token("ada").await;
        let url = format!("{}{}", world.url, world.path("/users"));
        let ask = |environment: &'static str| {
            world
                .http
                .get(&url)
                .bearer_auth(&world.project.token)
                .header("x-pd-environment", environment)
        };
        assert_eq!(read(ask("development")).await.json()["page_info"]["total_count"], 1);
        assert_eq!(read(ask("production")).await.json()["page_info"]["total_count"], 0);
    }
}

#[tokio::test]
async fn w_10_only_named_origins_may_call_from_a_browser() {
    let world = World::sqlite(&[]).await;
    let url = format!("{}{}", world.url, world.path("/tokens"));
    let asked = "authorization,x-pd-proxy-x-foo,x-pd-environment,prefer,range,content-language,\
                 if-match,if-none-match,if-modified-since,if-unmodified-since,if-range";
    let preflight = world.http.request(Method::OPTIONS, &url).header("origin", PRODUCT_ORIGIN);
    let preflight = preflight.header("access-control-request-method", "GET");
    let reply = read(preflight.header("access-control-request-headers", asked)).await;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.headers["access-control-allow-origin"], PRODUCT_ORIGIN);
    let allowed = reply.headers["access-control-allow-headers"].to_str().unwrap();
    for name in asked.split(',') {
        assert!(allowed.split(", ").any(|it| it == name), "{name} in {allowed}");
    }
    assert!(!reply.headers.contains_key("access-control-allow-credentials"));
    // A server's answer is for no browser at all.
    let request = world.http.get(format!("{}{}", world.url, world.path("/users")));
    let request = request.bearer_auth(&world.project.token).header("origin", PRODUCT_ORIGIN);
    let reply = read(request.header("x-pd-environment", "development")).await;
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
    // A page is told that its token is over, so that it asks for another.
    let url = format!("{}{}", world.url, world.path("/accounts"));
    let over = format!("{}x", world.connect_token("ada").await);
    let request = world.http.get(&url).bearer_auth(over).header("origin", PRODUCT_ORIGIN);
    let reply = read(request).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (401, "invalid_token".into()));
    assert_eq!(reply.headers["access-control-allow-origin"], PRODUCT_ORIGIN);
    let token = world.connect_token("ada").await;
    let evil = world.http.get(&url).bearer_auth(token).header("origin", "https://evil.example");
    let reply = read(evil.header("x-pd-environment", "development")).await;
    assert_eq!(reply.code(), "origin_not_allowed");
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn users_are_listed_in_pages_both_ways() {
    for world in worlds().await {
        for nth in 0..11 {
            world.connect_token(&format!("user-{nth}")).await;
            world.app.clock.shift(1_000);
        }
        let mut seen = Vec::new();
        let mut path = world.path("/users?limit=4");
        let last = loop {
            let page = world.get(&path).await.json();
            assert_eq!(page["page_info"]["total_count"], 11);
            for user in page["data"].as_array().unwrap() {
                seen.push(user["external_id"].as_str().unwrap().to_owned());
            }
            match page["page_info"]["end_cursor"].as_str() {
                Some(cursor) => path = world.path(&format!("/users?limit=4&after={cursor}")),
                None => break page,
            }
        };
        let expected: Vec<_> = (0..11).rev().map(|nth| format!("user-{nth}")).collect();
        assert_eq!(seen, expected);
        let cursor = last["page_info"]["start_cursor"].as_str().unwrap();
        let back = world.get(&world.path(&format!("/users?limit=4&before={cursor}"))).await.json();
        let back: Vec<_> =
            back["data"].as_array().unwrap().iter().map(|it| it["external_id"].clone()).collect();
        assert_eq!(back, ["user-6", "user-5", "user-4", "user-3"].map(Value::from));
        let altered = world.get(&world.path("/users?after=AAAA")).await;
        assert_eq!(altered.code(), "invalid_cursor");
        let found = world.get(&world.path("/users?q=r-1")).await.json();
        assert_eq!(found["page_info"]["total_count"], 2);
        let literal = world.get(&world.path("/users?q=%25")).await.json();
        assert_eq!(literal["page_info"]["total_count"], 0, "row 56: a percent sign is only itself");
    }
}

/// PostgreSQL cannot store U+0000, and SQLite can: neither may fail over it.
#[tokio::test]
async fn a_zero_character_is_nobodys_fault() {
    for world in worlds().await {
        let (project, token) = (&world.project.id, Some(world.project.token.as_str()));
        let within = format!("/v1/connect/{project}");
        for path in ["users?q=a%00b", "accounts?external_user_id=%00", "users/a%00b/accounts"] {
            let reply = world.call(Method::GET, &format!("{within}/{path}"), token, None).await;
            assert!(reply.status.as_u16() < 500, "{path}: {}", reply.text);
        }
        let wish = json!({ "app": "github", "description": "a\0b" });
        let path = format!("{within}/oauth_apps");
        let reply = world.call(Method::POST, &path, token, Some(wish)).await;
        assert!(reply.status.as_u16() < 500, "{}", reply.text);
    }
}
