//! Endpoints that are slow, dead, or answer oddly: nothing is lost, and nobody else waits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use grantkeep::app::{App, Parts};
use grantkeep::config::Config;
use grantkeep::egress::{Egress, Resolve};
use grantkeep::webhooks;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::receiver::{Receiver, Say};
use crate::world::{World, worlds};

const SECOND_MS: i64 = 1_000;
const HOUR_MS: i64 = 3_600 * SECOND_MS;
/// Longer than anything here takes; only a fault is waited for so long.
const PATIENCE: Duration = Duration::from_mins(1);

async fn deleted_only(world: &World, receiver: &Receiver) -> super::Made {
    world.endpoint_with(json!({ "url": receiver.url, "topics": ["account.deleted"] })).await
}

#[tokio::test]
async fn h_05_only_2xx_counts_and_redirects_are_not_followed() {
    for world in worlds().await {
        let (receiver, inside) = (Receiver::start().await, Receiver::start().await);
        deleted_only(&world, &receiver).await;
        let moved =
            format!("HTTP/1.1 301 Moved\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", inside.url);
        receiver.script(&[Say::Raw(moved.into_bytes()), Say::Status(204)]);
        world.news().await;
        world.deliver().await;
        let it = &world.deliveries("").await[0];
        assert_eq!((&it["state"], &it["last_status"]), (&json!("waiting"), &json!(301)), "{it}");
        assert_eq!(it["last_error"], "answered 301");
        world.later(6 * SECOND_MS);
        world.deliver().await;
        let it = &world.deliveries("").await[0];
        assert_eq!((&it["state"], &it["attempts"]), (&json!("delivered"), &json!(2)), "{it}");
        assert_eq!((receiver.count(), inside.count()), (2, 0));
    }
}

#[tokio::test]
async fn h_06_ten_tries_over_75_hours_then_failed_and_replayed() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        receiver.usually(Say::Status(500));
        let made = deleted_only(&world, &receiver).await;
        world.news().await;
        let began_ms = world.app.clock.now_ms();
        let mut tries = Vec::new();
        for _ in 0..100 * 12 {
            let before = receiver.count();
            world.deliver().await;
            tries.extend((before..receiver.count()).map(|_| world.app.clock.now_ms() - began_ms));
            if world.deliveries("&state=failed").await.len() == 1 {
                break;
            }
            world.app.clock.shift(HOUR_MS / 12);
        }
        assert_eq!(tries.len(), 10, "{tries:?}");
        assert!(*tries.last().unwrap() >= 75 * HOUR_MS, "{tries:?}");
        // Dead, and still there a month later; then gone.
        world.app.clock.shift(29 * 24 * HOUR_MS);
        webhooks::tidy(&world.app).await.unwrap();
        receiver.usually(Say::Status(200));
        let failed = world.deliveries("&state=failed").await;
        let wish = json!({ "delivery_id": failed[0]["id"] });
        let replayed = world.post(&world.path("/webhooks/replay"), wish.clone()).await;
        assert_eq!(replayed.json()["replayed"], 1, "{replayed:?}");
        world.deliver().await;
        let ids: BTreeSet<_> = receiver.posts().iter().map(|it| it.id().to_owned()).collect();
        let bodies: BTreeSet<_> = receiver.posts().into_iter().map(|it| it.body).collect();
        assert_eq!((receiver.count(), ids.len(), bodies.len()), (11, 1, 1));
        assert_eq!(world.condition(&made.id).await["state"], "happy");
        let again = world.post(&world.path("/webhooks/replay"), wish).await;
        assert_eq!((again.status.as_u16(), again.code()), (400, "invalid_request".into()));
        world.app.clock.shift(8 * 24 * HOUR_MS);
        webhooks::tidy(&world.app).await.unwrap();
        assert_eq!(world.count("select count(*) from webhook_deliveries").await, 0);
    }
}

