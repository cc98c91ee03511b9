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
async fn rows_1_and_2_wrong_secret_and_unknown_client_are_told_the_same() {
    for world in worlds().await {
        let (id, _) = fresh_client(&world, "*").await;
        let ask = |id: &str| {
            json!({ "grant_type": "client_credentials", "client_id": id,
                "client_secret": "wrong" })
        };
        let wrong = token_request(&world, ask(&id)).await;
        let unknown = token_request(&world, ask("gkc_nobody")).await;
        assert_eq!(wrong.status, 401);
        assert_eq!(wrong.json()["error"], "invalid_client");
        assert_eq!((wrong.status, &wrong.text), (unknown.status, &unknown.text));
        assert_eq!(wrong.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn row_3_other_grant_types_are_refused_by_name() {
    let world = World::sqlite(&[]).await;
    let (id, secret) = fresh_client(&world, "*").await;
    for (grant, error) in [(Some("password"), "unsupported_grant_type"), (None, "invalid_request")]
    {
        let body = json!({ "grant_type": grant, "client_id": id, "client_secret": secret });
        let reply = token_request(&world, body).await;
        assert_eq!((reply.status.as_u16(), reply.json()["error"].as_str()), (400, Some(error)));
    }
    let twice = format!(
        "grant_type=client_credentials&grant_type=client_credentials&client_id={id}\
         &client_secret={secret}"
    );
    let request = world.http.post(format!("{}/v1/oauth/token", world.url)).body(twice);
    let reply = read(request.header("content-type", "application/x-www-form-urlencoded")).await;
    assert_eq!(reply.json()["error"], "invalid_request");
}

#[tokio::test]
async fn rows_5_to_7_token_requests_that_are_not_one_clear_request() {
    let world = World::sqlite(&[]).await;
    let (id, secret) = fresh_client(&world, "connect:accounts:read").await;
    let url = format!("{}/v1/oauth/token", world.url);
    let body =
        json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret });
    let both = world.http.post(&url).basic_auth(&id, Some(&secret)).json(&body);
    assert_eq!(read(both).await.json()["error"], "invalid_request");
    for scope in ["*", "nonsense", "credentials:read", &"x ".repeat(500_000)] {
        let mut body = body.clone();
        body["scope"] = json!(scope);
        let reply = token_request(&world, body).await;
        assert!([400, 413].contains(&reply.status.as_u16()), "{}", reply.status);
        if reply.status == 400 {
            assert_eq!(reply.json()["error"], "invalid_scope");
        }
    }
    let text = world.http.post(&url).header("content-type", "text/plain").body("x");
    assert_eq!(read(text).await.status, 415);
    let list = world.http.post(&url).json(&json!([1]));
    assert_eq!(read(list).await.status, 400);
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
async fn row_13_credentials_in_the_url_are_refused() {
    let world = World::sqlite(&[]).await;
    let path = format!("{}?access_token={}", world.path("/users"), world.project.token);
    let reply = world.call(Method::GET, &path, Some(&world.project.token), None).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (401, "credentials_in_url".into()));
}

#[tokio::test]
async fn row_14_and_m_04_another_project_looks_like_none() {
    for world in worlds().await {
        let other = world.another_project(grantkeep::projects::Settings::default()).await;
        let foreign = world.get(&format!("/v1/connect/{}/users", other.id)).await;
        let random = world.get("/v1/connect/proj_nothere/users").await;
        assert_eq!((foreign.status.as_u16(), &foreign.text), (404, &random.text));
        let foreign = world.get(&format!("/v1/connect/projects/{}", other.id)).await;
        let random = world.get("/v1/connect/projects/proj_nothere").await;
        assert_eq!((foreign.status.as_u16(), &foreign.text), (404, &random.text));
    }
}

#[tokio::test]
async fn row_26_the_environment_is_never_guessed() {
    let world = World::sqlite(&[]).await;
    let url = format!("{}{}", world.url, world.path("/users"));
    let ask = || world.http.get(&url).bearer_auth(&world.project.token);
    for request in [
        ask(),
        ask().header("x-pd-environment", "Production"),
        ask().header("x-pd-environment", "prod"),
        ask().header("x-pd-environment", "production").header("x-pd-environment", "development"),
    ] {
        let reply = read(request).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_environment".into()));
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
async fn rows_17_to_25_bad_wishes_for_a_connect_token() {
    let world = World::sqlite(&[]).await;
    let long = "x".repeat(251);
    let cases = [
        (json!({}), 400, "invalid_type"),
        (json!({ "external_user_id": "" }), 400, "invalid_external_user_id"),
        (json!({ "external_user_id": "  " }), 400, "invalid_external_user_id"),
        (json!({ "external_user_id": long }), 400, "invalid_external_user_id"),
        (json!({ "external_user_id": "a\u{0}b" }), 400, "invalid_external_user_id"),
        (json!({ "external_user_id": "a\u{202e}b" }), 400, "invalid_external_user_id"),
        (json!({ "external_user_id": 7 }), 400, "invalid_type"),
        (json!({ "external_user_id": ["a"] }), 400, "invalid_type"),
        (json!(["u", null, null, null, null, null, null, null, null, null]), 400, "invalid_type"),
        (json!("u"), 400, "invalid_type"),
        (json!({ "external_user_id": "u", "expires_in": 0 }), 400, "invalid_expires_in"),
        (json!({ "external_user_id": "u", "expires_in": -1 }), 400, "invalid_expires_in"),
        (json!({ "external_user_id": "u", "expires_in": 14_401 }), 400, "invalid_expires_in"),
        (json!({ "external_user_id": "u", "expires_in": "60" }), 400, "invalid_expires_in"),
        (json!({ "external_user_id": "u", "expires_in": 1.5 }), 400, "invalid_expires_in"),
        (json!({ "external_user_id": "u", "scope": "*" }), 403, "scope_not_granted"),
        (json!({ "external_user_id": "u", "scope": "credentials:read" }), 403, "scope_not_granted"),
        (json!({ "external_user_id": "u", "allowed_origins": ["*"] }), 400, "invalid_origin"),
        (json!({ "external_user_id": "u", "allowed_origins": ["null"] }), 400, "invalid_origin"),
        (
            json!({ "external_user_id": "u", "allowed_origins": ["https://a/b"] }),
            400,
            "invalid_origin",
        ),
        (
            json!({ "external_user_id": "u", "allowed_origins": ["http://a.example"] }),
            400,
            "invalid_origin",
        ),
        (
            json!({ "external_user_id": "u", "webhook_uri": "https://u:p@a.example/" }),
            400,
            "url_not_allowed",
        ),
        (json!({ "external_user_id": "u", "app_id": "../../etc/passwd" }), 404, "app_not_found"),
        (json!({ "external_user_id": "u", "oauth_app_id": "oa_nothere" }), 404, "not_found"),
    ];
    for (body, status, code) in cases {
        let reply = world.post(&world.path("/tokens"), body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code.into()), "{body}");
    }
    let doubled = r#"{"external_user_id":"a","external_user_id":"b"}"#;
    for text in [doubled, "{", r#"{"external_user_id":"a"} x"#, "\u{feff}{}", ""] {
        let url = format!("{}{}", world.url, world.path("/tokens"));
        let request = world.http.post(url).bearer_auth(&world.project.token);
        let request = request.header("x-pd-environment", "development");
        let reply =
            read(request.header("content-type", "application/json").body(text.to_owned())).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_json".into()), "{text}");
    }
}

#[tokio::test]
async fn f_11_row_19_redirect_uris_must_be_on_the_list_exactly() {
    let world = World::sqlite(&[]).await;
    let listed = "https://ok.example/done";
    let settings = grantkeep::projects::Settings {
        redirect_uris: vec![listed.to_owned()],
        ..Default::default()
    };
    let project = world.another_project(settings).await;
    let path = format!("/v1/connect/{}/tokens", project.id);
    let ask = async |uri: &str| {
        let body = json!({ "external_user_id": "u", "success_redirect_uri": uri });
        world.call(Method::POST, &path, Some(&project.token), Some(body)).await
    };
    assert_eq!(ask(listed).await.status, 200);
    for uri in [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "https:evil.example",
        "http:///evil",
        "https://ok.example\\@evil.example",
        "https://ok.example@evil.example",
        "https://ok.example.evil.example/done",
        "https://OK.example:443/done",
        "https://ok.example/done#f",
        "https://ok.example/done/",
        "https://ok.example/done?x=1",
    ] {
        let reply = ask(uri).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code()),
            (400, "redirect_uri_not_allowed".into()),
            "{uri}"
        );
    }
}

