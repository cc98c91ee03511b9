//! Where code may not go, and what it may not say.

use std::sync::Arc;

use axum::body::Body;
use grantkeep::app::{App, Parts};
use grantkeep::config::Config;
use grantkeep::egress::{Egress, Resolve};
use grantkeep::projects::{CodeHosts, Settings};
use hyper::Request;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::lab::{Lab, Run, labs, until_closed};
use crate::proxy::upstream::Do;
use crate::world::World;

fn code(run: &Run, host: &str, port: u16) -> &'static str {
    run.admit(host, port).map_or_else(|error| error.kind().code, |_| "")
}

/// The same installation without what the development profile allows.
fn strict(world: &World, resolve: Resolve) -> Arc<App> {
    let app = &world.app;
    let config = Config::from_pairs(&[]).unwrap();
    App::new(Parts {
        config: app.config.clone(),
        db: app.db.clone(),
        clock: app.clock.clone(),
        keys: app.keys.clone(),
        cursors: app.cursors.clone(),
        egress: Egress::with_resolver(&config, resolve).unwrap(),
        catalog: app.catalog.clone(),
        audit: app.audit.clone(),
    })
}

fn to(addresses: &'static [&'static str]) -> Resolve {
    Arc::new(move |_| {
        Box::pin(async { Ok(addresses.iter().map(|it| it.parse().unwrap()).collect()) })
    })
}

#[tokio::test]
async fn j_03_row_97_code_reaches_nothing_inside() {
    for lab in labs().await {
        let mut run = lab.run().await;
        run.app = strict(&lab.world, to(&["127.0.0.1"]));
        let tripwire = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = tripwire.local_addr().unwrap().port();
        for host in [
            "127.0.0.1",
            "0x7f.1",
            "2130706433",
            "localhost",
            "a.localhost",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "fd00::1",
            "metadata.google.internal",
            "METADATA.google.internal.",
            "fe80::1",
        ] {
            for port in [443, 80, 8443, port, 5432] {
                assert_eq!(code(&run, host, port), "address_not_allowed", "{host}:{port}");
            }
        }
        for (host, port) in [("public.example", 22), ("public.example", 5432), ("1.1.1.1", 53)] {
            assert_eq!(code(&run, host, port), "address_not_allowed", "{host}:{port}");
        }
        for host in
            ["", ".", "a b", "a/b", "a..", "/run/grantkeep/broker.sock", "a@b", "a:1", "%00"]
        {
            assert_eq!(code(&run, host, 443), "invalid_target", "{host:?}");
        }
        // A name that leads inside is refused at the look-up, whatever it said before.
        let got = run.get("inside.example", "/").await;
        assert_eq!((got.status, got.code()), (502, "upstream_unreachable"));
        assert!(!got.text.contains("127."), "{got:?}");
        let plain = until_closed(
            run.plain("inside.example", 80),
            b"GET / HTTP/1.1\r\nhost: inside.example\r\nconnection: close\r\n\r\n",
        )
        .await;
        assert!(plain.contains("x-grantkeep-error: scheme_not_allowed\r\n"), "{plain}");
        let touched = tokio::time::timeout(std::time::Duration::from_millis(20), tripwire.accept());
        assert!(touched.await.is_err(), "somebody connected inside");
    }
}

#[tokio::test]
async fn j_03_e_05_a_name_that_turns_inside_is_not_connected_to_for_code() {
    for lab in labs().await {
        let mut run = lab.run().await;
        // First a public address and an inner one, which spoils it; then the inner one alone.
        run.app = strict(&lab.world, to(&["1.1.1.1", "10.0.0.1"]));
        for _ in 0..3 {
            let got = run.get("turning.example", "/").await;
            assert_eq!((got.status, got.code()), (502, "upstream_unreachable"));
        }
        let call = run.grants.take_calls().pop().unwrap();
        assert_eq!((call.status, call.error), (None, Some("upstream_unreachable")));
    }
}

#[tokio::test]
async fn j_03_a_projects_code_goes_only_where_the_project_lets_it() {
    for lab in labs().await {
        let of = async |hosts: Option<&[&str]>| {
            let hosts: Option<Vec<String>> =
                hosts.map(|it| it.iter().map(ToString::to_string).collect());
            let code_hosts = hosts.map(|it| CodeHosts::parse(&it).unwrap());
            let settings = Settings { code_hosts, ..Settings::default() };
            Run::of(&lab.world, &lab.account, settings).await
        };
        let public = of(None).await;
        assert_eq!(code(&public, "other.example", 443), "");
        let own = of(Some(&[])).await;
        assert_eq!(code(&own, "other.example", 443), "host_not_allowed");
        assert_eq!(code(&own, "raw.example", 443), "", "the app's own hosts stay open");
        assert_eq!(code(&own, "cdn.files.example", 443), "");
        assert_eq!(code(&own, "evil-raw.example", 443), "host_not_allowed");
        let some = of(Some(&["*.example.com", "Other.Example"])).await;
        for (host, expected) in [
            ("OTHER.example.", ""),
            ("a.example.com", ""),
            ("example.com", "host_not_allowed"),
            ("evilexample.com", "host_not_allowed"),
            ("a.example.com.evil.org", "host_not_allowed"),
            ("1.1.1.1", "host_not_allowed"),
        ] {
            assert_eq!(code(&some, host, 443), expected, "{host}");
        }
        assert_eq!(some.get("other.example", "/").await.status, 200);
    }
}

