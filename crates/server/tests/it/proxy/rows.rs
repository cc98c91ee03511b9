//! Bad input of callers and of apps, row by row, raw where a client would not send it.

use grantkeep::projects::{Echo, Settings};
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::lab::{KEY, Kind, Lab, labs, labs_of, labs_with};
use super::upstream::{Do, answer, status};
use crate::world::read;

/// Sends bytes to the server and gives all that comes back until it closes.
async fn raw(lab: &Lab, text: &[u8]) -> String {
    let address = lab.world.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text).await.unwrap();
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

fn text(bytes: &str) -> Vec<Do> {
    vec![Do::Body, Do::Send(bytes.as_bytes().to_vec())]
}

#[tokio::test]
async fn row_65_targets_that_are_none() {
    for lab in labs().await {
        let world = &lab.world;
        let query = format!("external_user_id=ada&account_id={}", lab.account);
        for (coded, code) in [
            ("%25%25%25", "invalid_target"),
            ("a", "invalid_target"),
            ("aGk*", "invalid_target"),
            ("gIGC", "invalid_target"),
            ("L2E%3D%3D%3D%3D%3D", "invalid_target"),
        ] {
            let reply = world.get(&world.path(&format!("/proxy/{coded}?{query}"))).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, code), "{coded}");
        }
        for (length, status) in [(10_000, 414), (20_000, 431)] {
            let long = "L".repeat(length);
            let reply = world.get(&world.path(&format!("/proxy/{long}?{query}"))).await;
            assert_eq!(reply.status, status);
        }
        assert!(lab.upstream.seen().is_empty());
    }
}

#[tokio::test]
async fn row_72_row_73_headers_that_cannot_be_sent() {
    for lab in labs().await {
        for name in ["authorization", "host", "cookie", "x-forwarded-for", "x_api_key", "te"] {
            let name = format!("x-pd-proxy-{name}");
            let reply = read(lab.request(Method::GET, "/x").header(&name, "mine")).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "header_not_allowed"));
            assert!(reply.text.contains(&name), "{}", reply.text);
        }
        let close = "connection: close\r\n\r\n";
        for (field, expected) in [
            ("x-pd-proxy-a: b\0c\r\n", "400"),
            ("x-pd-proxy-a: b\rc\r\n", "400"),
            ("x-pd-proxy a: b\r\n", "400"),
            ("x-pd-proxy-a : b\r\n", "400"),
            ("x-pd-proxy-\u{e9}: b\r\n", "400"),
            (&format!("x-pd-proxy-a: {}\r\n", "b".repeat(64 * 1024)), "431"),
            (&"x-pd-proxy-a: b\r\n".repeat(200), "431"),
        ] {
            let got = raw(&lab, lab.raw("GET", &format!("{field}{close}")).as_bytes()).await;
            let shown: String = field.chars().take(40).collect();
            assert!(got.starts_with(&format!("HTTP/1.1 {expected}")), "{shown:?}: {got}");
        }
        // A line break that the client smuggled in begins a header of ours, not of the app.
        let smuggled = lab.raw("GET", &format!("x-pd-proxy-a: b\r\nx: c\r\n{close}"));
        assert!(raw(&lab, smuggled.as_bytes()).await.starts_with("HTTP/1.1 200"));
        assert_eq!(lab.upstream.seen().len(), 1);
        assert!(lab.upstream.last().header("x").is_none());
    }
}