#[tokio::test]
async fn row_15_each_kind_of_token_opens_only_its_own_doors() {
    for world in worlds().await {
        let token = world.connect_token("ada").await;
        let body = json!({ "external_user_id": "eve" });
        let path = world.path("/tokens");
        let reply = world.call(Method::POST, &path, Some(&token), Some(body)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (401, "wrong_token_type".into()));
    }
}

#[tokio::test]
async fn row_24_unknown_fields_change_nothing() {
    for world in worlds().await {
        let other = world.another_project(grantkeep::projects::Settings::default()).await;
        let body = json!({ "external_user_id": "ada", "project_id": other.id,
            "environment": "production",
            "environment_name": "production", "__proto__": { "x": 1 }, "async_handle": "abc" });
        assert_eq!(world.post(&world.path("/tokens"), body).await.status, 200);
        let users = world.get(&world.path("/users")).await.json();
        assert_eq!(users["data"][0]["external_id"], "ada");
        let sql = "select count(*) from external_users where environment = 'production'";
        assert_eq!(world.count(sql).await, 0);
    }
}

#[tokio::test]
async fn w_10_only_named_origins_may_call_from_a_browser() {
    let world = World::sqlite(&[]).await;
    let url = format!("{}{}", world.url, world.path("/tokens"));
    let asked = "authorization,x-pd-proxy-x-foo,x-pd-environment";
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
    let token = world.connect_token("ada").await;
    let evil = world.http.get(&url).bearer_auth(token).header("origin", "https://evil.example");
    let reply = read(evil.header("x-pd-environment", "development")).await;
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
