//! Rows 17 to 26: connect tokens that are not made.

use reqwest::Method;
use serde_json::{Value, json};

use super::{key, refused, stored};
use crate::world::{Reply, World, read, worlds};

/// Each wish is refused as said, and none of them leaves anything behind.
async fn all_refused(world: &World, cases: &[(Value, u16, &str)]) {
    let before = stored(world).await;
    for (body, status, code) in cases {
        let reply = world.post(&world.path("/tokens"), body.clone()).await;
        refused(world, &reply, (*status, code), &body.to_string());
    }
    assert_eq!(stored(world).await, before, "{}", world.engine);
}

/// A body as bytes.
async fn send(world: &World, body: impl Into<reqwest::Body>) -> Reply {
    let request = world.http.post(format!("{}{}", world.url, world.path("/tokens")));
    let request = request.bearer_auth(&world.project.token);
    let request = request.header("x-pd-environment", "development");
    read(request.header("content-type", "application/json").body(body)).await
}

#[tokio::test]
async fn row_17_external_user_ids_that_are_none() {
    for world in worlds().await {
        let bad = (400, "invalid_external_user_id");
        let mut cases =
            vec![(json!({}), bad.0, bad.1), (json!({ "external_user_id": null }), bad.0, bad.1)];
        let long = "x".repeat(256);
        for id in [
            "",
            " ",
            "   \t",
            "\u{2003}",
            &long,
            "a\u{0}b",
            "a\nb",
            "a\u{7f}b",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{200b}b",
            "\u{feff}a",
        ] {
            cases.push((json!({ "external_user_id": id }), bad.0, bad.1));
        }
        all_refused(&world, &cases).await;
        // The longest there is, of any letters, and the older name of the field.
        let longest = "\u{1f980}".repeat(250);
        for body in [json!({ "external_user_id": longest }), json!({ "external_id": "ada" })] {
            assert_eq!(world.post(&world.path("/tokens"), body).await.status, 200);
        }
    }
}

#[tokio::test]
async fn row_18_external_user_ids_of_another_type() {
    for world in worlds().await {
        let cases: Vec<_> = [json!(7), json!(1.5), json!({ "a": 1 }), json!(["a"]), json!(true)]
            .into_iter()
            .map(|id| (json!({ "external_user_id": id }), 400, "invalid_type"))
            .chain(
                [json!("u"), json!(["u"]), json!(7), json!(null)]
                    .map(|it| (it, 400, "invalid_type")),
            )
            .collect();
        all_refused(&world, &cases).await;
    }
}

#[tokio::test]
async fn f_11_row_19_redirect_uris_must_be_on_the_list_exactly() {
    for world in worlds().await {
        let listed = "https://ok.example/done";
        let settings = grantkeep::projects::Settings {
            redirect_uris: vec![listed.to_owned()],
            ..Default::default()
        };
        let project = world.another_project(settings).await;
        let path = format!("/v1/connect/{}/tokens", project.id);
        let ask = async |field: &str, uri: &str| {
            let body = json!({ "external_user_id": "u", field: uri });
            world.call(Method::POST, &path, Some(&project.token), Some(body)).await
        };
        let long = format!("{listed}?{}", "x".repeat(10_000));
        let before = stored(&world).await;
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
            "https://ok.example:443/done",
            "HTTPS://ok.example/done",
            "http://ok.example/done",
            "https://ok.example/done#f",
            "https://ok.example/done/",
            "https://ok.example/done?x=1",
            "https://ok.example/./done",
            "https://ok.example/%64one",
            " https://ok.example/done",
            "https://ok.example/done\n",
            "",
            &long,
        ] {
            for field in ["success_redirect_uri", "error_redirect_uri"] {
                let reply = ask(field, uri).await;
                refused(&world, &reply, (400, "redirect_uri_not_allowed"), uri);
            }
        }
        assert_eq!(stored(&world).await, before);
        assert_eq!(ask("success_redirect_uri", listed).await.status, 200);
    }
}

