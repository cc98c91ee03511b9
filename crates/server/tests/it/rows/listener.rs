//! Rows 114 to 117: what is said around a request, and what is done to the connection.

use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{raw, status_of};
use crate::world::{World, read, worlds};

/// The start of an HTTP/2 connection, and empty settings (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// `GET / http` of the host `a`: three entries of the static table, and a literal (RFC 7541).
const HEADERS: [u8; 6] = [0x82, 0x86, 0x84, 0x41, 0x01, b'a'];
const GOAWAY: u8 = 7;

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.url.strip_prefix("http://").unwrap()).await.unwrap()
}

#[tokio::test]
async fn row_114_an_address_that_a_caller_claims_is_not_his() {
    for world in worlds().await {
        let url = format!("{}{}", world.url, world.path("/tokens"));
        let request = world.http.post(url).bearer_auth(&world.project.key);
        let mut request = request.json(&serde_json::json!({ "external_user_id": "ada" }));
        for name in ["x-forwarded-for", "x-real-ip", "forwarded", "cf-connecting-ip"] {
            request = request.header(name, "for=1.2.3.4, 1.2.3.4");
        }
        let reply = read(request.header("x-pd-environment", "development")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        world.app.audit.settle().await;
        let events = world.dump("audit_events").await;
        assert!(events.contains("127.0.0.1") && !events.contains("1.2.3.4"), "{events}");
    }
}

#[tokio::test]
async fn row_115_the_method_is_that_of_the_request_line() {
    for world in worlds().await {
        let account = world.connected("static", "ada").await;
        let path = world.path(&format!("/accounts/{}", account.id));
        for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
            for method in [Method::GET, Method::POST] {
                let url = format!("{}{path}?_method=DELETE", world.url);
                let request = world.http.request(method.clone(), url).header(name, "DELETE");
                let request = request.header("x-pd-environment", "development");
                let reply = read(request.bearer_auth(&world.project.key)).await;
                let expected = if method == Method::GET { 200 } else { 405 };
                assert_eq!(reply.status, expected, "{name}: {reply:?}");
            }
        }
        assert_eq!(world.get(&path).await.status, 200, "it is still there");
    }
}

#[tokio::test]
async fn row_116_a_path_means_one_thing() {
    for world in worlds().await {
        world.connected("static", "ada").await;
        let token = world.connect_token("ada").await;
        let ask = async |path: &str| {
            let head = format!(
                "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
                 connection: close\r\n\r\n"
            );
            status_of(&raw(&world, head.as_bytes()).await)
        };
        for path in ["/v1/connect/accounts", "/v1/connect//accounts", "///v1//connect///accounts"] {
            assert_eq!(ask(path).await, 200, "{path}");
        }
        for path in [
            "/v1/connect/..%2fadmin",
            "/v1/connect/%2e%2e/connect/accounts",
            "/v1/connect/../connect/accounts",
            "/v1/connect/%61ccounts%2f",
            "/v1/connect%2faccounts",
            "/v1/connect/accounts;a=b",
            "/v1/connect/Accounts",
            "/V1/connect/accounts",
            "/v1/connect/accounts/",
            "/v1/connect/accounts/%2e",
            "/v1/connect/accounts%00",
        ] {
            assert_eq!(ask(path).await, 404, "{path}");
        }
        // What is authorised is what is routed: slashes change nothing of whose project it is.
        let other = world.another_project(grantkeep::projects::Settings::default()).await;
        for path in ["/v1/connect/ID//accounts", "//v1/connect//ID/accounts"] {
            assert_eq!(ask(&path.replace("ID", other.id.as_str())).await, 404, "{path}");
        }
    }
}

/// Streams that are opened and reset without end close their connection, and nobody else's.
#[tokio::test]
async fn row_117_streams_that_are_reset_end_their_connection_alone() {
    const RESETS_MAX: u32 = 100_000;
    let world = World::sqlite(&[]).await;
    let mut peer = connect(&world).await;
    peer.write_all(PREFACE).await.unwrap();
    let (mut reading, mut writing) = peer.into_split();
    let told = tokio::spawn(async move {
        let mut head = [0; 9];
        loop {
            if reading.read_exact(&mut head).await.is_err() {
                return false;
            }
            if head[3] == GOAWAY {
                return true;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut rest = vec![0; length as usize];
            if reading.read_exact(&mut rest).await.is_err() {
                return false;
            }
        }
    });
    let mut sent = 0;
    for nth in 0..RESETS_MAX {
        let id = (2 * nth + 1).to_be_bytes();
        // HEADERS with the end of stream and of headers, then RST_STREAM (cancelled).
        let mut frames = vec![0, 0, 6, 1, 5, id[0], id[1], id[2], id[3]];
        frames.extend(HEADERS);
        frames.extend([0, 0, 4, 3, 0, id[0], id[1], id[2], id[3], 0, 0, 0, 8]);
        if writing.write_all(&frames).await.is_err() {
            break;
        }
        sent = nth;
    }
    assert!(sent < RESETS_MAX - 1, "the connection took all of it");
    assert!(told.await.unwrap(), "it was not told why");
    assert_eq!(world.get(&world.path("/users")).await.status, 200);
}

/// Connections on which nothing is asked give their place away.
#[tokio::test]
async fn row_117_idle_connections_are_closed_when_their_time_is_over() {
    let settings = [("connections_max", "64"), ("header_timeout_ms", "300")];
    let world = World::sqlite(&settings).await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(connect(&world).await);
    }
    // It waits behind them, and is answered.
    assert_eq!(world.get(&world.path("/users")).await.status, 200);
    for mut it in idle {
        let mut rest = Vec::new();
        let _ = it.read_to_end(&mut rest).await;
        assert!(rest.is_empty(), "{rest:?}");
    }
}
