//! The credential of a call: fresh, renewed once after a refusal, signed where the app wants that,
//! and not given while it is held back.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures::future::join_all;
use grantkeep::accounts::Account;
use grantkeep_oauth::aws::{Payload, Signer, Target};
use grantkeep_simulator::{Endpoint, Fault, Times};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::lab::{KEY, Kind, labs_of};
use super::signature::connected;
use super::upstream::{Do, answer, status};
use crate::world::{Reply, World, read, worlds};

fn request(world: &World, account: &str, method: Method, target: &str) -> RequestBuilder {
    let path = world.path(&format!("/proxy?account_id={account}&external_user_id=ada"));
    let request = world.http.request(method, format!("{}{path}", world.url));
    let request = request.bearer_auth(&world.project.key).header("x-pd-environment", "development");
    request.header("x-grantkeep-target", target)
}

async fn get(world: &World, account: &Account, target: &str) -> Reply {
    read(request(world, account.id.as_str(), Method::GET, target)).await
}

#[tokio::test]
async fn t_12_a_token_that_has_ended_is_refreshed_before_the_call() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        let answers = join_all((0..8).map(|_| get(&world, &account, "/api/me"))).await;
        assert!(answers.iter().all(|it| it.status == 200), "{answers:?}");
        let counters = world.provider.counters("rotating");
        assert_eq!((counters.token_refresh, counters.illegal_reuse, counters.api_401), (1, 0, 0));
    }
}

#[tokio::test]
async fn p_11_row_81_a_refused_token_is_renewed_and_the_call_made_again() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        world.provider.expire_access_tokens("rotating");
        let id = account.id.as_str();
        let body = json!({ "k": "v" });
        let post = request(&world, id, Method::POST, "/api/echo").json(&body);
        let reply = read(post).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["body"], body.to_string(), "the body went again, whole");
        let counters = world.provider.counters("rotating");
        assert_eq!((counters.token_refresh, counters.api_401, counters.api_calls), (1, 1, 2));
    }
}

#[tokio::test]
async fn p_11_a_body_too_large_to_keep_is_not_sent_again() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        world.provider.expire_access_tokens("rotating");
        let post = request(&world, account.id.as_str(), Method::POST, "/api/echo");
        let reply = read(post.body("x".repeat(600_000))).await;
        assert_eq!(reply.status, 401, "{reply:?}");
        assert!(!reply.headers.contains_key("x-grantkeep-error"), "it is the app's own answer");
        let counters = world.provider.counters("rotating");
        assert_eq!((counters.token_refresh, counters.api_calls), (0, 1));
    }
}

#[tokio::test]
async fn p_11_row_82_an_app_that_refuses_for_ever_is_asked_for_one_token_a_minute() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        let no = Fault::Status { status: 401, retry_after_s: None };
        world.provider.fault("rotating", Endpoint::Echo, no, Times::Always);
        let storm = || async {
            let answers = join_all((0..16).map(|_| get(&world, &account, "/api/echo"))).await;
            for _ in 0..5 {
                assert_eq!(get(&world, &account, "/api/echo").await.status, 401);
            }
            answers
        };
        assert!(storm().await.iter().all(|it| it.status == 401));
        assert_eq!(world.provider.counters("rotating").token_refresh, 1);
        world.later(61_000);
        assert!(storm().await.iter().all(|it| it.status == 401));
        assert_eq!(world.provider.counters("rotating").token_refresh, 2);
        assert_eq!(world.provider.counters("rotating").illegal_reuse, 0);
    }
}