#[tokio::test]
async fn p_07_row_74_requests_that_can_be_read_in_two_ways_go_nowhere() {
    for lab in labs().await {
        let chunked = "0\r\n\r\n";
        for head in [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
            "content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
            "content-length: 5\r\ncontent-length: 5\r\n\r\nhello",
            "content-length: 5, 6\r\n\r\nhello!",
            "content-length: 5, 5\r\n\r\nhello",
            "content-length: +5\r\n\r\nhello",
            "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
            "x: a\r\n b\r\ncontent-length: 0\r\n\r\n",
            "host: y\r\ncontent-length: 0\r\n\r\n",
            "x: y\ncontent-length: 0\r\n\r\n",
        ] {
            let smuggled = lab.raw("GET", "connection: close\r\n\r\n");
            let got = raw(&lab, format!("{}{smuggled}", lab.raw("POST", head)).as_bytes()).await;
            assert!(got.starts_with("HTTP/1.1 400"), "{head:?}: {got}");
            assert_eq!(got.matches("HTTP/1.1 ").count(), 1, "{head:?}: {got}");
        }
        let hostless = lab.raw("POST", &format!("content-length: 5\r\n\r\n{chunked}"));
        let got = raw(&lab, hostless.replace("host: x\r\n", "").as_bytes()).await;
        assert!(got.starts_with("HTTP/1.1 400"), "{got}");
        assert!(lab.upstream.seen().is_empty());
        // A body in chunks leaves in chunks of our own, and with one framing.
        let head = "transfer-encoding: chunked\r\nconnection: close\r\ntrailer: x-late\r\n\r\n\
                    3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nx-late: 1\r\n\r\n";
        let got = raw(&lab, lab.raw("POST", head).as_bytes()).await;
        assert!(got.starts_with("HTTP/1.1 200"), "{got}");
        let seen = lab.upstream.last();
        assert_eq!(seen.header("transfer-encoding"), Some("chunked"));
        assert_eq!(seen.header("content-length"), None);
        let body = String::from_utf8_lossy(&seen.body);
        assert!(!body.contains("ext") && !body.contains("x-late"), "{body}");
        assert!(seen.header("trailer").is_none());
    }
}

#[tokio::test]
async fn p_10_row_83_other_methods_and_protocols() {
    for lab in labs().await {
        let close = "connection: close\r\n\r\n";
        for (method, expected) in
            [("TRACE", "405"), ("HEAD", "405"), ("PROPFIND", "405"), ("OPTIONS", "405")]
        {
            let got = raw(&lab, lab.raw(method, close).as_bytes()).await;
            assert!(got.starts_with(&format!("HTTP/1.1 {expected}")), "{method}: {got}");
        }
        let got = raw(&lab, b"CONNECT evil.example:443 HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(got.starts_with("HTTP/1.1 405"), "{got}");
        let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n";
        let got = raw(
            &lab,
            lab.raw("GET", upgrade).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").as_bytes(),
        )
        .await;
        assert!(got.starts_with("HTTP/1.1 501"), "{got}");
        assert!(lab.upstream.seen().is_empty());
    }
}

#[tokio::test]
async fn p_03_row_70_redirects_are_answers() {
    for lab in labs().await {
        let to = "https://evil.example/next";
        lab.upstream.script([status(302, &format!("location: {to}\r\n"), "")]);
        let reply = lab.get("/x").await;
        assert_eq!(reply.status, 302);
        assert_eq!(reply.headers["location"], to);
        for bad in ["javascript:alert(1)", "data:text/html,x"] {
            lab.upstream.script([status(307, &format!("location: {bad}\r\n"), "")]);
            assert!(!lab.get("/x").await.headers.contains_key("location"));
        }
        assert_eq!(lab.upstream.seen().len(), 3);
    }
}

/// A client that follows redirects sends its own credential along to the server that it asked.
#[tokio::test]
async fn p_03_no_redirect_of_an_app_leads_a_caller_to_this_server() {
    for lab in labs_with(&[("callback_origins", "https://login.acme.example")]).await {
        let world = &lab.world;
        let account = world.path(&format!("/accounts/{}", lab.account));
        let following = reqwest::Client::builder().no_proxy().build().unwrap();
        let delete = async |location: &str| {
            lab.upstream.script([status(307, &format!("location: {location}\r\n"), "")]);
            let request = lab.request(Method::DELETE, "/x").build().unwrap();
            following.execute(request).await.unwrap()
        };
        // It is the app's own address that a relative one leads to, and nothing is brought there.
        assert_eq!(delete(&account).await.status(), 200);
        let seen = lab.upstream.last();
        assert_eq!(seen.line, format!("DELETE {account} HTTP/1.1"));
        assert_eq!(seen.header("authorization"), None);
        let port = world.url.rsplit(':').next().unwrap();
        for location in [
            format!("{}{account}", world.url),
            format!("//127.1:{port}{account}"),
            "https://login.acme.example/connect".to_owned(),
        ] {
            let answer = delete(&location).await;
            assert_eq!(answer.status(), 307, "{location}");
            assert!(!answer.headers().contains_key("location"), "{location}");
        }
        // Under a name that only the caller knows it by, too.
        lab.upstream.script([status(307, "location: http://gk.internal:81/v1\r\n", "")]);
        let inside = lab.request(Method::DELETE, "/x").header("host", "gk.internal:8080");
        assert!(!read(inside).await.headers.contains_key("location"));
        assert_eq!(world.get(&account).await.status, 200, "the account is still there");
    }
}

#[tokio::test]
async fn p_06_row_80_what_is_not_for_the_caller_is_removed() {
    for lab in labs().await {
        let head = "set-cookie: a=b\r\ncontent-security-policy: default-src *\r\n\
                    clear-site-data: \"*\"\r\nstrict-transport-security: max-age=1\r\n\
                    access-control-allow-origin: *\r\ncontent-type: text/html\r\n\
                    cache-control: public\r\nx-kept: 1\r\nx-dropped: 1\r\n\
                    connection: x-dropped\r\nx-accel-redirect: /x\r\nx-sendfile: /x\r\n";
        lab.upstream.script([answer(head, "<script>")]);
        let reply = lab.get("/x").await;
        assert_eq!(reply.text, "<script>");
        for name in [
            "set-cookie",
            "clear-site-data",
            "strict-transport-security",
            "access-control-allow-origin",
            "x-dropped",
            "x-accel-redirect",
            "x-sendfile",
        ] {
            assert!(!reply.headers.contains_key(name), "{name}: {:?}", reply.headers);
        }
        assert_eq!(reply.headers["x-kept"], "1");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
        assert_eq!(reply.headers["content-disposition"], "attachment");
        assert_eq!(reply.headers["cache-control"], "private, no-store");
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("sandbox") && !policy.contains('*'), "{policy}");
    }
}