#[tokio::test]
async fn h_06_news_to_a_dead_origin_of_connect_tokens_ends_after_five_days() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        receiver.usually(Say::HangUp);
        let connect = async |count: usize| {
            for _ in 0..count {
                let wish = json!({ "webhook_uri": receiver.url });
                let token = world.connect_token_with("ada", wish).await;
                let body = json!({ "app_slug": "sim_keys", "cfmap_json": "{\"api_key\":\"k\"}" });
                let path = "/v1/connect/accounts";
                let reply = world.call(reqwest::Method::POST, path, Some(&token), Some(body)).await;
                assert_eq!(reply.status, 200, "{reply:?}");
            }
        };
        connect(12).await;
        world.deliver().await;
        assert!(receiver.count() < 12, "the origin is spared");
        world.app.clock.shift((5 * 24 - 1) * HOUR_MS);
        connect(1).await;
        webhooks::tidy(&world.app).await.unwrap();
        assert_eq!(world.deliveries("&state=failed").await.len(), 0);
        world.app.clock.shift(HOUR_MS);
        webhooks::tidy(&world.app).await.unwrap();
        let failed = world.deliveries("&state=failed").await;
        assert!(failed.len() == 12 && failed.iter().any(|it| it["attempts"] == 0), "{failed:?}");
        let untried = failed.iter().find(|it| it["attempts"] == 0).unwrap();
        let text = "waited for 5 days at an endpoint that fails";
        assert_eq!(untried["last_error"], text);
        // What has come since is sent, and a replay sends the others.
        receiver.usually(Say::Status(200));
        world.deliver().await;
        assert_eq!(world.deliveries("&state=delivered").await.len(), 1);
        world.post(&world.path("/webhooks/replay"), json!({})).await;
        world.deliver().await;
        assert_eq!(world.deliveries("&state=delivered").await.len(), 13);
    }
}

#[tokio::test]
async fn h_08_a_dead_endpoint_delays_nobody_else() {
    for world in worlds().await {
        let (dead, alive) = (Receiver::start().await, Receiver::start().await);
        dead.usually(Say::Nothing);
        world.endpoint(&dead.url).await;
        world.endpoint(&alive.url).await;
        let stop = CancellationToken::new();
        let working = tokio::spawn(webhooks::run(Arc::clone(&world.app), stop.clone()));
        world.many(12).await;
        for _ in 0..12 {
            tokio::time::timeout(PATIENCE, alive.next()).await.unwrap();
        }
        // All of it arrived while the first that went to the dead one were still unanswered.
        assert!(dead.count() <= 4, "{}", dead.count());
        assert_eq!(dead.answered(), 0);
        stop.cancel();
        working.abort();
    }
}

/// However much of one project is due, the first of another is looked at beside its first.
#[tokio::test]
async fn h_08_a_crowd_of_endpoints_of_one_project_delays_no_other() {
    let endpoints = "insert into webhook_endpoints (id, project_id, environment, kind, url, \
                     former_until_ms, version, state, state_since_ms, failures, failing_since_ms, \
                     pause_until_ms, sheds, created_at_ms, updated_at_ms) with recursive n(i) as \
                     (select 1 union all select i + 1 from n where i < 1100) \
                     select 'wh_0000' || cast(i as text), $1, 'development', 'own', \
                     'https://a.example/', 0, 0, 'happy', 0, 0, 0, 0, 0, 0, 0 from n";
    let deliveries = "insert into webhook_deliveries (id, message_id, endpoint_id, project_id, \
                      environment, topic, state, attempts, next_at_ms, lease_until_ms, \
                      created_at_ms, queued_at_ms, updated_at_ms) select \
                      replace(id, 'wh_', 'dlv_'), 'msg', id, project_id, environment, \
                      'account.deleted', 'waiting', 0, 0, 0, 0, 0, 0 from webhook_endpoints \
                      where project_id = $1";
    for world in worlds().await {
        let crowd = world.another_project(grantkeep::projects::Settings::default()).await;
        for sql in [endpoints, deliveries] {
            let many = grantkeep::on!(world.app.db.write(), conn => sqlx::query(sql)
                .bind(&crowd.id).execute(conn).await.unwrap().rows_affected());
            assert_eq!(many, 1_100);
        }
        let receiver = Receiver::start().await;
        deleted_only(&world, &receiver).await;
        world.news().await;
        webhooks::round(&world.app).await.unwrap();
        assert_eq!(receiver.count(), 1, "in the first round");
        let left = "select count(*) from webhook_deliveries where state = 'waiting'";
        assert_eq!(world.count(left).await, 1_100 - 256);
    }
}