#[tokio::test]
async fn row_20_origins_that_are_none() {
    for world in worlds().await {
        let many: Vec<_> = (0..1_000).map(|nth| format!("https://a{nth}.example")).collect();
        let wish = |origins: Value| {
            (json!({ "external_user_id": "u", "allowed_origins": origins }), 400, "invalid_origin")
        };
        let mut cases: Vec<_> = [
            "*",
            "null",
            "",
            "https://*.example",
            "https://a.example/path",
            "https://a.example/",
            "https://a.example?x",
            "https://a.example#x",
            "https://u@a.example",
            "https://a.example:443",
            "https://A.example",
            "http://a.example",
            "http://127.0.0.1.evil.example",
            "ftp://a.example",
            "data:text/html,x",
            "a.example",
            "https://a.example, https://b.example",
            "https://a.example; frame-ancestors *",
            "https://a.example;frame-ancestors",
            "https://a.example,b.example",
            "https://a'b.example",
            "http://*",
            "https://*:8443",
        ]
        .map(|origin| wish(json!(["https://good.example", origin])))
        .into();
        cases.push(wish(json!(many)));
        all_refused(&world, &cases).await;
        let body = json!({ "external_user_id": "u", "allowed_origins": "https://a.example" });
        let reply = world.post(&world.path("/tokens"), body).await;
        refused(&world, &reply, (400, "invalid_type"), "one origin that is no list");
    }
}

#[tokio::test]
async fn row_21_webhooks_to_addresses_that_are_ours_or_nobodys() {
    for world in worlds().await {
        let long = format!("https://a.example/{}", "x".repeat(3_000));
        let cases: Vec<_> = [
            "http://169.254.169.254/latest/meta-data",
            "https://169.254.169.254/",
            "https://10.0.0.1/",
            "https://10.0.0.1:8443/",
            "https://metadata.google.internal/",
            "https://192.168.1.1/",
            "https://172.16.0.1/",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://0251.0376.0251.0376/",
            "http://a.example/",
            "https://a.example:22/",
            "https://u:p@a.example/",
            "https://a.example/#x",
            "ftp://a.example/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "nonsense",
            &long,
        ]
        .map(|uri| (json!({ "external_user_id": "u", "webhook_uri": uri }), 400, "url_not_allowed"))
        .into();
        all_refused(&world, &cases).await;
        // Which address a name has is judged when it is called (E-02, E-05).
        let body = json!({ "external_user_id": "u", "webhook_uri": "https://hooks.example/x" });
        assert_eq!(world.post(&world.path("/tokens"), body).await.status, 200);
    }
}

