//! Rows 1 to 16: the token endpoint, and who may call the API.

use reqwest::Method;
use serde_json::{Value, json};

use super::{client, grant, key, raw, recorded, refused, status_of, stored, token_request, users};
use crate::world::{World, read, worlds, worlds_with};

#[tokio::test]
async fn rows_1_and_2_wrong_secret_and_unknown_client_are_told_the_same() {
    for world in worlds().await {
        let (id, secret) = client(&world, "*").await;
        let wrong = token_request(&world, grant(&id, "wrong")).await;
        for (id, secret) in [
            (id.as_str(), ""),
            (&id, &secret.to_uppercase()),
            ("gkc_nobody", &secret),
            ("%00", "x"),
        ] {
            let reply = token_request(&world, grant(id, secret)).await;
            if secret.is_empty() {
                refused(&world, &reply, (400, "invalid_request"), id);
                continue;
            }
            refused(&world, &reply, (401, "invalid_client"), id);
            assert_eq!(reply.text, wrong.text, "{id}");
            assert!(!reply.text.contains(secret), "{id}");
            assert_eq!(reply.headers["cache-control"], "no-store");
            assert!(!reply.headers.contains_key("www-authenticate"));
        }
        // Who tried HTTP Basic is told that it is understood.
        let url = format!("{}/v1/oauth/token", world.url);
        let basic = world.http.post(&url).basic_auth(&id, Some("wrong"));
        let reply = read(basic.form(&[("grant_type", "client_credentials")])).await;
        refused(&world, &reply, (401, "invalid_client"), "basic");
        assert!(reply.headers["www-authenticate"].to_str().unwrap().starts_with("Basic "));
        assert!(recorded(&world, "access_token.create", "refused").await >= 3);
    }
}

