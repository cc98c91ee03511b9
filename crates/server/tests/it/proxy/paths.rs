//! Where calls come in, who may make them, and what reaches the app.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use grantkeep::projects::{ProxyRules, Settings};
use reqwest::Method;
use serde_json::{Value, json};

use super::lab::{KEY, Kind, Lab, escaped, labs, labs_of, plain};
use super::upstream::{answer, status};
use crate::world::{PRODUCT_ORIGIN, Reply, World, read, worlds};

/// A call to a pretend provider, with the target in the path.
async fn call(
    world: &World,
    method: Method,
    (coded, account): (&str, &str),
    body: Option<Value>,
) -> Reply {
    let path = format!("/proxy/{coded}?external_user_id=ada&account_id={account}");
    world.call(method, &world.path(&path), Some(&world.project.token), body).await
}

#[tokio::test]
async fn a_call_reaches_the_app_with_the_accounts_token_and_its_answer_comes_back() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let base = format!("{}/rotating", world.provider.base_url());
        let id = account.id.as_str();
        let absolute = format!("{base}/api/echo/x?c=2&d=%20e");
        for coded in [escaped(&absolute), plain(&absolute), BASE64_URL_SAFE.encode(&absolute)] {
            let reply = call(&world, Method::GET, (&coded, id), None).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            let it = reply.json();
            assert_eq!((&it["user"], &it["method"]), (&json!("ada"), &json!("GET")), "{it}");
            assert_eq!(it["query"], json!([["c", "2"], ["d", " e"]]));
            assert_eq!(it["headers"]["authorization"], json!(["Bearer ***"]));
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let body = json!({ "k": 1 });
            let relative = escaped("/api/echo");
            let reply = call(&world, method.clone(), (&relative, id), Some(body.clone())).await;
            let it = reply.json();
            assert_eq!(it["method"], method.as_str(), "{it}");
            assert_eq!(it["body"], body.to_string());
            assert_eq!(it["headers"]["content-type"], json!(["application/json"]));
        }
        let me = call(&world, Method::GET, (&plain("/api/me"), id), None).await;
        assert_eq!(me.json()["email"], "ada@example.test");
        assert!(me.headers.get("x-grantkeep-error").is_none());
    }
}

#[tokio::test]
async fn the_apps_own_errors_pass_and_ours_are_marked() {
    for lab in labs().await {
        lab.upstream.script([status(418, "content-type: text/x\r\n", "teapot")]);
        let reply = lab.get("/tea").await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (418, "teapot"));
        assert!(!reply.headers.contains_key("x-grantkeep-error"));
        assert_eq!(reply.headers["content-type"], "text/x");
        // What the app says of our own header is not believed.
        lab.upstream.script([answer("x-grantkeep-error: frozen\r\n", "")]);
        assert!(!lab.get("/x").await.headers.contains_key("x-grantkeep-error"));
        let reply = lab.get("https://evil.example/").await;
        assert_eq!(reply.headers["x-grantkeep-error"], "host_not_allowed");
        assert_eq!(reply.code(), "host_not_allowed");
        assert_eq!(lab.upstream.last().line, "GET /base/x HTTP/1.1");
        lab.upstream.script([status(204, "", "")]);
        let reply = lab.get("/gone").await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (204, ""));
    }
}