#[tokio::test]
async fn row_22_lives_that_are_no_whole_seconds_up_to_four_hours() {
    for world in worlds().await {
        let wish = |seconds: Value| {
            (json!({ "external_user_id": "u", "expires_in": seconds }), 400, "invalid_expires_in")
        };
        let cases: Vec<_> = [
            json!(0),
            json!(-1),
            json!(14_401),
            json!(1_000_000_000_000_i64),
            json!(u64::MAX),
            json!("60"),
            json!("NaN"),
            json!(1.5),
            json!(60.0),
            json!(1e300),
            json!(true),
            json!([60]),
            json!({ "s": 60 }),
        ]
        .map(wish)
        .into();
        all_refused(&world, &cases).await;
        for text in ["NaN", "Infinity", "1e999", "0x10", "060"] {
            let body = format!(r#"{{"external_user_id":"u","expires_in":{text}}}"#);
            refused(&world, &send(&world, body).await, (400, "invalid_json"), text);
        }
    }
}

#[tokio::test]
async fn row_23_scopes_wider_than_the_callers() {
    for world in worlds().await {
        let narrow = key(&world, "connect:tokens:create connect:accounts:read").await;
        let before = stored(&world).await;
        let path = world.path("/tokens");
        for (bearer, scope, expected) in [
            (&narrow, "connect:*", (403, "scope_not_granted")),
            (&narrow, "connect:accounts:write", (403, "scope_not_granted")),
            (&narrow, "connect:accounts:read connect:proxy", (403, "scope_not_granted")),
            (&narrow, "connect:tokens:create", (403, "scope_not_granted")),
            (&world.project.key, "*", (403, "scope_not_granted")),
            (&world.project.key, "credentials:read", (403, "scope_not_granted")),
            (&world.project.key, "proxy:use", (403, "scope_not_granted")),
            (&world.project.key, "credentials:freeze", (403, "scope_not_granted")),
            (&narrow, "nonsense", (400, "invalid_request")),
        ] {
            let body = json!({ "external_user_id": "u", "scope": scope });
            let reply = world.call(Method::POST, &path, Some(bearer), Some(body));
            refused(&world, &reply.await, expected, scope);
        }
        assert_eq!(stored(&world).await, before);
        // Without a word about scopes it is not more, either.
        let body = json!({ "external_user_id": "u" });
        let made = world.call(Method::POST, &path, Some(&narrow), Some(body)).await;
        let token = made.json()["token"].as_str().unwrap().to_owned();
        let (accounts, user) = (world.path("/accounts"), world.path("/users/u"));
        let read = world.call(Method::GET, &accounts, Some(&token), None).await;
        assert_eq!(read.status, 200, "{read:?}");
        let erase = world.call(Method::DELETE, &user, Some(&token), None).await;
        assert_eq!((erase.status.as_u16(), erase.code()), (403, "scope_missing".to_owned()));
    }
}

#[tokio::test]
async fn row_24_unknown_fields_change_nothing() {
    for world in worlds().await {
        let other = world.another_project(grantkeep::projects::Settings::default()).await;
        let body = json!({ "external_user_id": "ada", "project_id": other.id,
            "environment": "production", "environment_name": "production",
            "user_id": "exu_somebody", "created_at_ms": 0, "healthy": false,
            "owner": "somebody-else", "__proto__": { "x": 1 },
            "constructor": { "prototype": { "x": 1 } }, "async_handle": "abc" });
        assert_eq!(world.post(&world.path("/tokens"), body).await.status, 200);
        let users = world.get(&world.path("/users")).await.json();
        assert_eq!(users["data"][0]["external_id"], "ada");
        for table in ["external_users", "connect_tokens"] {
            let rows = world.dump(table).await;
            assert!(rows.contains(world.project.id.as_str()) && rows.contains("development"));
            for word in [other.id.as_str(), "production", "exu_somebody", "somebody-else", "proto"]
            {
                assert!(!rows.contains(word), "{word} in {rows}");
            }
        }
    }
}

#[tokio::test]
async fn row_25_bodies_that_two_readers_could_read_in_two_ways() {
    for world in worlds().await {
        let before = stored(&world).await;
        let deep = |open: &str, close: &str| {
            format!(
                r#"{{"external_user_id":"a","x":{}1{}}}"#,
                open.repeat(10_000),
                close.repeat(10_000)
            )
        };
        let utf16: Vec<u8> =
            r#"{"external_user_id":"a"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let bodies: Vec<Vec<u8>> = [
            r#"{"external_user_id":"a","external_user_id":"b"}"#,
            r#"{"external_user_id":"a","external_user_id":"a"}"#,
            r#"{"external_user_id":"a","external_id":"b"}"#,
            r#"{"external_user_id":"a","\u0065xternal_user_id":"b"}"#,
            r#"{"external_user_id":"a","x":1,"x":2}"#,
            r#"{"external_user_id":"a","x":[{"y":1,"y":2}]}"#,
            r#"{"external_user_id":"a"} x"#,
            r#"{"external_user_id":"a"}{}"#,
            r#"{"external_user_id":"a",}"#,
            r"{'external_user_id':'a'}",
            r#"{"external_user_id":"a"} // x"#,
            r#"{"external_user_id":"\ud800"}"#,
            "\u{feff}{\"external_user_id\":\"a\"}",
            "{",
            "",
            &deep("[", "]"),
            &deep(r#"{"y":"#, "}"),
        ]
        .map(|it| it.as_bytes().to_vec())
        .into_iter()
        .chain([utf16, b"{\"external_user_id\":\"\xff\"}".to_vec()])
        .collect();
        for body in bodies {
            let shown = String::from_utf8_lossy(&body).into_owned();
            refused(&world, &send(&world, body).await, (400, "invalid_json"), &shown);
        }
        let request = world.http.post(format!("{}{}", world.url, world.path("/tokens")));
        let request = request.bearer_auth(&world.project.token).body(vec![b' '; 20_000_000]);
        match request.header("content-type", "application/json").send().await {
            Ok(answer) => assert_eq!(answer.status(), 413),
            // Who goes on sending after the answer may find the connection closed.
            Err(error) => assert!(error.is_request(), "{error:?}"),
        }
        let url = format!("{}{}", world.url, world.path("/tokens"));
        let request = world.http.post(url).bearer_auth(&world.project.token);
        let request = request.header("x-pd-environment", "development").body("{}");
        let reply = read(request.header("content-type", "text/plain")).await;
        refused(&world, &reply, (415, "unsupported_media_type"), "text/plain");
        assert_eq!(stored(&world).await, before);
    }
}

#[tokio::test]
async fn row_26_the_environment_is_never_guessed() {
    for world in worlds().await {
        let before = stored(&world).await;
        let url = format!("{}{}", world.url, world.path("/tokens"));
        for values in [
            &[][..],
            &["Production"],
            &["prod"],
            &["PRODUCTION"],
            &["production,development"],
            &["production ; x"],
            &[""],
            &["production", "development"],
            &["production", "production"],
        ] {
            let mut request = world.http.post(&url).bearer_auth(&world.project.token);
            for value in values {
                request = request.header("x-pd-environment", *value);
            }
            let reply = read(request.json(&json!({ "external_user_id": "u" }))).await;
            refused(&world, &reply, (400, "invalid_environment"), &values.join("+"));
        }
        assert_eq!(stored(&world).await, before);
    }
}