#[tokio::test]
async fn j_03_the_hosts_of_a_projects_code_are_set_shown_and_audited() {
    for lab in labs().await {
        let world = &lab.world;
        let path = format!("/v1/connect/projects/{}", world.project.id);
        let key = Some(world.project.key.as_str());
        let patch = async |body| world.call(Method::PATCH, &path, key, Some(body)).await;
        assert_eq!(world.get(&path).await.json()["code_hosts"], json!(null));
        let set = patch(json!({ "code_hosts": ["*.B.example", "a.example", "a.example"] })).await;
        assert_eq!(set.json()["code_hosts"], json!(["*.b.example", "a.example"]), "{set:?}");
        let left = patch(json!({ "name": "Renamed" })).await;
        assert_eq!(left.json()["code_hosts"], json!(["*.b.example", "a.example"]));
        let wrong = patch(json!({ "code_hosts": ["https://a.example"] })).await;
        assert_eq!((wrong.status.as_u16(), wrong.code().as_str()), (400, "invalid_field"));
        assert_eq!(patch(json!({ "code_hosts": [] })).await.json()["code_hosts"], json!([]));
        let open = patch(json!({ "code_hosts": null })).await;
        assert_eq!(open.json()["code_hosts"], json!(null));
        world.app.audit.settle().await;
        assert!(world.dump("audit_events").await.contains("*.B.example"));
    }
}

#[tokio::test]
async fn j_03_requests_that_mean_another_host_or_can_be_read_in_two_ways_go_nowhere() {
    for lab in labs().await {
        let run = lab.run().await;
        let host = "host: raw.example\r\n";
        for (head, status, code) in [
            ("GET / HTTP/1.1\r\nhost: other.example\r\n".to_owned(), 400, "invalid_target"),
            ("GET / HTTP/1.1\r\nhost: raw.example:444\r\n".to_owned(), 400, "invalid_target"),
            ("GET / HTTP/1.1\r\n".to_owned(), 400, "invalid_target"),
            (format!("GET / HTTP/1.1\r\n{host}{host}"), 400, "invalid_target"),
            (format!("GET https://other.example/ HTTP/1.1\r\n{host}"), 400, "invalid_target"),
            (format!("GET http://raw.example/ HTTP/1.1\r\n{host}"), 400, "invalid_target"),
            (format!("OPTIONS * HTTP/1.1\r\n{host}"), 400, "invalid_target"),
            (format!("CONNECT other.example:443 HTTP/1.1\r\n{host}"), 405, "method_not_allowed"),
            (format!("TRACE / HTTP/1.1\r\n{host}"), 405, "method_not_allowed"),
            (
                format!("GET / HTTP/1.1\r\n{host}connection: upgrade\r\nupgrade: h2c\r\n"),
                400,
                "invalid_request",
            ),
            (
                format!(
                    "POST / HTTP/1.1\r\n{host}content-length: 4\r\ntransfer-encoding: chunked\r\n"
                ),
                400,
                "invalid_request",
            ),
            (
                format!("POST / HTTP/1.1\r\n{host}x: y\ncontent-length: 0\r\n"),
                400,
                "invalid_request",
            ),
        ] {
            let answer = run.bytes("raw.example", format!("{head}\r\n0\r\n\r\n").as_bytes()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
            assert!(answer.contains(&format!("x-grantkeep-error: {code}\r\n")), "{head}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "one answer, and the end: {answer}");
        }
        for nonsense in ["SSH-2.0-OpenSSH_9\r\n", "\0\0\0\0\r\n\r\n"] {
            let answer = run.bytes("raw.example", nonsense.as_bytes()).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
        }
        let over_443 = until_closed(run.plain("raw.example", 443), b"GET / HTTP/1.1\r\n").await;
        assert!(over_443.starts_with("HTTP/1.1 400") && over_443.contains("TLS"), "{over_443}");
        let on_80 = until_closed(run.plain("other.example", 80), b"\x00\x01\x02").await;
        assert!(on_80.starts_with("HTTP/1.1 400"), "{on_80}");
        assert!(lab.own.seen().is_empty() && lab.other.seen().is_empty());
    }
}

#[tokio::test]
async fn j_03_tls_is_for_the_host_of_the_connection_alone() {
    let lab = Lab::open(false, &[]).await;
    let run = lab.run().await;
    for name in ["other.example", "cdn.files.example", "127.0.0.1"] {
        assert!(run.secure("raw.example", name).await.is_err(), "{name}");
    }
    assert!(run.secure("raw.example", "RAW.example").await.is_ok());
    assert!(run.secure("1.1.1.1", "1.1.1.1").await.is_ok());
    // Another worker's authority vouches for nothing here.
    let mut stranger = lab.run().await;
    stranger.grants = Arc::clone(&run.grants);
    let ours = stranger.secure("raw.example", "raw.example").await;
    assert!(ours.is_err(), "its certificate was signed by the other authority");
}

#[tokio::test]
async fn j_02_a_run_that_is_over_reaches_nothing() {
    for lab in labs().await {
        let run = lab.run().await;
        let mut open = run.client("raw.example").await;
        let agreed = "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        lab.own.script([vec![Do::Send(agreed.into()), Do::Hang]]);
        let mut socket = run.secure("raw.example", "raw.example").await.unwrap();
        let asked = "GET / HTTP/1.1\r\nhost: raw.example\r\nconnection: upgrade\r\n\
                     upgrade: websocket\r\n\r\n";
        socket.write_all(asked.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        socket.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 101");
        run.grants.end();
        let _ = socket.read_to_end(&mut Vec::new()).await;
        assert_eq!(code(&run, "raw.example", 443), "run_over");
        let request = Request::get("/x").header("host", "raw.example");
        let answer = open.send_request(request.body(Body::empty()).unwrap()).await;
        assert!(answer.is_err(), "the connection ended with the run");
        assert_eq!(lab.own.seen().len(), 1);
    }
}