#[tokio::test]
async fn p_11_a_newer_credential_does_not_go_where_the_former_one_went() {
    let proxy = "[proxy.headers]\nauthorization = \"Bearer ${oauth_access_token}\"";
    let (base, fields) = ("http://UPSTREAM/${place}", &[("place", "former")]);
    for lab in labs_of(Kind { base, proxy, fields, bound: true, ..Kind::default() }).await {
        for (place, calls) in [("former", 2), ("newer", 1)] {
            let (came, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let mut refused = vec![Do::Tell(Arc::clone(&came)), Do::Await(Arc::clone(&go))];
            refused.extend(status(401, "", ""));
            lab.upstream.script([refused, answer("", "")]);
            let before = lab.upstream.seen().len();
            let meanwhile = async {
                came.notified().await;
                lab.reconnect(&[("place", place)]).await;
                go.notify_one();
            };
            let (reply, ()) = tokio::join!(lab.get("/x"), meanwhile);
            assert_eq!(reply.status, if calls == 2 { 200 } else { 401 }, "{place}: {reply:?}");
            assert_eq!(lab.upstream.seen().len() - before, calls, "{place}");
        }
        assert_eq!(lab.get("/x").await.status, 200);
        assert_eq!(lab.upstream.last().line, "GET /newer/x HTTP/1.1");
    }
}

#[tokio::test]
async fn p_11_a_renewal_that_fails_leaves_the_apps_answer() {
    for world in worlds().await {
        let account = world.connected("static", "ada").await;
        world.provider.expire_access_tokens("static");
        let down = Fault::Status { status: 503, retry_after_s: None };
        world.provider.fault("static", Endpoint::TokenRefresh, down, Times::Always);
        for _ in 0..5 {
            let reply = get(&world, &account, "/api/me").await;
            assert_eq!(reply.status, 401, "{reply:?}");
            assert!(reply.headers.contains_key("www-authenticate"));
        }
        assert_eq!(world.provider.counters("static").token_refresh, 1, "a failed one rests");
    }
}

#[tokio::test]
async fn a_dead_account_is_told_as_when_its_credentials_are_asked_for() {
    for world in worlds().await {
        let account = world.expired("rotating", "ada").await;
        world.provider.revoke_user_grants("rotating", "ada");
        for _ in 0..2 {
            let reply = get(&world, &account, "/api/me").await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (409, "reauth_required"));
            assert_eq!(reply.headers["x-grantkeep-error"], "reauth_required");
        }
        assert_eq!(world.provider.counters("rotating").api_calls, 0);
    }
}

#[tokio::test]
async fn o_07_what_is_frozen_is_not_used() {
    for world in worlds().await {
        let account = world.connected("rotating", "ada").await;
        assert_eq!(get(&world, &account, "/api/me").await.status, 200);
        let path = world.path("/freeze");
        let frozen =
            world.call(Method::PUT, &path, Some(&world.project.key), Some(json!({}))).await;
        assert!(frozen.status.is_success(), "{frozen:?}");
        let reply = get(&world, &account, "/api/me").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (403, "frozen"));
        assert_eq!(world.provider.counters("rotating").api_calls, 1);
    }
}

#[tokio::test]
async fn f_19_calls_to_an_app_with_oauth_1_are_signed_query_and_form() {
    for world in worlds().await {
        let account = connected(&world).await;
        let echo =
            |method, query: &str| request(&world, &account, method, &format!("/api/echo{query}"));
        let reply = read(echo(Method::GET, "?b=2&a=%20x%2F&a=1")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["user"], "ada");
        let form = [("note", "a b&c=d\u{e9}"), ("z", "")];
        let reply = read(echo(Method::POST, "?q=1").form(&form)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.json()["body"].as_str().unwrap().contains("note=a+b%26c%3Dd%C3%A9"));
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            let reply = read(echo(method, "").json(&json!({ "k": [1] }))).await;
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        let counters = world.provider.counters("oauth1");
        assert_eq!((counters.bad_signature, counters.api_401), (0, 0));
    }
}

/// The claims of a JWT, unproved: what is signed is the leaf's own test.
fn claims(jwt: &str) -> Value {
    let part = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_goes_with_a_fresh_proof() {
    let proxy = "[proxy.headers]\nauthorization = \"Bearer ${oauth_access_token}\"";
    let kind = Kind { proxy, fields: &[], bound: true, ..Kind::default() };
    for lab in labs_of(kind).await {
        let challenge = "www-authenticate: DPoP error=\"use_dpop_nonce\"\r\ndpop-nonce: n-1\r\n";
        lab.upstream.script([status(401, challenge, ""), answer("dpop-nonce: n-2\r\n", "ok")]);
        let reply = read(lab.request(Method::POST, "/x?q=1").body("body")).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, "ok"));
        assert_eq!(lab.get("/y").await.status, 200);
        let seen = lab.upstream.seen();
        let proofs: Vec<Value> = seen.iter().map(|it| claims(it.header("dpop").unwrap())).collect();
        let nonces: Vec<&Value> = proofs.iter().map(|it| &it["nonce"]).collect();
        assert_eq!(nonces, [&Value::Null, &json!("n-1"), &json!("n-2")]);
        assert_eq!((&proofs[1]["htm"], &proofs[2]["htm"]), (&json!("POST"), &json!("GET")));
        assert_eq!(proofs[1]["htu"], format!("http://{}/base/x", lab.upstream.address));
        assert_ne!(proofs[0]["jti"], proofs[1]["jti"]);
        for it in &seen {
            assert_eq!(it.header("authorization"), Some(format!("DPoP {KEY}").as_str()));
        }
        assert_eq!(seen[1].body, b"body");
        // An app that wants a nonce for ever is asked twice and no more.
        lab.upstream.script([status(401, challenge, ""), status(401, challenge, "")]);
        assert_eq!(lab.get("/z").await.status, 401);
        assert_eq!(lab.upstream.seen().len(), 5);
    }
}

