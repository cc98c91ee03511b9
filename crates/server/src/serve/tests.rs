use std::time::Instant;

use axum::extract::Request;
use axum::routing::{get, post};
use axum::{Extension, Json};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::*;
use crate::callers::Origin;
use crate::telemetry::access;

/// A listener on a free port with a few handlers behind it.
struct World {
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    /// Told by the slow handlers once they are at work.
    begun: Arc<Notify>,
    running: JoinHandle<Result<(), ServeError>>,
}

fn handlers(begun: &Arc<Notify>) -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/thing/{id}", get(|| async { "thing" }))
        .route("/echo", post(|body: Bytes| async move { body }))
        .route("/slow", get(slow))
        .route("/never", get(never))
        .route("/panic", get(async || -> &'static str { panic!("canary-5c") }))
        .route("/who", get(who))
        .layer(Extension(Arc::clone(begun)))
        .layer(axum::middleware::map_request(async |request: Request| {
            access::remember_route(&request);
            request
        }))
}

async fn slow(Extension(begun): Extension<Arc<Notify>>) -> &'static str {
    begun.notify_one();
    tokio::time::sleep(Duration::from_millis(300)).await;
    "slow"
}

async fn never(Extension(begun): Extension<Arc<Notify>>) {
    begun.notify_one();
    std::future::pending::<()>().await;
}

async fn who(Extension(origin): Extension<Origin>, request: axum::extract::Request) -> Json<Value> {
    let names: Vec<_> = request.headers().keys().map(ToString::to_string).collect();
    Json(json!({
        "ip": origin.ip,
        "id": origin.request_id,
        "headers": names,
        "version": format!("{:?}", request.version()),
    }))
}