#[tokio::test]
async fn both_forms_without_a_project_for_keys_and_connect_tokens() {
    for lab in labs().await {
        let world = &lab.world;
        let query = format!("external_user_id=ada&account_id={}", lab.account);
        for path in ["/v1/connect/proxy/L3g", "/v1/connect//proxy/L3g"] {
            let reply = world.get(&format!("{path}?{query}")).await;
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        let token = world.connect_token_with("ada", json!({ "scope": "connect:proxy" })).await;
        let url = format!("{}/v1/connect//proxy/L3g?{query}", world.url);
        let call =
            |token: &str| world.http.get(&url).bearer_auth(token).header("origin", PRODUCT_ORIGIN);
        let reply = read(call(&token)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.headers["access-control-allow-origin"], PRODUCT_ORIGIN);
        let exposed = reply.headers["access-control-expose-headers"].to_str().unwrap();
        for name in ["etag", "link", "location"] {
            assert!(exposed.split(", ").any(|it| it == name), "{name}: {exposed}");
        }
        assert_eq!(lab.upstream.seen().len(), 3);
        assert!(lab.upstream.seen().iter().all(|it| it.line == "GET /base/x HTTP/1.1"));
    }
}

#[tokio::test]
async fn a_06_a_connect_token_has_the_proxy_by_name_and_no_more_than_its_maker() {
    for lab in labs().await {
        let world = &lab.world;
        let url = format!("{}/v1/connect/proxy/L3g?account_id={}", world.url, lab.account);
        let status = async |token: &str| {
            let reply = read(world.http.get(&url).bearer_auth(token)).await;
            (reply.status.as_u16(), reply.headers.get("x-grantkeep-error").cloned())
        };
        let star = world.connect_token("ada").await;
        assert_eq!(status(&star).await, (403, Some("scope_missing".parse().unwrap())));
        // The wire's default covers it only where a project keeps to the wire's habits.
        lab.change(Settings::default().compatible()).await;
        let star = world.connect_token("ada").await;
        assert_eq!(status(&star).await.0, 200);
        let other = world.connect_token_with("eve", json!({ "scope": "connect:proxy" })).await;
        assert_eq!(status(&other).await.0, 404, "another user's account is not there");
        // Who has not got the proxy cannot give it away.
        let scopes = grantkeep::scope::Scopes::parse("*").unwrap();
        let project = &world.project.id;
        let made = grantkeep::projects::create_key(&world.app, project, "x", &scopes).await;
        let weak = made.unwrap().1;
        let make = async |wish: Value| {
            let path = world.path("/tokens");
            world.call(Method::POST, &path, Some(weak.expose()), Some(wish)).await
        };
        let wish = json!({ "external_user_id": "ada", "scope": "connect:proxy" });
        assert_eq!(make(wish).await.code(), "scope_not_granted");
        let token = make(json!({ "external_user_id": "ada" })).await.json()["token"].clone();
        assert_eq!(status(token.as_str().unwrap()).await.0, 403);
        assert_eq!(status(weak.expose()).await.0, 403, "nor use it");
        assert_eq!(lab.upstream.seen().len(), 1);
    }
}

#[tokio::test]
async fn row_84_m_04_m_05_accounts_of_others_are_not_there() {
    for lab in labs().await {
        let world = &lab.world;
        let theirs = lab.another("grace").await;
        let other = world.another_project(Settings::default()).await;
        let ask = async |account: &str, user: &str, bearer: &str, environment: &'static str| {
            let path = format!("/proxy/L3g?external_user_id={user}&account_id={account}");
            let url = format!("{}{}", world.url, world.path(&path));
            let request = world.http.get(url).bearer_auth(bearer);
            read(request.header("x-pd-environment", environment)).await
        };
        let key = world.project.key.as_str();
        let unknown = ask("apn_nothere", "ada", key, "development").await;
        assert_eq!((unknown.status.as_u16(), unknown.code().as_str()), (404, "not_found"));
        for (account, user, environment) in [
            (theirs.as_str(), "ada", "development"),
            (lab.account.as_str(), "grace", "development"),
            (lab.account.as_str(), "ada", "production"),
            ("../x", "ada", "development"),
        ] {
            let reply = ask(account, user, key, environment).await;
            assert_eq!((reply.status, &reply.text), (unknown.status, &unknown.text));
        }
        for bearer in [&other.key, &other.token] {
            let reply = ask(&lab.account, "ada", bearer, "development").await;
            assert_eq!((reply.status, &reply.text), (unknown.status, &unknown.text));
        }
        assert!(lab.upstream.seen().is_empty());
    }
}