#[tokio::test]
async fn calls_to_aws_are_signed_as_they_are_sent() {
    let proxy = "[proxy.aws4]\naccess_key_id = \"AKIDEXAMPLE\"\n\
                 secret_access_key = \"${api_key}\"\nregion = \"eu-west-1\"\nservice = \"sqs\"";
    for lab in labs_of(Kind { proxy, ..Kind::default() }).await {
        let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let json = lab.request(Method::POST, "/q?b=2&a=1%20x").json(&json!({ "k": 1 }));
        assert_eq!(read(json.header("x-pd-proxy-x-amz-target", "Do")).await.status, 200);
        assert_eq!(lab.get("/q").await.status, 200);
        // With the hash told, the body need not be read first.
        let told = lab.request(Method::PUT, "/q").header("x-pd-proxy-x-amz-content-sha256", hash);
        assert_eq!(read(told.body("x".repeat(2_000_000))).await.status, 200);
        let bodies = [Payload::Bytes(b"{\"k\":1}"), Payload::Bytes(b""), Payload::Sha256(hash)];
        for (seen, payload) in lab.upstream.seen().iter().zip(bodies) {
            let (method, target) = seen.line.split_once(' ').unwrap();
            let target = target.split(' ').next().unwrap();
            let url = format!("http://{}{target}", lab.upstream.address);
            let headers: Vec<(&str, &str)> =
                seen.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
            let date = seen.header("x-amz-date").unwrap();
            let form =
                time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
            let now = time::PrimitiveDateTime::parse(date, form).unwrap().assume_utc();
            let signer = Signer {
                access_key_id: "AKIDEXAMPLE",
                secret_access_key: &grantkeep_oauth::Secret::new(KEY),
                session_token: None,
                region: "eu-west-1",
                service: "sqs",
                double_encode: true,
                content_header: false,
                now_s: now.unix_timestamp(),
                allow_loopback_http: true,
            };
            let signed = signer.sign(&Target { method, url: &url, headers: &headers, payload });
            let signed = signed.unwrap();
            let expected = signed.iter().find(|(name, _)| *name == "authorization").unwrap();
            assert_eq!(seen.header("authorization"), Some(expected.1.expose()), "{seen:?}");
        }
        let large = lab.request(Method::POST, "/q").body("x".repeat(2_000_000));
        assert_eq!(read(large).await.status, 413);
        // As scripts write a space; it is sent as what is signed.
        assert_eq!(lab.get("/a+b?x=c+d%2Be&acl").await.status, 200);
        assert_eq!(lab.upstream.last().line, "GET /base/a+b?x=c%20d%2Be&acl HTTP/1.1");
    }
}

#[tokio::test]
async fn keys_and_passwords_go_where_the_app_wants_them() {
    for world in worlds().await {
        for (app, fields) in [
            ("sim_keys", json!({ "api_key": "sim_live_proxied" })),
            (
                "sim_basic",
                json!({ "workspace": "acme", "username": "ada",
                    "password": grantkeep_simulator::PASSWORD }),
            ),
        ] {
            let token = world.connect_token("ada").await;
            let body = json!({ "app_slug": app, "cfmap_json": fields.to_string() });
            let path = world.path("/accounts");
            let made = world.call(Method::POST, &path, Some(&token), Some(body)).await;
            assert_eq!(made.status, 200, "{made:?}");
            let id = made.json()["id"].as_str().unwrap().to_owned();
            let reply = read(request(&world, &id, Method::GET, "/api/verify")).await;
            assert_eq!((reply.status.as_u16(), &reply.json()["login"]), (200, &json!("ada")));
        }
    }
}
