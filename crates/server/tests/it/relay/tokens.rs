//! Placeholders become credentials on the way to the app's own hosts, and nowhere else.

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use grantkeep_simulator::PASSWORD;
use hyper::Request;
use reqwest::Method;
use serde_json::json;

use super::lab::{KEY, Lab, Run, client, got, labs, with_host};
use crate::connect::browser::Browser;
use crate::proxy::upstream::Seen;
use crate::world::worlds;
use grantkeep::ids::AccountId;
use grantkeep::projects::Settings;

fn form(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// As it stands between the quotes of a JSON text.
fn quoted(text: &str) -> String {
    let text = json!(text).to_string();
    text[1..text.len() - 1].to_owned()
}

/// Each kind of body that is a text, with the key as it is written there.
fn bodies() -> Vec<(&'static str, &'static str, String)> {
    let xml = "k3y/of+the=&quot;account&quot; &amp; &lt;more&gt;".to_owned();
    vec![
        ("application/json; charset=utf-8", r#"{"a":"TOKEN","b":"x TOKEN y"}"#, quoted(KEY)),
        ("application/vnd.api+json", r#"["TOKEN"]"#, quoted(KEY)),
        ("application/x-www-form-urlencoded", "token=TOKEN&x=1", form(KEY)),
        ("text/plain", "the TOKEN", KEY.to_owned()),
        ("application/xml", "<t a=\"TOKEN\">TOKEN</t>", xml.clone()),
        ("application/soap+xml", "<t>TOKEN</t>", xml),
        ("application/graphql", "{ a(key: \"TOKEN\") }", quoted(KEY)),
        ("multipart/form-data; boundary=b", "--b\r\n\r\nTOKEN\r\n--b--\r\n", KEY.to_owned()),
    ]
}

async fn everywhere(run: &Run, host: &str) {
    let token = run.token("api_key");
    let basic = BASE64_STANDARD.encode(format!("ada:{token}"));
    let request = Request::get(format!("/v1/bot{token}/x?key={token}&a={token}%20b"))
        .header("authorization", format!("Bearer {token}"))
        .header("x-part", format!("k=\"{token}\""))
        .header("x-basic", format!("basic {basic}"));
    assert_eq!(run.send(host, request.body(Body::empty()).unwrap()).await.status, 200);
    for (kind, body, _) in bodies() {
        let got = run.post(host, kind, body.replace("TOKEN", token)).await;
        assert_eq!(got.status, 200, "{kind}");
    }
}

fn body_of(seen: &Seen) -> &str {
    std::str::from_utf8(&seen.body).unwrap()
}

#[tokio::test]
async fn j_04_code_holds_placeholders_that_become_credentials_at_the_apps_own_hosts() {
    for lab in labs().await {
        let run = lab.run().await;
        let token = run.token("api_key");
        assert!(token.starts_with("gkblind_") && token.len() == 40, "{token}");
        assert_eq!(run.token("region"), "eu", "what is no secret is shown as it is");
        assert_ne!(lab.run().await.token("api_key"), token, "each run has its own");
        for host in ["raw.example", "cdn.files.example"] {
            let before = lab.own.seen().len();
            everywhere(&run, host).await;
            let seen = lab.own.seen().split_off(before);
            let path = "k3y%2Fof%2Bthe%3D%22account%22%20%26%20%3Cmore%3E";
            let line = format!("GET /v1/bot{path}/x?key={path}&a={path}%20b HTTP/1.1");
            assert_eq!(seen[0].line, line);
            let bearer = format!("Bearer {KEY}");
            assert_eq!(seen[0].header("authorization"), Some(bearer.as_str()));
            assert_eq!(seen[0].header("x-part"), Some(format!("k=\"{KEY}\"").as_str()));
            let basic = format!("basic {}", BASE64_STANDARD.encode(format!("ada:{KEY}")));
            assert_eq!(seen[0].header("x-basic"), Some(basic.as_str()));
            for (seen, (kind, body, key)) in seen[1..].iter().zip(bodies()) {
                assert_eq!(body_of(seen), body.replace("TOKEN", &key), "{kind}");
                let length = seen.body.len().to_string();
                assert_eq!(seen.header("content-length"), Some(length.as_str()), "{kind}");
            }
        }
    }
}

#[tokio::test]
async fn j_04_a_run_that_posts_its_auth_to_another_host_leaks_nothing() {
    for lab in labs().await {
        let run = lab.run().await;
        everywhere(&run, "other.example").await;
        let auth = serde_json::Value::Object(run.auth.clone()).to_string();
        run.post("other.example", "application/json", auth).await;
        // Not under a name that looks like the app's, either.
        let seen = lab.other.seen();
        assert_eq!(seen.len(), bodies().len() + 2);
        for it in &seen {
            let all = format!("{} {:?} {}", it.line, it.headers, body_of(it));
            let basic = BASE64_STANDARD.encode(format!("ada:{KEY}"));
            for spelling in [KEY, &form(KEY), &quoted(KEY), &basic, "k3y/", "k3y%"] {
                assert!(!all.contains(spelling), "{all}");
            }
        }
        let token = run.token("api_key");
        assert!(seen[0].line.contains(token) && body_of(seen.last().unwrap()).contains(token));
        assert!(lab.own.seen().is_empty());
    }
}

#[tokio::test]
async fn j_04_a_placeholder_of_another_run_is_worth_nothing() {
    for lab in labs().await {
        let (first, second) = (lab.run().await, lab.run().await);
        let body = format!("{} {}", first.token("api_key"), second.token("api_key"));
        first.post("raw.example", "text/plain", body).await;
        let expected = format!("{KEY} {}", second.token("api_key"));
        assert_eq!(body_of(&lab.own.last()), expected);
    }
}

#[tokio::test]
async fn j_04_large_and_binary_bodies_pass_as_they_are() {
    for lab in labs().await {
        let run = lab.run().await;
        let token = run.token("api_key");
        let large = format!("{}{token}", "x".repeat(3_000_000));
        let got = run.post("raw.example", "text/plain", large.clone()).await;
        assert_eq!(got.status, 200, "{got:?}");
        assert!(lab.own.last().body == large.as_bytes(), "changed on the way");
        // The same without a length, so that it shows only while it is read.
        let pieces = large.as_bytes().chunks(100_000).map(|it| Ok::<_, String>(it.to_vec()));
        let stream = Body::from_stream(futures::stream::iter(pieces.collect::<Vec<_>>()));
        assert_eq!(run.post("raw.example", "text/plain", stream).await.status, 200);
        assert!(lab.own.last().header("transfer-encoding").is_some());
        let binary = format!("\0{token}");
        run.post("raw.example", "application/octet-stream", binary.clone()).await;
        assert_eq!(body_of(&lab.own.last()), binary);
        let request = Request::post("/x").header("content-type", "text/plain");
        let request = request.header("content-encoding", "br").body(Body::from(binary.clone()));
        run.send("raw.example", request.unwrap()).await;
        assert_eq!(body_of(&lab.own.last()), binary);
    }
}

#[tokio::test]
async fn a_run_with_raw_tokens_has_them_and_no_placeholder() {
    for lab in labs().await {
        let run = lab.raw_run().await;
        assert_eq!(run.token("api_key"), KEY);
        let got = run.post("other.example", "text/plain", KEY).await;
        assert_eq!(got.status, 200);
        assert_eq!(body_of(&lab.other.last()), KEY, "it is the code's to keep");
        let log = run.grants.scrubber().text(format!("sent {KEY}"));
        assert_eq!(log, "sent [redacted]");
        let call = run.grants.take_calls().pop().unwrap();
        assert_eq!(call.account, None);
    }
}

#[tokio::test]
async fn several_requests_go_over_one_connection() {
    for lab in labs().await {
        let run = lab.run().await;
        let mut client = run.client("raw.example").await;
        for nth in 0..3 {
            client.ready().await.unwrap();
            let request = Request::get(format!("/{nth}")).header("te", "trailers");
            let request =
                request.header("connection", "keep-alive, x-inner").header("x-inner", "1");
            let request = with_host(request.body(Body::empty()).unwrap(), "raw.example:443");
            assert_eq!(got(client.send_request(request).await.unwrap()).await.status, 200);
        }
        let seen = lab.own.seen();
        assert_eq!((seen.len(), seen[0].connection, seen[2].connection), (3, 1, 1));
        assert_eq!(seen[2].names(), ["accept-encoding", "host"]);
    }
}

#[tokio::test]
async fn calls_with_a_credential_are_written_down_before_they_are_made() {
    for lab in labs().await {
        let run = lab.run().await;
        let token = run.token("api_key").to_owned();
        run.get("raw.example", &format!("/a/{token}?q={token}")).await;
        run.get("other.example", "/b").await;
        let calls = run.grants.take_calls();
        let shown: Vec<_> =
            calls.iter().map(|it| (it.host.as_str(), it.path.as_str(), it.status)).collect();
        assert_eq!(
            shown,
            [("raw.example", "/a/[redacted]", Some(200)), ("other.example", "/b", Some(200))]
        );
        assert_eq!(calls[0].account.as_ref(), Some(&lab.account));
        assert_eq!(calls[1].account, None);
        lab.world.app.audit.settle().await;
        let log = lab.world.dump("audit_events").await;
        assert_eq!(log.matches("code.request").count(), 1, "{log}");
        assert!(!log.contains(&KEY[..6]) && !log.contains(&token));
    }
}

#[tokio::test]
async fn keys_and_passwords_go_where_code_puts_them() {
    for world in worlds().await {
        let host = world.provider.base_url().trim_start_matches("http://").to_owned();
        let (ip, port) = host.split_once(':').unwrap();
        for (app, fields, path) in [
            ("sim_keys", json!({ "api_key": "sim_live_relayed" }), "/keys/api/verify"),
            (
                "sim_basic",
                json!({ "workspace": "acme", "username": "ada", "password": PASSWORD }),
                "/basic/w/acme/api/verify",
            ),
        ] {
            let token = world.connect_token("ada").await;
            let body = json!({ "app_slug": app, "cfmap_json": fields.to_string() });
            let path_made = world.path("/accounts");
            let made = world.call(Method::POST, &path_made, Some(&token), Some(body)).await;
            let id = AccountId::parse(made.json()["id"].as_str().unwrap()).unwrap();
            let run = Run::of(&world, &id, Settings::default()).await;
            let request = if app == "sim_keys" {
                Request::get(path).header("x-api-key", run.token("api_key"))
            } else {
                let pair = format!("{}:{}", run.token("username"), run.token("password"));
                let pair = BASE64_STANDARD.encode(pair);
                Request::get(path).header("authorization", format!("Basic {pair}"))
            };
            let mut client = client(run.plain(ip, port.parse().unwrap())).await;
            let request = with_host(request.body(Body::empty()).unwrap(), &host);
            let got = got(client.send_request(request).await.unwrap()).await;
            assert!(got.status == 200 && got.text.contains("ada"), "{app}: {got:?}");
        }
    }
}

#[tokio::test]
async fn f_19_requests_of_code_to_an_app_with_oauth_1_are_signed() {
    for world in worlds().await {
        world.oauth_app("oauth1").await;
        let token = world.connect_token("ada").await;
        let browser = Browser::new(&world);
        let page = browser.page(&token, "sim_oauth1").await;
        let started = page.start().await;
        let back = browser.consent(&started).await;
        assert_eq!(browser.visit(&back).await.status, 200);
        let id = page.status(&started.flow).await["account_id"].as_str().unwrap().to_owned();
        let id = AccountId::parse(&id).unwrap();
        let run = Run::of(&world, &id, Settings::default()).await;
        let base = world.provider.base_url().to_owned();
        let host = base.trim_start_matches("http://").to_owned();
        let (ip, port) = host.split_once(':').unwrap();
        let kind = "application/x-www-form-urlencoded";
        let send = async |request: Request<Body>| {
            let mut client = client(run.plain(ip, port.parse().unwrap())).await;
            got(client.send_request(with_host(request, &host)).await.unwrap()).await
        };
        let path = "/oauth1/api/echo?b=2&a=%20x";
        for method in ["GET", "HEAD", "OPTIONS", "DELETE"] {
            let request = Request::builder().method(method).uri(path);
            let got = send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(got.status, 200, "{method}: {got:?}");
        }
        let body = Body::from("note=a+b%26c&z=");
        let post = Request::post(path).header("content-type", kind).body(body).unwrap();
        assert_eq!(send(post).await.status, 200);
        // Or the code asks for the header, and sends it itself.
        let url = format!("{base}{path}");
        let pairs = [("note".to_owned(), "a b&c".to_owned())];
        let sign = async |url: &str| {
            let (app, grants) = (&world.app, &run.grants);
            grantkeep::relay::oauth1_authorization(app, grants, &id, ("post", url), &pairs).await
        };
        let header = sign(&url).await.unwrap();
        let post = Request::post(path).header("content-type", kind).header("authorization", header);
        assert_eq!(send(post.body(Body::from("note=a+b%26c")).unwrap()).await.status, 200);
        let refused = sign("https://evil.example/").await.unwrap_err();
        assert_eq!(refused.kind().code, "host_not_allowed");
        let counters = world.provider.counters("oauth1");
        assert_eq!((counters.bad_signature, counters.api_401), (0, 0));
    }
}

#[tokio::test]
async fn o_07_what_is_frozen_is_not_put_in() {
    let lab = Lab::open(false, &[]).await;
    let run = lab.run().await;
    let path = lab.world.path("/freeze");
    let key = Some(lab.world.project.key.as_str());
    let frozen = lab.world.call(Method::PUT, &path, key, Some(json!({}))).await;
    assert!(frozen.status.is_success(), "{frozen:?}");
    let got = run.post("raw.example", "text/plain", run.token("api_key").to_owned()).await;
    assert_eq!((got.status, got.code()), (403, "frozen"));
    assert!(lab.own.seen().is_empty());
}