#[tokio::test]
async fn row_3_other_grant_types_are_refused_by_name() {
    for world in worlds().await {
        let (id, secret) = client(&world, "*").await;
        for (grant_type, code) in [
            (json!("password"), "unsupported_grant_type"),
            (json!("authorization_code"), "unsupported_grant_type"),
            (json!(null), "invalid_request"),
            (json!(""), "invalid_request"),
            (json!(7), "invalid_request"),
        ] {
            let mut body = grant(&id, &secret);
            body["grant_type"] = grant_type.clone();
            let reply = token_request(&world, body).await;
            refused(&world, &reply, (400, code), &grant_type.to_string());
        }
        let once = "grant_type=client_credentials";
        let form = format!("{once}&{once}&client_id={id}&client_secret={secret}");
        let json = grant(&id, &secret).to_string();
        let json = json.replacen('{', r#"{"grant_type":"client_credentials","#, 1);
        for (kind, body) in
            [("application/x-www-form-urlencoded", form), ("application/json", json)]
        {
            let request = world.http.post(format!("{}/v1/oauth/token", world.url)).body(body);
            let reply = read(request.header("content-type", kind)).await;
            refused(&world, &reply, (400, "invalid_request"), kind);
        }
        assert_eq!(world.count("select count(*) from access_tokens").await, 1, "the world's own");
    }
}

#[tokio::test]
async fn row_4_a_secret_in_the_query_is_refused_and_marked() {
    for world in worlds().await {
        let (id, secret) = client(&world, "*").await;
        let ask = async |query: &str| {
            let url = format!("{}/v1/oauth/token?{query}", world.url);
            read(world.http.post(url).json(&grant(&id, &secret))).await
        };
        for query in ["client_secret=wrong", "CLIENT_SECRET=wrong", "client%5Fsecret=wrong"] {
            refused(&world, &ask(query).await, (400, "invalid_request"), query);
        }
        let marked = "select count(*) from api_clients where exposed_at_ms is not null";
        assert_eq!(world.count(marked).await, 0, "a wrong secret marks nobody");
        // By any name: it is known by its form.
        for query in [format!("client_secret={secret}"), format!("s={secret}")] {
            let reply = ask(&query).await;
            refused(&world, &reply, (400, "invalid_request"), "right");
            assert!(!reply.text.contains(&secret));
        }
        assert_eq!(world.count(marked).await, 1);
        assert_eq!(recorded(&world, "credential.exposed", "refused").await, 2);
        let listed = grantkeep::projects::list_clients(&world.app).await.unwrap();
        let exposed = listed.iter().find(|it| it.id.as_str() == id).unwrap();
        assert!(exposed.exposed_at_ms.is_some());
    }
}

#[tokio::test]
async fn row_5_a_client_authenticates_in_one_way() {
    for world in worlds().await {
        let (id, secret) = client(&world, "*").await;
        let url = format!("{}/v1/oauth/token", world.url);
        let both = world.http.post(&url).basic_auth(&id, Some(&secret)).json(&grant(&id, &secret));
        refused(&world, &read(both).await, (400, "invalid_request"), "both");
        for header in ["Basic", "Basic %%%", "Basic YQ==", "Basic /w=="] {
            let request = world.http.post(&url).header("authorization", header);
            let reply = read(request.form(&[("grant_type", "client_credentials")])).await;
            refused(&world, &reply, (400, "invalid_request"), header);
        }
    }
}

#[tokio::test]
async fn row_6_scopes_that_the_client_does_not_have() {
    for world in worlds().await {
        let (id, secret) = client(&world, "connect:accounts:read").await;
        let long = "connect:accounts:read ".repeat(20_000);
        let huge = "x ".repeat(600_000);
        for (scope, expected) in [
            ("*", (400, "invalid_scope")),
            ("nonsense", (400, "invalid_scope")),
            ("credentials:read", (400, "invalid_scope")),
            ("credentials:freeze", (400, "invalid_scope")),
            ("connect:accounts:read connect:accounts:write", (400, "invalid_scope")),
            ("CONNECT:ACCOUNTS:READ", (400, "invalid_scope")),
            (&long, (400, "invalid_scope")),
            (&huge, (413, "body_too_large")),
        ] {
            let mut body = grant(&id, &secret);
            body["scope"] = json!(scope);
            refused(&world, &token_request(&world, body).await, expected, scope);
        }
        assert_eq!(world.count("select count(*) from access_tokens").await, 1, "the world's own");
    }
}

#[tokio::test]
async fn row_7_bodies_that_are_no_token_request() {
    for world in worlds().await {
        let (id, secret) = client(&world, "*").await;
        let good = grant(&id, &secret).to_string();
        for (kind, body, expected) in [
            ("text/plain", good.as_str(), (415, "invalid_request")),
            ("", &good, (415, "invalid_request")),
            ("application/json", "[1]", (400, "invalid_request")),
            (
                "application/json",
                "[[\"grant_type\",\"client_credentials\"]]",
                (400, "invalid_request"),
            ),
            ("application/json", "null", (400, "invalid_request")),
            ("application/json", "{", (400, "invalid_request")),
            ("application/json", "", (400, "invalid_request")),
        ] {
            let request = world.http.post(format!("{}/v1/oauth/token", world.url));
            let request = request.header("content-type", kind).body(body.to_owned());
            refused(&world, &read(request).await, expected, body);
        }
    }
}

#[tokio::test]
async fn row_8_a_wrong_checksum_is_refused_without_the_store() {
    for world in worlds().await {
        let mut mistyped = world.project.key.clone();
        let last = if mistyped.ends_with('0') { '1' } else { '0' };
        mistyped.pop();
        mistyped.push(last);
        world.app.db.close().await;
        refused(&world, &users(&world, &mistyped).await, (401, "invalid_token"), "mistyped");
        let unknown = grantkeep_vault::token::key("gk_key");
        let reply = users(&world, unknown.expose()).await;
        refused(&world, &reply, (503, "store_unavailable"), "this one is looked up");
    }
}

#[tokio::test]
async fn row_9_unknown_revoked_and_expired_bearers_are_told_the_same() {
    for world in worlds().await {
        let (id, secret) = client(&world, "*").await;
        let token = token_request(&world, grant(&id, &secret)).await.json();
        let revoked = token["access_token"].as_str().unwrap();
        let id = grantkeep::ids::ClientId::parse(&id).unwrap();
        grantkeep::projects::revoke_client(&world.app, &id).await.unwrap();
        let mut told = Vec::new();
        let unknown = grantkeep_vault::token::key("gk_access");
        for bearer in [unknown.expose(), revoked, "x", "gk_key_", "ctok_x"] {
            let reply = users(&world, bearer).await;
            refused(&world, &reply, (401, "invalid_token"), bearer);
            told.push(reply.text);
        }
        world.app.clock.shift(3_601_000);
        let reply = users(&world, &world.project.token).await;
        refused(&world, &reply, (401, "invalid_token"), "expired");
        told.push(reply.text);
        told.dedup();
        assert_eq!(told.len(), 1, "{told:?}");
    }
}

#[tokio::test]
async fn row_10_two_authorization_headers_are_refused() {
    for world in worlds().await {
        let url = format!("{}{}", world.url, world.path("/users"));
        let request = world.http.get(url).header("x-pd-environment", "development");
        let request = request.bearer_auth(&world.project.key).bearer_auth(&world.project.token);
        refused(&world, &read(request).await, (400, "invalid_request"), "two");
    }
}

#[tokio::test]
async fn row_11_a_bearer_of_100_kilobytes_closes_the_connection() {
    for world in worlds().await {
        let head = format!(
            "GET /v1/connect/users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
            "a".repeat(100_000)
        );
        let answer = raw(&world, head.as_bytes()).await;
        assert_eq!(status_of(&answer), 431, "{answer}");
        assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn row_12_bearers_with_odd_bytes() {
    for world in worlds().await {
        let path = world.path("/users");
        let ask = async |value: &[u8]| {
            let mut head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
            head.push_str("X-PD-Environment: development\r\nAuthorization: ");
            let head = [head.as_bytes(), value, b"\r\n\r\n"].concat();
            status_of(&raw(&world, &head).await)
        };
        let key = world.project.key.as_bytes();
        for (before, after) in [
            (&b"Bearer "[..], &b"\0"[..]),
            (b"Bearer \0", b""),
            (b"Bearer ", b"\rX"),
            (b"Bearer ", "\u{e9}".as_bytes()),
            (b"Bearer \xff", b""),
            (b"Bearer", b""),
            (b"Bearer ", b" x"),
            (b"Basic ", b""),
            (b"", b""),
        ] {
            let status = ask(&[before, key, after].concat()).await;
            assert!([400, 401].contains(&status), "{status} {before:?} {after:?}");
        }
        // The scheme is read in any case, and blanks around a value are none of it (RFC 9110
        // section 5.5).
        for before in ["Bearer ", "bearer ", "BEARER  "] {
            assert_eq!(ask(&[before.as_bytes(), key, b"  "].concat()).await, 200, "{before}");
        }
    }
}

#[tokio::test]
async fn row_13_credentials_in_the_url_are_refused_and_marked() {
    for world in worlds().await {
        let path = world.path("/users");
        let ask = async |query: &str| {
            world
                .call(Method::GET, &format!("{path}?{query}"), Some(&world.project.key), None)
                .await
        };
        for query in ["access_token=x", "api_key=x", "apikey=", "Authorization=Bearer+x"] {
            refused(&world, &ask(query).await, (401, "credentials_in_url"), query);
        }
        let keys = "select count(*) from api_keys where exposed_at_ms is not null";
        let clients = "select count(*) from api_clients where exposed_at_ms is not null";
        assert_eq!((world.count(keys).await, world.count(clients).await), (0, 0));
        let key = &world.project.key;
        for query in [format!("api_key={key}"), format!("q={key}"), format!("k=Bearer%20{key}")] {
            let reply = ask(&query).await;
            refused(&world, &reply, (401, "credentials_in_url"), "the key");
        }
        let access = format!("access_token={}", world.project.token);
        refused(&world, &ask(&access).await, (401, "credentials_in_url"), "the token");
        assert_eq!((world.count(keys).await, world.count(clients).await), (1, 1));
        assert_eq!(recorded(&world, "credential.exposed", "refused").await, 4);
        // It is for the operator to say whether it is revoked.
        assert_eq!(users(&world, key).await.status, 200);
    }
}

#[tokio::test]
async fn row_14_and_m_04_another_project_looks_like_none() {
    for world in worlds().await {
        let other = world.another_project(grantkeep::projects::Settings::default()).await;
        for (foreign, random) in [
            (format!("/v1/connect/{}/users", other.id), "/v1/connect/proj_nothere/users"),
            (format!("/v1/connect/projects/{}", other.id), "/v1/connect/projects/proj_nothere"),
        ] {
            let foreign = world.get(&foreign).await;
            let random = world.get(random).await;
            refused(&world, &foreign, (404, "not_found"), "foreign");
            assert_eq!(foreign.text, random.text);
        }
        assert_eq!(recorded(&world, "project.refused", "refused").await, 2);
    }
}

#[tokio::test]
async fn row_15_each_kind_of_token_opens_only_its_own_doors() {
    for world in worlds().await {
        let token = world.connect_token("ada").await;
        let before = stored(&world).await;
        let post = async |path: &str, bearer: &str, body: Value| {
            world.call(Method::POST, path, Some(bearer), Some(body)).await
        };
        let tokens = world.path("/tokens");
        let reply = post(&tokens, &token, json!({ "external_user_id": "eve" })).await;
        refused(&world, &reply, (401, "wrong_token_type"), "a connect token as a key");
        for bearer in [&world.project.key, &world.project.token] {
            let form = json!({ "app_slug": "sim_keys", "cfmap_json": "{}" });
            let reply = post(&world.path("/accounts"), bearer, form).await;
            refused(&world, &reply, (401, "wrong_token_type"), "a key as a connect token");
        }
        let page = format!("/_static/connect.html?token={}&app=sim_keys", world.project.key);
        let page = world.call(Method::GET, &page, None, None).await;
        assert_eq!(page.status, 404);
        assert!(!page.text.contains(&world.project.key));
        assert_eq!(stored(&world).await, before);
    }
}

/// Two a minute, so that no slow machine gives one back while the test runs.
const TWO: [(&str, &str); 1] = [("failed_auth_per_minute_max", "2")];

#[tokio::test]
async fn row_16_a_08_wrong_secrets_from_one_address_are_limited() {
    for world in worlds_with(&TWO).await {
        let (id, secret) = client(&world, "*").await;
        for _ in 0..2 {
            let reply = token_request(&world, grant(&id, "wrong")).await;
            refused(&world, &reply, (401, "invalid_client"), "within the budget");
        }
        for _ in 0..20 {
            let reply = token_request(&world, grant(&id, "wrong")).await;
            refused(&world, &reply, (429, "rate_limited"), "beyond it");
            let header = |name: &str| reply.headers[name].to_str().unwrap().to_owned();
            let wait: u64 = header("retry-after").parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
            assert_eq!(header("ratelimit-policy"), r#""failed-auth";q=2;w=60"#);
            assert_eq!(header("ratelimit"), format!(r#""failed-auth";r=0;t={wait}"#));
        }
        // The budget is one for all doors, and what is beyond it leaves no trace.
        let unknown = grantkeep_vault::token::key("gk_key");
        for bearer in [unknown.expose(), "nonsense"] {
            refused(&world, &users(&world, bearer).await, (429, "rate_limited"), bearer);
        }
        let in_url = format!("{}?api_key={}", world.path("/users"), world.project.key);
        let in_url = world.call(Method::GET, &in_url, None, None).await;
        refused(&world, &in_url, (429, "rate_limited"), "in the URL");
        assert_eq!(recorded(&world, "access_token.create", "refused").await, 2);
        // Who has a right one goes on, from the same address.
        assert_eq!(token_request(&world, grant(&id, &secret)).await.status, 200);
        assert_eq!(users(&world, &world.project.key).await.status, 200);
        assert_eq!(users(&world, &key(&world, "*").await).await.status, 200);
        world.app.clock.shift(61_000);
        let reply = token_request(&world, grant(&id, "wrong")).await;
        refused(&world, &reply, (401, "invalid_client"), "a minute later");
    }
}

#[tokio::test]
async fn row_16_addresses_are_those_that_a_trusted_proxy_names() {
    let settings = [TWO[0], ("trusted_proxies", "127.0.0.0/8")];
    for world in worlds_with(&settings).await {
        let ask = async |from: &str| {
            let request = world.http.get(format!("{}{}", world.url, world.path("/users")));
            let request = request.header("x-forwarded-for", from).bearer_auth("wrong");
            read(request).await.status.as_u16()
        };
        for from in ["203.0.113.1", "203.0.113.2", "2001:db8:0:1::1", "2001:db8:0:2::1"] {
            assert_eq!(
                [ask(from).await, ask(from).await, ask(from).await],
                [401, 401, 429],
                "{from}"
            );
        }
        // What the client wrote in front counts for nothing; of IPv6 the /64 counts.
        assert_eq!(ask("198.51.100.9, 203.0.113.1").await, 429);
        assert_eq!(ask("2001:db8:0:1:ffff::9").await, 429);
    }
    // Without a trusted proxy, nobody else's address can be worn.
    let world = World::sqlite(&TWO).await;
    let mut told = Vec::new();
    for nth in 1..=3 {
        let request = world.http.get(format!("{}{}", world.url, world.path("/users")));
        let request = request.header("x-forwarded-for", format!("203.0.113.{nth}"));
        told.push(read(request.bearer_auth("wrong")).await.status.as_u16());
    }
    assert_eq!(told, [401, 401, 429]);
}