#[tokio::test]
async fn h_08_an_endpoint_that_fails_is_spared_and_recovers() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        receiver.usually(Say::Status(500));
        let made = world.endpoint(&receiver.url).await;
        world.many(30).await;
        world.deliver().await;
        let condition = world.condition(&made.id).await;
        assert_eq!(condition["state"], "penalty", "{condition}");
        assert!(receiver.count() <= 8, "{}", receiver.count());
        assert_eq!(condition["last_error"], "answered 500");
        for _ in 0..20 {
            world.app.clock.shift(31 * SECOND_MS);
            world.deliver().await;
        }
        assert_eq!(world.condition(&made.id).await["state"], "life_support");
        receiver.usually(Say::Status(200));
        for _ in 0..12 {
            world.app.clock.shift(5 * 60 * SECOND_MS);
            world.deliver().await;
        }
        let condition = world.condition(&made.id).await;
        assert_eq!(
            (&condition["state"], &condition["consecutive_failures"]),
            (&json!("happy"), &json!(0))
        );
        assert_eq!(world.deliveries("&state=delivered").await.len(), 30);
    }
}

/// X-19, time-scaled: down for a day by refusing, resetting and asking for time.
#[tokio::test]
async fn x_19_a_receiver_down_for_a_day_loses_nothing() {
    for world in worlds().await {
        let (receiver, other) = (Receiver::start().await, Receiver::start().await);
        world.endpoint(&receiver.url).await;
        world.endpoint(&other.url).await;
        receiver.usually(Say::HangUp);
        world.many(25).await;
        for nth in 0..24 {
            receiver.usually(match nth % 3 {
                0 => Say::HangUp,
                1 => Say::Status(503),
                _ => Say::Raw(b"\x15\x03\x01 this is no HTTP".to_vec()),
            });
            world.deliver().await;
            world.app.clock.shift(HOUR_MS);
        }
        assert_eq!(other.count(), 25, "others are told at once");
        assert!(receiver.count() >= 10, "it was tried all day: {}", receiver.count());
        receiver.usually(Say::Status(200));
        let before = receiver.count();
        for _ in 0..24 {
            world.app.clock.shift(HOUR_MS);
            world.deliver().await;
        }
        assert_eq!(world.deliveries("&state=delivered").await.len(), 50);
        assert_eq!(receiver.by_id().len(), 25, "nothing is lost");
        assert_eq!(receiver.count() - before, 25, "and nothing comes twice");
    }
}

#[tokio::test]
async fn x_19_an_expired_certificate_is_a_failure_like_any_other() {
    let keys = rcgen::KeyPair::generate().unwrap();
    let mut wanted = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    wanted.not_before = rcgen::date_time_ymd(2020, 1, 1);
    wanted.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let made = wanted.self_signed(&keys).unwrap();
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, made.pem()).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(keys.serialize_der()).unwrap();
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let spoken = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            assert!(acceptor.accept(stream).await.is_err(), "somebody trusts this");
        }
    });
    for world in crate::world::worlds_with(&[("egress_ca_file", file.to_str().unwrap())]).await {
        let made = world.endpoint(&url).await;
        world.many(1).await;
        world.deliver().await;
        let it = &world.deliveries("").await[0];
        assert_eq!((&it["state"], &it["attempts"]), (&json!("waiting"), &json!(1)), "{it}");
        assert_eq!(it["last_error"], "the address could not be reached");
        assert_eq!(world.condition(&made.id).await["consecutive_failures"], 1);
        assert!(!spoken.is_finished());
    }
}

/// the sender dies after the receiver took it, and before that is noted.
#[tokio::test]
async fn x_20_a_sender_that_dies_sends_again_with_the_same_id() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        deleted_only(&world, &receiver).await;
        receiver.script(&[Say::Nothing]);
        world.news().await;
        let app = Arc::clone(&world.app);
        let sender = tokio::spawn(async move { webhooks::round(&app).await.map(drop) });
        let first = tokio::time::timeout(PATIENCE, receiver.next()).await.unwrap();
        sender.abort();
        assert!(sender.await.unwrap_err().is_cancelled());
        // Held by the dead one, and not to be had before its lease ends.
        world.deliver().await;
        assert_eq!(receiver.count(), 1);
        world.later(61 * SECOND_MS);
        world.deliver().await;
        let second = tokio::time::timeout(PATIENCE, receiver.next()).await.unwrap();
        assert_eq!((first.id(), &first.body), (second.id(), &second.body));
        assert_eq!(world.deliveries("&state=delivered").await.len(), 1);
        world.later(76 * HOUR_MS);
        world.deliver().await;
        assert_eq!(receiver.count(), 2, "it is told once more, and then no more");
    }
}