#[tokio::test]
async fn what_is_missing_or_too_much_in_the_query_is_said() {
    for lab in labs().await {
        let world = &lab.world;
        let account = &lab.account;
        for (query, code) in [
            (String::new(), "invalid_parameter"),
            ("external_user_id=ada".to_owned(), "invalid_parameter"),
            (format!("account_id={account}"), "invalid_external_user_id"),
            (format!("account_id={account}&external_user_id=ada&limit=1"), "invalid_parameter"),
            (
                format!("account_id={account}&account_id=x&external_user_id=ada"),
                "invalid_parameter",
            ),
        ] {
            let reply = world.get(&world.path(&format!("/proxy/L3g?{query}"))).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, code), "{query}");
        }
        let path = world.path(&format!("/proxy?account_id={account}&external_user_id=ada"));
        assert_eq!(world.get(&path).await.code(), "invalid_target");
        let twice = lab.request(Method::GET, "/a").header("x-grantkeep-target", "/b");
        assert_eq!(read(twice).await.code(), "invalid_target");
        for number in ["4", "-1", "x", ""] {
            let asked = lab.request(Method::GET, "/a").header("x-grantkeep-retry", number);
            assert_eq!(read(asked).await.code(), "invalid_request", "{number}");
        }
        assert!(lab.upstream.seen().is_empty());
    }
}

#[tokio::test]
async fn p_05_row_71_row_115_the_app_sees_only_what_is_meant_for_it() {
    for lab in labs().await {
        let request = lab.request(Method::POST, "/x?y=1").body("body");
        let request = request
            .header("cookie", "a=b")
            .header("x-forwarded-for", "1.2.3.4")
            .header("forwarded", "for=1.2.3.4")
            .header("x_api_key", "mine")
            .header("x-http-method-override", "DELETE")
            .header("connection", "authorization, x-api-key")
            .header("origin", PRODUCT_ORIGIN)
            .header("referer", "https://product.example/secret")
            .header("user-agent", "product/1")
            .header("idempotency-key", "once")
            .header("if-none-match", "\"7\"")
            .header("x-pd-proxy-x-foo", "bar")
            .header("x-pd-proxy-accept", "text/csv");
        assert_eq!(read(request).await.status, 200);
        let seen = lab.upstream.last();
        assert_eq!(seen.line, "POST /base/x?y=1 HTTP/1.1");
        let expected = [
            "accept",
            "accept-encoding",
            "authorization",
            "content-length",
            "host",
            "idempotency-key",
            "if-none-match",
            "user-agent",
            "x-foo",
        ];
        assert_eq!(seen.names(), expected, "{seen:?}");
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        assert_eq!(seen.header("user-agent"), Some("Grantkeep"));
        assert_eq!(seen.header("host"), Some(lab.upstream.address.to_string().as_str()));
        assert_eq!(seen.header("accept"), Some("text/csv"));
        assert_eq!(seen.body, b"body");
    }
}