#[tokio::test]
async fn p_09_row_79_the_credential_does_not_come_back() {
    use base64::Engine as _;
    let coded = base64::prelude::BASE64_STANDARD.encode(format!("me:{KEY}"));
    for lab in labs().await {
        let (half, rest) = KEY.split_at(5);
        let body = format!("<{KEY}> <{coded}> <k3y%2Fof%2Bthe%3Daccount>");
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 X\r\ncontent-length: {length}\r\nx-you-sent: Bearer {KEY}\r\n\r\n<{half}"
        );
        let after = &body[1 + half.len()..];
        assert!(after.starts_with(rest));
        // The pieces leave apart: the second only once the first has arrived at the caller.
        let arrived = std::sync::Arc::new(tokio::sync::Notify::new());
        lab.upstream.script([vec![
            Do::Body,
            Do::Send(head.into_bytes()),
            Do::Await(std::sync::Arc::clone(&arrived)),
            Do::Send(after.as_bytes().to_vec()),
        ]]);
        let mut answer = lab.request(Method::GET, "/x").send().await.unwrap();
        assert_eq!(answer.headers()["x-you-sent"], format!("Bearer {}", "*".repeat(KEY.len())));
        assert_eq!(answer.headers()["content-length"], length.to_string());
        let mut text = answer.chunk().await.unwrap().unwrap().to_vec();
        assert_eq!(text, b"<", "what may be the credential is held back, and nothing else");
        arrived.notify_one();
        while let Some(chunk) = answer.chunk().await.unwrap() {
            text.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.len(), length);
        assert!(text.starts_with(&format!("<{}> <", "*".repeat(KEY.len()))), "{text}");
        assert!(!text.contains("of") && !text.contains(&coded[8..16]), "{text}");
        // A project may want such an answer withheld.
        lab.change(Settings { proxy_echo: Echo::Refuse, ..Settings::default() }).await;
        for says in [
            self::answer("", &format!("x {KEY} y")),
            self::answer(&format!("x-you-sent: {KEY}\r\n"), ""),
        ] {
            lab.upstream.script([says]);
            let reply = lab.get("/x").await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (502, "secret_in_response"));
        }
        // Of one whose length nobody knows, what came before it has left, and it is cut off there.
        let head = "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n";
        let body = format!("5\r\nhello\r\n{:x}\r\n{KEY}\r\n0\r\n\r\n", KEY.len());
        lab.upstream.script([text_of(head, &body)]);
        let mut answer = lab.request(Method::GET, "/x").send().await.unwrap();
        let mut all = Vec::new();
        let cut = loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => all.extend_from_slice(&chunk),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(cut && b"hello".starts_with(&all), "{:?}", String::from_utf8_lossy(&all));
    }
}

fn text_of(head: &str, body: &str) -> Vec<Do> {
    text(&format!("{head}{body}"))
}