#[tokio::test]
async fn row_88_urls_that_may_not_be_called_are_refused_when_they_are_stored() {
    for world in worlds().await {
        let long = format!("https://a.example/{}", "x".repeat(3_000));
        for url in [
            "https://user:pass@a.example/",
            "https://user@a.example/",
            "https://a.example/#f",
            "https://a.example:22/",
            "https://a.example:25/",
            "http://a.example/",
            "ftp://a.example/",
            "https://\u{430}pple.example/",
            "https://a.example/\n",
            "https://a.example/ x",
            "https://metadata.google.internal/",
            "//a.example/",
            "",
            long.as_str(),
        ] {
            let own = world.post(&world.path("/webhooks"), json!({ "url": url })).await;
            let put = world
                .call(
                    reqwest::Method::PUT,
                    &world.path("/webhook"),
                    Some(&world.project.key),
                    Some(json!({ "url": url })),
                )
                .await;
            let wish = json!({ "external_user_id": "u", "webhook_uri": url });
            let token = world.post(&world.path("/tokens"), wish).await;
            for reply in [own, put, token] {
                let told = (reply.status.as_u16(), reply.code());
                assert_eq!(told, (400, "url_not_allowed".into()), "{url}: {}", reply.text);
            }
        }
        let made = world.endpoint("https://a.example:8443/x?y=z").await;
        let path = world.path(&format!("/webhooks/{}", made.id));
        let bad = json!({ "url": "https://u@a.example/" });
        let patch =
            world.call(reqwest::Method::PATCH, &path, Some(&world.project.key), Some(bad)).await;
        assert_eq!(patch.code(), "url_not_allowed");
    }
}

/// The same installation with another way out.
fn with_resolver(world: &World, resolve: Resolve) -> Arc<App> {
    let app = &world.app;
    let strict = Config::from_pairs(&[]).unwrap();
    App::new(Parts {
        config: app.config.clone(),
        db: app.db.clone(),
        clock: app.clock.clone(),
        keys: app.keys.clone(),
        cursors: app.cursors.clone(),
        egress: Egress::with_resolver(&strict, resolve).unwrap(),
        catalog: app.catalog.clone(),
        audit: app.audit.clone(),
    })
}

fn always(answer: std::io::Result<Vec<&'static str>>) -> Resolve {
    let answer = answer.map_err(|it| it.kind());
    Arc::new(move |_| {
        let answer = match &answer {
            Ok(found) => Ok(found.iter().map(|it| it.parse().unwrap()).collect()),
            Err(kind) => Err(std::io::Error::from(*kind)),
        };
        Box::pin(async move { answer })
    })
}

#[tokio::test]
async fn row_89_names_that_lead_inside_are_never_connected_to() {
    for world in worlds().await {
        let tripwire = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = tripwire.local_addr().unwrap().port();
        let hundred = (0..100).map(|it| if it == 57 { "10.0.0.7" } else { "93.184.215.14" });
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let mut seen = 0;
        for resolve in [
            always(Err(missing())),
            always(Ok(vec![])),
            always(Ok(vec!["127.0.0.1"])),
            always(Ok(hundred.collect())),
            always(Ok(vec!["fd00::1"])),
            always(Ok(vec!["::ffff:169.254.169.254"])),
            turning(),
        ] {
            let made = world.endpoint("https://hooks.example:8443/x").await;
            world.many(1).await;
            let app = with_resolver(&world, resolve);
            for _ in 0..3 {
                webhooks::round(&app).await.unwrap();
                world.app.clock.shift(5 * 60 * SECOND_MS + SECOND_MS * 60);
            }
            let told = world.deliveries(&format!("&endpoint={}", made.id)).await;
            assert_eq!(told[0]["state"], "waiting", "{told:?}");
            assert!(told[0]["attempts"].as_i64().unwrap() >= 2, "{told:?}");
            assert_eq!(told[0]["last_error"], "the address could not be reached", "{told:?}");
            world.delete(&world.path(&format!("/webhooks/{}", made.id))).await;
            seen += 1;
        }
        assert_eq!(seen, 7);
        // Stored while loopback was allowed, and used when it is not.
        let made = world.endpoint(&format!("http://127.0.0.1:{port}/")).await;
        world.many(1).await;
        webhooks::round(&with_resolver(&world, always(Ok(vec![])))).await.unwrap();
        let told = world.deliveries(&format!("&endpoint={}", made.id)).await;
        assert_eq!(told[0]["attempts"], 1, "{told:?}");
        let none = std::pin::pin!(tripwire.accept());
        assert!(futures::poll!(none).is_pending(), "somebody connected");
    }
}