#[tokio::test]
async fn p_04_nobody_replaces_the_injected_header_query_or_body() {
    let proxy = "[proxy.headers]\nx-api-key = \"${api_key}\"\n[proxy.query]\nkey = \"${api_key}\"\n\
                 left_out = \"${other}\"\n[proxy.body]\ntoken = \"${api_key}\"\n\
                 [proxy.default_headers]\nx-version = \"7\"\nx-left-out = \"${other}\"";
    let kind = Kind { proxy, fields: &[("api_key", KEY), ("other", "")], ..Kind::default() };
    for lab in labs_of(kind).await {
        let target = "/x?a=1&key=mine&%6Bey=mine&b=%2F";
        let request = lab.request(Method::POST, target).header("x-pd-proxy-x-api-key", "mine");
        let form = request.form(&[("token", "mine"), ("c", "d e")]);
        assert_eq!(read(form).await.status, 200);
        let seen = lab.upstream.last();
        let key = "k3y%2Fof%2Bthe%3Daccount";
        assert_eq!(seen.line, format!("POST /base/x?a=1&b=%2F&key={key} HTTP/1.1"));
        assert_eq!(seen.header("x-api-key"), Some(KEY));
        assert_eq!(seen.header("x-version"), Some("7"));
        assert_eq!(seen.header("x-left-out"), None);
        assert_eq!(String::from_utf8_lossy(&seen.body), format!("c=d+e&token={key}"));
        // Numbers beyond what programs can hold stay as they are written.
        let text = "{ \"n\": 12345678901234567890.10 }";
        let json = lab.request(Method::PUT, "/y").header("x-pd-proxy-x-version", "8");
        let json = json.header("content-type", "application/vnd.x+json").body(text);
        assert_eq!(read(json).await.status, 200);
        let seen = lab.upstream.last();
        assert_eq!(seen.header("x-version"), Some("8"));
        let expected = format!("{{\"token\":\"{KEY}\", \"n\": 12345678901234567890.10 }}");
        assert_eq!(String::from_utf8_lossy(&seen.body), expected);
        let count = lab.upstream.seen().len();
        let taken = lab.post("/z", json!({ "token": "mine" })).await;
        assert_eq!((taken.status.as_u16(), taken.code().as_str()), (400, "invalid_field"));
        let text = lab.request(Method::POST, "/z").header("content-type", "text/plain").body("x");
        assert_eq!(read(text).await.status, 415);
        assert_eq!(lab.post("/z", json!([1])).await.code(), "invalid_json");
        let large = lab.request(Method::POST, "/z").header("content-type", "application/json");
        let large = large.body(format!("{{\"a\":\"{}\"}}", "x".repeat(1_100_000)));
        assert_eq!(read(large).await.status, 413);
        assert_eq!(lab.upstream.seen().len(), count);
        assert_eq!(
            lab.get("/no-body").await.status,
            200,
            "without a body there is nothing to add to"
        );
        assert!(lab.upstream.last().body.is_empty());
    }
}

#[tokio::test]
async fn an_app_that_takes_its_key_in_the_body_gets_one_with_every_call_that_writes() {
    let proxy = "[proxy.body]\ntoken = \"${api_key}\"";
    for lab in labs_of(Kind { proxy, ..Kind::default() }).await {
        let json = format!("{{\"token\":\"{KEY}\"}}");
        for method in [Method::POST, Method::PUT, Method::PATCH] {
            assert_eq!(read(lab.request(method.clone(), "/x")).await.status, 200, "{method}");
            let seen = lab.upstream.last();
            assert_eq!(String::from_utf8_lossy(&seen.body), json, "{method}");
            assert_eq!(seen.header("content-type"), Some("application/json"));
            assert_eq!(seen.header("content-length"), Some(json.len().to_string().as_str()));
        }
        let kind = "application/x-www-form-urlencoded";
        let form = lab.request(Method::POST, "/x").header("content-type", kind);
        assert_eq!(read(form).await.status, 200);
        let seen = lab.upstream.last();
        assert_eq!(String::from_utf8_lossy(&seen.body), "token=k3y%2Fof%2Bthe%3Daccount");
        assert_eq!(seen.header("content-type"), Some(kind));
        assert_eq!(read(lab.request(Method::DELETE, "/x")).await.status, 200);
        assert!(lab.upstream.last().body.is_empty());
    }
}

/// What cannot be opened is an error of its own.
async fn spoil(lab: &Lab) {
    let sql = "update accounts set sealed = $1";
    grantkeep::on!(lab.world.app.db.write(), conn =>
        sqlx::query(sql).bind(vec![7_u8; 200]).execute(conn).await.unwrap().rows_affected());
}

#[tokio::test]
async fn p_01_row_64_nothing_is_opened_for_another_host() {
    for lab in labs().await {
        spoil(&lab).await;
        for (target, code) in [
            ("https://evil.example/", "host_not_allowed"),
            ("https://127.0.0.1/", "address_not_allowed"),
            ("//evil.example/", "host_not_allowed"),
            ("file:///etc/passwd", "scheme_not_allowed"),
        ] {
            let reply = lab.get(target).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (403, code), "{target}");
        }
        assert_eq!(lab.get("/x").await.code(), "decrypt_failed");
        assert!(lab.upstream.seen().is_empty());
    }
}