impl World {
    async fn with(pairs: &[(&str, &str)]) -> Self {
        let mut all = vec![("listen", "127.0.0.1:0")];
        all.extend(pairs);
        let bound = bind(&Config::from_pairs(&all).unwrap()).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let (address, metrics) = (bound.address().unwrap(), bound.metrics_address());
        let begun = Arc::default();
        let running = tokio::spawn(bound.run(handlers(&begun), async {
            let _ = stopped.await;
        }));
        Self { address, metrics, stop: Some(stop), begun, running }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `bytes` and reads until the server closes.
    async fn raw(&self, bytes: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        read_all(&mut stream).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Reads until the end. A reset counts as one: the server closed with our bytes unread.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut part = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut part).await {
        all.extend_from_slice(&part[..count]);
    }
    String::from_utf8(all).unwrap()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {answer:?}")).parse().unwrap()
}

fn code(answer: &str) -> Value {
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    serde_json::from_str::<Value>(body).unwrap_or_else(|_| panic!("{answer}"))["code"].clone()
}

#[tokio::test]
async fn a_refused_sender_gets_the_answer_and_keeps_its_connection() {
    let world = World::with(&[]).await;
    let body = "x".repeat(300_000);
    let refused = format!("POST /none HTTP/1.1\r\nhost: a\r\ncontent-length: 300000\r\n\r\n{body}");
    let next = "GET /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answers = world.raw(&format!("{refused}{next}")).await;
    assert_eq!(status(&answers), 404);
    assert!(answers.ends_with("hello"), "{answers}");
}

#[tokio::test]
async fn o03_requests_that_can_be_read_in_two_ways_are_refused() {
    let world = World::with(&[]).await;
    let chunked = "transfer-encoding: chunked\r\n";
    let cases = [
        format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n{chunked}\r\n0\r\n\r\n"),
        format!("POST /echo HTTP/1.1\r\nhost: a\r\n{chunked}content-length: 3\r\n\r\n0\r\n\r\n"),
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc"
            .into(),
        "GET /hello HTTP/1.1\r\n\r\n".into(),
        "GET /hello HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".into(),
        "GET /hello HTTP/1.1\nhost: a\n\n".into(),
        "GET /hello HTTP/1.1\r\nhost : a\r\n\r\n".into(),
        "GET /hello HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n".into(),
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n".into(),
    ];
    for case in cases {
        let answer = world.raw(&case).await;
        assert_eq!(status(&answer), 400, "{case:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "closed after it: {answer}");
    }
    let second = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nok";
    let smuggling = format!(
        "{second}POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n{chunked}\r\n0\r\n\r\n"
    );
    let answer = world.raw(&smuggling).await;
    assert!(answer.contains("HTTP/1.1 200") && answer.contains("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn o03_heads_and_paths_have_limits() {
    let world = World::with(&[]).await;
    let get = |path: &str, headers: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n")
    };
    let fields = |count: usize| "x: y\r\n".repeat(count);
    assert_eq!(status(&world.raw(&get("/hello", &fields(98))).await), 200);
    assert_eq!(status(&world.raw(&get("/hello", &fields(99))).await), 431);
    let block = format!("x: {}\r\n", "y".repeat(17 * 1024));
    assert_eq!(status(&world.raw(&get("/hello", &block)).await), 431);
    let long = |bytes: usize| format!("/hello?{}", "q".repeat(bytes - 7));
    assert_eq!(status(&world.raw(&get(&long(8192), "")).await), 200);
    let answer = world.raw(&get(&long(8193), "")).await;
    assert_eq!((status(&answer), code(&answer)), (414, "uri_too_long".into()));
}

#[tokio::test]
async fn o03_row117_a_head_that_does_not_come_closes_the_connection_and_others_go_on() {
    let world = World::with(&[("header_timeout_ms", "200")]).await;
    let began = Instant::now();
    let mut silent = world.connect().await;
    let mut half = world.connect().await;
    half.write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\nx:").await.unwrap();
    let mut drip = world.connect().await;
    let dripping = tokio::spawn(async move {
        while drip.write_all(b"G").await.is_ok() && began.elapsed().as_secs() < 5 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        began.elapsed()
    });
    let good = world.raw("GET /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert_eq!(status(&good), 200);
    assert_eq!(read_all(&mut half).await, "");
    assert_eq!(read_all(&mut silent).await, "");
    assert!(dripping.await.unwrap().as_millis() < 2000);
    let took = began.elapsed().as_millis();
    assert!((200..2000).contains(&took), "{took} ms");
}

#[tokio::test]
async fn a_connection_is_kept_between_requests_longer_than_a_head_may_take() {
    let limits = [("header_timeout_ms", "150"), ("idle_timeout_ms", "700")];
    let world = World::with(&limits).await;
    let mut stream = world.connect().await;
    let mut buffer = [0; 4096];
    for pause in [0, 400] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        stream.write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(String::from_utf8_lossy(&buffer[..count]).ends_with("hello"));
    }
    let began = Instant::now();
    assert_eq!(stream.read(&mut buffer).await.unwrap(), 0, "idle: closed");
    assert!((400..3000).contains(&began.elapsed().as_millis()));
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_all_the_same() {
    let world = World::with(&[("request_timeout_ms", "200")]).await;
    let head = "HTTP/1.1\r\nhost: a\r\nconnection: close\r\n";
    let answer = world.raw(&format!("GET /never {head}\r\n")).await;
    assert_eq!((status(&answer), code(&answer)), (504, "timed_out".into()));
    let answer = world.raw(&format!("POST /echo {head}content-length: 5\r\n\r\nab")).await;
    assert_eq!((status(&answer), code(&answer)), (408, "request_timeout".into()));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_it_says_so_or_not() {
    let world = World::with(&[("body_bytes_max", "1024")]).await;
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n";
    let announced = format!("{head}content-length: 1025\r\n\r\n{}", "x".repeat(1025));
    let answer = world.raw(&announced).await;
    assert_eq!((status(&answer), code(&answer)), (413, "body_too_large".into()));
    let chunk = format!("401\r\n{}\r\n0\r\n\r\n", "x".repeat(1025));
    let answer = world.raw(&format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}")).await;
    assert_eq!(status(&answer), 413, "{answer}");
    let fits = format!("{head}content-length: 1024\r\n\r\n{}", "x".repeat(1024));
    assert_eq!(status(&world.raw(&fits).await), 200);
}

#[tokio::test]
async fn a_panic_is_an_answer_with_a_request_id_and_nothing_of_what_happened() {
    let world = World::with(&[]).await;
    let response = reqwest::get(world.url("/panic")).await.unwrap();
    assert_eq!(response.status(), 500);
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert!(crate::ids::RequestId::parse(&id).is_some(), "{id}");
    let text = response.text().await.unwrap();
    assert!(text.contains("\"internal\"") && !text.contains("canary-5c"), "{text}");
}

#[tokio::test]
async fn row116_doubled_slashes_lead_to_the_same_route_and_escapes_do_not() {
    let world = World::with(&[]).await;
    for path in ["//hello", "/hello"] {
        let answer = world
            .raw(&format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"))
            .await;
        assert_eq!(status(&answer), 200, "{path}");
    }
    for path in ["/%2fhello", "/x/..%2fhello", "/x/../hello", "/Hello", "/hello;a=b"] {
        let answer = world
            .raw(&format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"))
            .await;
        assert_eq!(status(&answer), 404, "{path}");
    }
}

#[tokio::test]
async fn a10_the_client_is_who_the_socket_says_unless_a_trusted_proxy_speaks() {
    let claim = |world: &World| {
        reqwest::Client::new()
            .get(world.url("/who"))
            .header("x-forwarded-for", "6.6.6.6, 198.51.100.9")
            .header("x-request-id", "chosen-by-client")
            .header("x-real-ip", "6.6.6.6")
    };
    let open = World::with(&[]).await;
    let seen: Value = claim(&open).send().await.unwrap().json().await.unwrap();
    assert_eq!(seen["ip"], "127.0.0.1");
    let behind = World::with(&[("trusted_proxies", "127.0.0.0/8")]).await;
    let response = claim(&behind).send().await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let seen: Value = response.json().await.unwrap();
    assert_eq!(seen["ip"], "198.51.100.9");
    assert_eq!(seen["id"], id);
    assert!(id.starts_with("req_"));
    let headers = seen["headers"].to_string();
    assert!(!headers.contains("forwarded") && !headers.contains("real-ip"), "{headers}");
}

#[tokio::test]
async fn a_request_under_way_finishes_while_nobody_new_gets_in() {
    let mut world = World::with(&[]).await;
    let mut idle = world.connect().await;
    let slow = tokio::spawn(reqwest::get(world.url("/slow")));
    world.begun.notified().await;
    let began = Instant::now();
    world.stop.take().unwrap().send(()).unwrap();
    assert_eq!(read_all(&mut idle).await, "", "an idle connection is closed at once");
    assert!(TcpStream::connect(world.address).await.is_err(), "the door is shut");
    assert_eq!(slow.await.unwrap().unwrap().text().await.unwrap(), "slow");
    world.running.await.unwrap().unwrap();
    assert!(began.elapsed().as_millis() < 2000, "{:?}", began.elapsed());
}

#[tokio::test]
async fn draining_ends_at_its_limit() {
    let mut world = World::with(&[("drain_timeout_ms", "200")]).await;
    let stuck = tokio::spawn(reqwest::get(world.url("/never")));
    world.begun.notified().await;
    let began = Instant::now();
    world.stop.take().unwrap().send(()).unwrap();
    world.running.await.unwrap().unwrap();
    assert!((200..2000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    stuck.abort();
}

#[tokio::test]
async fn http2_without_tls_works_and_its_heads_have_limits_too() {
    let world = World::with(&[]).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let seen: Value = client.get(world.url("//who")).send().await.unwrap().json().await.unwrap();
    assert_eq!(seen["version"], "HTTP/2.0");
    let large = client.get(world.url("/hello")).header("x", "y".repeat(20 * 1024));
    if let Ok(answer) = large.send().await {
        assert_eq!(answer.status(), 431);
    }
    let mut many = client.get(world.url("/hello"));
    for number in 0..120 {
        many = many.header(format!("x-{number}"), "y");
    }
    assert_eq!(many.send().await.unwrap().status(), 431);
    assert_eq!(client.get(world.url("/hello")).send().await.unwrap().status(), 200);
}

fn write_certificate(folder: &std::path::Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.pem()
}

/// Asks over TLS, knowing only `pem`; the HTTP version that was used.
async fn version_over_tls(world: &World, pem: &str) -> Result<String, reqwest::Error> {
    let url = format!("https://localhost:{}/who", world.address.port());
    let known = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([known]).build().unwrap();
    let seen: Value = client.get(url).send().await?.json().await?;
    Ok(seen["version"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn tls_speaks_http2_and_takes_a_new_certificate_at_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let first = write_certificate(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let world = World::with(&[("tls_cert_file", &cert), ("tls_key_file", &key)]).await;
    assert_eq!(version_over_tls(&world, &first).await.unwrap(), "HTTP/2.0");

    let second = write_certificate(folder.path());
    let pid = std::process::id().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    let mut taken = false;
    for _ in 0..100 {
        taken = version_over_tls(&world, &second).await.is_ok();
        if taken {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(taken, "the new certificate is served");
    assert!(version_over_tls(&world, &first).await.is_err(), "the old one is not");

    std::fs::write(folder.path().join("key.pem"), "nonsense").unwrap();
    let config = Config::from_pairs(&[("tls_cert_file", &cert), ("tls_key_file", &key)]).unwrap();
    let line = bind(&config).await.err().expect("a broken key is refused").to_string();
    assert!(line.contains("tls_key_file"), "{line}");
}

#[tokio::test]
async fn a_taken_port_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = Config::from_pairs(&[("listen", &address)]).unwrap();
    let line = bind(&config).await.err().expect("taken").to_string();
    assert!(line.contains(&address) && line.contains("choose another"), "{line}");
}

#[tokio::test]
async fn metrics_count_routes_not_paths_and_only_on_their_own_listener() {
    crate::telemetry::metrics::start().unwrap();
    let world = World::with(&[("metrics_listen", "127.0.0.1:0")]).await;
    for _ in 0..3 {
        reqwest::get(world.url("/thing/canary-2e")).await.unwrap();
    }
    reqwest::get(world.url("/canary-2e-none")).await.unwrap();
    let page = reqwest::get(format!("http://{}/metrics", world.metrics.unwrap()));
    let page = page.await.unwrap().text().await.unwrap();
    let counted = |line: &&str| {
        line.starts_with("http_requests_total")
            && line.contains("route=\"/thing/{id}\"")
            && line.contains("method=\"GET\"")
            && line.contains("status=\"200\"")
    };
    let line = page.lines().find(counted).unwrap_or_else(|| panic!("{page}"));
    assert!(line.ends_with(" 3"), "{line}");
    assert!(page.contains("http_request_duration_seconds_bucket"), "{page}");
    assert!(page.contains("http_connections_open"), "{page}");
    assert!(!page.contains("canary"), "{page}");
    assert_eq!(reqwest::get(world.url("/metrics")).await.unwrap().status(), 404);
}