/// Another answer at each later look-up. (That a name is not followed from an address that may be
/// called to one that may not is held in the tests of `egress`.)
fn turning() -> Resolve {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    Arc::new(move |_| {
        let nth = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        // TEST-NET-3 stands for a public address here: it is refused too, but never routed.
        let answer = if nth == 0 { "203.0.113.9" } else { "127.0.0.1" };
        Box::pin(async move { Ok(vec![answer.parse().unwrap()]) })
    })
}

#[tokio::test]
async fn row_90_410_switches_off_until_a_reset() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        let made = world.endpoint(&receiver.url).await;
        receiver.script(&[Say::Status(410)]);
        world.many(1).await;
        world.deliver().await;
        world.many(3).await;
        world.deliver().await;
        assert_eq!(receiver.count(), 1);
        let condition = world.condition(&made.id).await;
        assert_eq!((&condition["state"], &condition["sheds"]), (&json!("deactivated"), &json!(3)));
        assert_eq!(world.dump("audit_events").await.matches("webhook.deactivate").count(), 1);
        let replay = world.path("/webhooks/replay");
        assert_eq!(world.post(&replay, json!({})).await.json()["replayed"], 0);
        world.post(&world.path(&format!("/webhooks/{}/reset", made.id)), json!({})).await;
        assert_eq!(world.post(&replay, json!({})).await.json()["replayed"], 4);
        world.deliver().await;
        assert_eq!(receiver.by_id().len(), 4);
    }
}

#[tokio::test]
async fn row_90_retry_after_is_honoured_up_to_a_day() {
    for world in worlds().await {
        let receiver = Receiver::start().await;
        deleted_only(&world, &receiver).await;
        let later = b"HTTP/1.1 429 X\r\nretry-after: 1000000000\r\ncontent-length: 0\r\n\r\n";
        receiver.script(&[Say::Raw(later.to_vec())]);
        world.news().await;
        world.deliver().await;
        world.later(23 * HOUR_MS);
        world.deliver().await;
        assert_eq!(receiver.count(), 1);
        world.later(HOUR_MS + SECOND_MS);
        world.deliver().await;
        assert_eq!(receiver.count(), 2);
    }
}

#[tokio::test]
async fn row_90_an_endless_body_is_cut_and_a_late_head_is_a_failure() {
    let worlds = worlds().await;
    // The limit of 15 seconds is waited for once, by both engines at the same time.
    join_all(worlds.iter().map(|world| async move {
        let [huge, late, drip] =
            [Receiver::start().await, Receiver::start().await, Receiver::start().await];
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n".to_vec();
        huge.usually(Say::Raw([head, vec![b'x'; 4 << 20]].concat()));
        late.usually(Say::Nothing);
        drip.usually(Say::Drip);
        let mut made = Vec::new();
        for receiver in [&huge, &late, &drip] {
            made.push(deleted_only(world, receiver).await);
        }
        world.news().await;
        webhooks::round(&world.app).await.unwrap();
        let mut ends = Vec::new();
        for it in &made {
            let told = world.deliveries(&format!("&endpoint={}", it.id)).await;
            ends.push((told[0]["state"].clone(), told[0]["last_error"].clone()));
        }
        let delivered = (json!("delivered"), json!(null));
        let failed = (json!("waiting"), json!("the address could not be reached"));
        assert_eq!(ends, [delivered.clone(), failed, delivered]);
    }))
    .await;
}