#[tokio::test]
async fn p_01_nothing_is_opened_for_a_call_that_no_rule_allows() {
    for lab in labs().await {
        spoil(&lab).await;
        let world = &lab.world;
        let key = key_that_may(&lab, &format!("GET {}/base/open", lab.upstream.address)).await;
        let query = format!("external_user_id=ada&account_id={}", lab.account);
        for (target, code) in [("/open", "decrypt_failed"), ("/closed", "call_not_allowed")] {
            let path = world.path(&format!("/proxy/{}?{query}", plain(target)));
            let reply = world.call(Method::GET, &path, Some(&key), None).await;
            assert_eq!(reply.code(), code, "{target}");
        }
    }
}

/// A key for these calls alone.
async fn key_that_may(lab: &Lab, rule: &str) -> String {
    let reach = grantkeep::reach::Reach::parse([rule]).unwrap();
    let scopes = grantkeep::scope::Scopes::parse("* proxy:use").unwrap();
    let rights = grantkeep::projects::Rights { scopes, reach: Some(reach) };
    let project = &lab.world.project.id;
    let made = grantkeep::projects::create_key(&lab.world.app, project, "x", rights).await;
    made.unwrap().1.expose().to_owned()
}

#[tokio::test]
async fn p_02_the_base_holds_the_accounts_own_values() {
    let kind = Kind {
        base: "${site}/v2/${team}",
        fields: &[("api_key", KEY), ("site", "https://raw.example"), ("team", "a/../b c")],
        settings: &[("egress_connect_timeout_ms", "300")],
        ..Kind::default()
    };
    for lab in labs_of(kind).await {
        // No such server is there; that it was looked for is enough.
        let reply = lab.get("/x").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (502, "upstream_unreachable"));
        let own = lab.get("https://raw.example/other").await;
        assert_eq!(own.code(), "upstream_unreachable");
        for target in ["https://raw.example.evil.example/", "https://other.example/"] {
            assert_eq!(lab.get(target).await.code(), "host_not_allowed", "{target}");
        }
    }
}

#[tokio::test]
async fn rules_of_a_client_hold_for_it_and_for_the_tokens_it_makes() {
    for lab in labs().await {
        let world = &lab.world;
        let key = key_that_may(&lab, &format!("GET {}/base/open/*", lab.upstream.address)).await;
        let path = world.path("/tokens");
        let wish = json!({ "external_user_id": "ada", "scope": "connect:proxy" });
        let token = world.call(Method::POST, &path, Some(&key), Some(wish)).await;
        let token = token.json()["token"].as_str().unwrap().to_owned();
        for bearer in [&key, &token] {
            let call = async |method: Method, target: &str| {
                let url = format!(
                    "{}/v1/connect/proxy/{}?account_id={}&external_user_id=ada",
                    world.url,
                    plain(target),
                    lab.account
                );
                let request = world.http.request(method, url).bearer_auth(bearer);
                read(request.header("x-pd-environment", "development")).await
            };
            assert_eq!(call(Method::GET, "/open/a").await.status, 200);
            for (method, target) in [
                (Method::POST, "/open/a"),
                (Method::GET, "/closed"),
                (Method::GET, "/open/../closed"),
                (Method::GET, "/open/..%2fclosed"),
                (Method::GET, "/open/%2e%2e/closed"),
            ] {
                let reply = call(method.clone(), target).await;
                assert_eq!(reply.code(), "call_not_allowed", "{method} {target}");
            }
        }
        assert_eq!(lab.upstream.seen().len(), 2);
        // A project may want rules for everybody.
        let strict = Settings { proxy_rules: ProxyRules::Required, ..Settings::default() };
        lab.change(strict).await;
        assert_eq!(lab.get("/open/a").await.code(), "call_not_allowed");
        assert_eq!(lab.upstream.seen().len(), 2);
    }
}