#[tokio::test]
async fn row_86_what_is_compressed_passes_as_it_is() {
    for lab in labs().await {
        let bomb = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff];
        let head = format!(
            "HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            bomb.len()
        );
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&bomb);
        lab.upstream.script([vec![Do::Body, Do::Send(bytes)]]);
        let request = lab.request(Method::GET, "/x").header("accept-encoding", "gzip");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["content-encoding"], "gzip");
        assert_eq!(answer.bytes().await.unwrap().as_ref(), bomb);
        assert_eq!(lab.upstream.last().header("accept-encoding"), Some("identity"));
    }
}

#[tokio::test]
async fn row_87_answers_that_are_none() {
    for lab in labs().await {
        let many = (0..100_000).map(|it| format!("x-{it}: y")).collect::<Vec<_>>().join("\r\n");
        let many = format!("{many}\r\n");
        for bytes in [
            "hello\r\n\r\n".to_owned(),
            "HTTP/0.9 200 OK\r\n\r\nx".to_owned(),
            "HTTP/1.1 abc OK\r\n\r\n".to_owned(),
            format!("HTTP/1.1 200 X\r\n{many}\r\n"),
            format!("HTTP/1.1 200 X\r\nx: {}\r\n\r\n", "y".repeat(200_000)),
            "HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(),
            "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n".to_owned(),
            String::new(),
        ] {
            lab.upstream.script([vec![Do::Body, Do::Send(bytes.clone().into_bytes()), Do::Close]]);
            let reply = lab.post("/x", serde_json::json!({})).await;
            let shown: String = bytes.chars().take(40).collect();
            let got = (reply.status.as_u16(), reply.code());
            assert_eq!(got, (502, "upstream_protocol".to_owned()), "{shown:?}");
        }
        // Interim answers are passed over, and end with the head's time.
        let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(100);
        lab.upstream
            .script([text(&format!("{interim}HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\nok"))]);
        assert_eq!(lab.get("/x").await.text, "ok");
        // Without end, they are no answer.
        lab.upstream.script([vec![Do::Send(interim.repeat(2).into_bytes()), Do::Hang]]);
        let reply = lab.get("/x").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (502, "upstream_protocol"));
    }
}

#[tokio::test]
async fn row_78_an_app_that_cannot_prove_who_it_is() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            assert!(acceptor.accept(stream).await.is_err(), "somebody trusts this");
        }
    });
    for lab in labs_of(Kind { base: &base, ..Kind::default() }).await {
        let reply = lab.get("/x").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (502, "upstream_tls"));
    }
}

#[tokio::test]
async fn row_85_a_project_has_a_rate() {
    let limits = [("rate_limits", "true"), ("proxy_per_project_per_5_minutes_max", "2")];
    for lab in labs_with(&limits).await {
        crate::limits::to_a_window(&lab.world);
        assert_eq!(lab.get("/x").await.status, 200);
        assert_eq!(lab.get("/x").await.status, 200);
        let reply = lab.get("/x").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (429, "rate_limited"));
        let wait: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=300).contains(&wait), "{wait}");
        assert_eq!(lab.upstream.seen().len(), 2);
    }
}

/// An app that speaks of its own limit is not talked over.
#[tokio::test]
async fn row_85_what_an_app_says_of_its_limit_passes() {
    for lab in labs_with(&[("rate_limits", "true")]).await {
        let reply = lab.get("/x").await;
        assert_eq!(reply.headers["x-ratelimit-limit"], "1000");
        lab.upstream.script([answer("x-ratelimit-remaining: 7\r\n", "")]);
        let reply = lab.get("/x").await;
        assert_eq!(reply.headers["x-ratelimit-remaining"], "7");
        assert!(!reply.headers.contains_key("x-ratelimit-limit"), "{reply:?}");
        let calls = "select coalesce(cast(sum(amount) as bigint), 0) from usage_hours";
        grantkeep::usage::flush(&lab.world.app).await.unwrap();
        assert_eq!(lab.world.count(calls).await, 3, "two calls, and the account's connection");
    }
}

#[tokio::test]
async fn e_07_whatever_keeps_an_app_from_being_reached_reads_the_same() {
    // A port that nobody listens on, and an address that must not be called.
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let mut told = Vec::new();
    for base in [refused.as_str(), "https://gone.invalid"] {
        let settings = [("egress_connect_timeout_ms", "2000")];
        for lab in labs_of(Kind { base, settings: &settings, ..Kind::default() }).await {
            let reply = lab.get("/x").await;
            assert_eq!(reply.status, 502, "{reply:?}");
            told.push(reply.text);
        }
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
}
