//! Bodies pass as they come, either way, and within bounds.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use reqwest::{Body, Method};
use tokio::sync::Notify;

use super::lab::{Lab, labs, labs_with};
use super::upstream::{Do, answer, status};
use crate::world::read;

/// A body that is sent piece by piece, each when told.
fn pieces(all: Vec<(Option<Arc<Notify>>, &'static str)>) -> Body {
    let stream = futures::stream::iter(all).then(|(wait, piece)| async move {
        if let Some(wait) = wait {
            wait.notified().await;
        }
        Ok::<_, std::io::Error>(Bytes::from_static(piece.as_bytes()))
    });
    Body::wrap_stream(stream)
}

#[tokio::test]
async fn an_upload_reaches_the_app_while_it_is_still_coming() {
    for lab in labs().await {
        // The second piece is sent only once the app has the first.
        let first = Arc::new(Notify::new());
        lab.upstream.script([vec![
            Do::Read(5),
            Do::Tell(Arc::clone(&first)),
            Do::Body,
            Do::Send(b"HTTP/1.1 201 X\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ]]);
        let body = pieces(vec![(None, "first"), (Some(first), "second")]);
        let reply = read(lab.request(Method::POST, "/x").body(body)).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let seen = String::from_utf8(lab.upstream.last().body).unwrap();
        assert!(seen.contains("first") && seen.contains("second"), "{seen}");
    }
}

#[tokio::test]
async fn events_and_other_answers_arrive_while_they_are_still_coming() {
    for lab in labs().await {
        let seen = Arc::new(Notify::new());
        let head = "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        let piece = |text: &str| Do::Send(format!("{:x}\r\n{text}\r\n", text.len()).into_bytes());
        lab.upstream.script([vec![
            Do::Body,
            Do::Send(head.as_bytes().to_vec()),
            piece("data: 1\n\n"),
            Do::Await(Arc::clone(&seen)),
            piece("data: 2\n\n"),
            Do::Send(b"0\r\n\r\n".to_vec()),
        ]]);
        let mut answer = lab.request(Method::GET, "/events").send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "data: 1\n\n");
        seen.notify_one();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "data: 2\n\n");
        assert_eq!(answer.chunk().await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_event_stream_that_the_caller_leaves_is_left() {
    for lab in labs().await {
        let head = "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n";
        lab.upstream.script([vec![Do::Body, Do::Send(head.as_bytes().to_vec()), Do::Hang]]);
        let mut answer = lab.request(Method::GET, "/events").send().await.unwrap();
        assert!(answer.chunk().await.unwrap().is_some());
        drop(answer);
        lab.upstream.ended().await;
    }
}

#[tokio::test]
async fn p_08_row_75_a_body_over_the_limit_is_cut_off() {
    for lab in labs_with(&[("proxy_request_bytes_max", "100000")]).await {
        // One that says how large it is, is not even begun.
        let reply = read(lab.request(Method::POST, "/x").body("x".repeat(100_001))).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (413, "body_too_large"));
        assert!(lab.upstream.seen().is_empty());
        // One that does not, ends where the limit is, and the app is not told that this was all.
        lab.upstream.script([answer("", "")]);
        let stream =
            futures::stream::iter((0..30).map(|_| Ok::<_, std::io::Error>("x".repeat(5_000))));
        let request = lab.request(Method::POST, "/x").body(Body::wrap_stream(stream));
        let reply = read(request).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (413, "body_too_large"));
        lab.upstream.ended().await;
        assert!(!lab.upstream.last().body.ends_with(b"0\r\n\r\n"));
        // More than other endpoints take is fine here.
        let reply = read(lab.request(Method::POST, "/x").body("x".repeat(99_999))).await;
        assert_eq!(reply.status, 200);
    }
}

#[tokio::test]
async fn p_08_an_answer_over_the_limit_is_refused_or_cut_off() {
    for lab in labs_with(&[("proxy_answer_bytes_max", "100000")]).await {
        lab.upstream.script([answer("", &"x".repeat(100_001))]);
        let reply = lab.get("/x").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (502, "upstream_too_large"));
        let head = b"HTTP/1.1 200 X\r\n\r\n".to_vec();
        lab.upstream.script([vec![
            Do::Body,
            Do::Send(head),
            Do::Send(vec![b'x'; 200_000]),
            Do::Close,
        ]]);
        let answer = lab.request(Method::GET, "/x").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.is_err(), "nobody may take a part for the whole");
    }
}

/// Whatever breaks an answer off, and however soon: what came before it is passed on.
#[tokio::test]
async fn p_08_the_head_of_an_answer_that_breaks_off_arrives() {
    for lab in labs_with(&[("proxy_answer_bytes_max", "100000")]).await {
        let head = |length: usize| format!("HTTP/1.1 200 X\r\ncontent-length: {length}\r\n\r\n");
        let chunked = "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n";
        for nth in 0..60 {
            let text = match nth % 3 {
                0 => format!("{}first", head(10)),
                1 => head(10),
                // No size of a chunk.
                _ => format!("{chunked}5\r\nfirst\r\nzz\r\n"),
            };
            lab.upstream.script([vec![Do::Body, Do::Send(text.into_bytes()), Do::Close]]);
            let answer = lab.request(Method::GET, "/x").send().await.unwrap();
            assert_eq!(answer.status(), 200, "{nth}");
            assert!(answer.bytes().await.is_err(), "{nth}");
        }
    }
}

/// Short times, so that a test can wait for them.
const SHORT: [(&str, &str); 3] = [
    ("proxy_first_byte_timeout_ms", "300"),
    ("proxy_idle_timeout_ms", "300"),
    ("proxy_total_timeout_ms", "5000"),
];

async fn broken(lab: &Lab) -> bool {
    let answer = lab.request(Method::GET, "/x").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.is_err()
}

#[tokio::test]
async fn row_77_an_app_that_hangs_is_left() {
    for lab in labs_with(&SHORT).await {
        lab.upstream.script([vec![Do::Body, Do::Hang]]);
        let reply = lab.get("/x").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (504, "upstream_timeout"));
        lab.upstream.ended().await;
        let head = b"HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\nfirst".to_vec();
        lab.upstream.script([vec![Do::Body, Do::Send(head.clone()), Do::Hang]]);
        assert!(broken(&lab).await, "mid-body");
        lab.upstream.script([vec![Do::Body, Do::Send(head), Do::Close]]);
        assert!(broken(&lab).await, "closed mid-body");
        // It does not even read.
        lab.upstream.script([vec![Do::Hang]]);
        let stream =
            futures::stream::iter((0..4000).map(|_| Ok::<_, std::io::Error>("x".repeat(5_000))));
        let request = lab.request(Method::POST, "/x").body(Body::wrap_stream(stream));
        let _ = request.send().await;
    }
}

/// An app has its own time, also where that is longer than other requests have.
#[tokio::test]
async fn p_08_an_app_may_take_longer_than_other_requests() {
    for lab in labs_with(&[("request_timeout_ms", "1000")]).await {
        let (came, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut late = vec![Do::Tell(Arc::clone(&came)), Do::Await(Arc::clone(&go))];
        late.extend(answer("", "late"));
        lab.upstream.script([late]);
        let app = async {
            came.notified().await;
            tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
            go.notify_one();
        };
        let (reply, ()) = tokio::join!(lab.get("/x"), app);
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, "late"));
    }
}

#[tokio::test]
async fn row_77_a_byte_a_second_ends_with_the_time_for_all() {
    let settings = [("proxy_idle_timeout_ms", "1000"), ("proxy_total_timeout_ms", "600")];
    for lab in labs_with(&settings).await {
        let mut steps =
            vec![Do::Body, Do::Send(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n".to_vec())];
        steps.push(Do::Send(b"x".to_vec()));
        steps.push(Do::Hang);
        lab.upstream.script([steps]);
        assert!(broken(&lab).await);
    }
}

/// More than the system holds of it on the way.
const MUCH_BYTES: usize = 32 * 1024 * 1024;

#[tokio::test]
async fn p_08_a_caller_that_does_not_read_holds_neither_the_app_nor_the_account() {
    use tokio::io::AsyncWriteExt;
    for short in [("proxy_total_timeout_ms", "600"), ("proxy_idle_timeout_ms", "300")] {
        for lab in labs_with(&[short, ("proxy_per_account_max", "1")]).await {
            let head = format!("HTTP/1.1 200 X\r\ncontent-length: {MUCH_BYTES}\r\n\r\n");
            lab.upstream.script([vec![
                Do::Body,
                Do::Send(head.into_bytes()),
                Do::Send(vec![b'x'; MUCH_BYTES]),
                Do::Hang,
            ]]);
            let address = lab.world.url.trim_start_matches("http://");
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(lab.raw("GET", "\r\n").as_bytes()).await.unwrap();
            lab.upstream.ended().await;
            assert_eq!(lab.get("/x").await.status, 200, "{short:?}");
            drop(stream);
        }
    }
}

#[tokio::test]
async fn row_76_a_caller_who_promises_a_body_and_sends_none() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    for lab in labs_with(&SHORT).await {
        let address = lab.world.url.trim_start_matches("http://");
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = "expect: 100-continue\r\ncontent-length: 5\r\n\r\n";
        stream.write_all(lab.raw("POST", head).as_bytes()).await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        let all = String::from_utf8_lossy(&all);
        assert!(all.starts_with("HTTP/1.1 100"), "{all}");
        assert!(all.contains("HTTP/1.1 408") && all.contains("request_timeout"), "{all}");
    }
}

#[tokio::test]
async fn p_08_calls_at_once_with_one_account_are_bounded() {
    for lab in labs_with(&[("proxy_per_account_max", "2")]).await {
        let go = Arc::new(Notify::new());
        let head = b"HTTP/1.1 200 X\r\ncontent-length: 1\r\n\r\n".to_vec();
        let waiting = || {
            vec![
                Do::Body,
                Do::Send(head.clone()),
                Do::Await(Arc::clone(&go)),
                Do::Send(b"x".to_vec()),
            ]
        };
        lab.upstream.script([waiting(), waiting()]);
        let one = lab.request(Method::GET, "/x").send().await.unwrap();
        let two = lab.request(Method::GET, "/x").send().await.unwrap();
        let reply = lab.get("/x").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (429, "too_many_at_once"));
        assert!(reply.headers.contains_key("retry-after"));
        go.notify_one();
        go.notify_one();
        assert_eq!(
            (one.text().await.unwrap(), two.text().await.unwrap()),
            ("x".into(), "x".into())
        );
        assert_eq!(lab.get("/x").await.status, 200);
    }
}

#[tokio::test]
async fn connections_are_kept_and_never_shared_between_projects() {
    for lab in labs().await {
        for _ in 0..3 {
            assert_eq!(lab.get("/x").await.status, 200);
        }
        let own: Vec<usize> = lab.upstream.seen().iter().map(|it| it.connection).collect();
        assert_eq!(own, [1, 1, 1]);
        let client = &lab.world.app.egress;
        let request = || {
            let uri = format!("http://{}/other", lab.upstream.address);
            let body = http_body_util::BodyExt::boxed_unsync(http_body_util::BodyExt::map_err(
                http_body_util::Empty::new(),
                |it: std::convert::Infallible| match it {},
            ));
            hyper::Request::get(uri).body(body).unwrap()
        };
        client.stream_for("proj_other", request(), client.limits()).await.unwrap();
        client.stream(request(), client.limits()).await.unwrap();
        let all: Vec<usize> = lab.upstream.seen().iter().map(|it| it.connection).collect();
        assert_eq!(all, [1, 1, 1, 2, 3]);
    }
}

#[tokio::test]
async fn a_caller_may_have_failures_that_pass_tried_again() {
    for lab in labs().await {
        let again = |method: Method| lab.request(method, "/x").header("x-grantkeep-retry", "3");
        let later = || status(429, "retry-after: 0\r\n", "");
        lab.upstream.script([later(), later(), answer("", "ok")]);
        assert_eq!(read(again(Method::GET)).await.text, "ok");
        assert_eq!(lab.upstream.seen().len(), 3);
        // The body goes again with it.
        lab.upstream.script([later(), answer("", "ok")]);
        assert_eq!(read(again(Method::POST).body("body")).await.text, "ok");
        assert_eq!(lab.upstream.last().body, b"body");
        lab.upstream.script([later(), answer("", "ok")]);
        let body = pieces(vec![(None, "first"), (None, "second")]);
        assert_eq!(read(again(Method::POST).body(body)).await.text, "ok");
        assert_eq!(lab.upstream.last().body, b"firstsecond");
        // What the app may have acted on is not repeated, unless it can tell.
        lab.upstream.script([status(502, "retry-after: 0\r\n", "")]);
        assert_eq!(read(again(Method::POST).body("body")).await.status, 502);
        lab.upstream.script([status(502, "retry-after: 0\r\n", ""), answer("", "ok")]);
        let keyed = again(Method::POST).header("idempotency-key", "7").body("body");
        assert_eq!(read(keyed).await.text, "ok");
        // No more often than asked, and not when nobody asked.
        let count = lab.upstream.seen().len();
        lab.upstream.script([later(), later(), later(), later()]);
        assert_eq!(read(again(Method::GET)).await.status, 429);
        assert_eq!(lab.upstream.seen().len(), count + 4);
        lab.upstream.script([later()]);
        assert_eq!(lab.get("/x").await.status, 429);
        assert_eq!(lab.upstream.seen().len(), count + 5);
        // A long wait is the caller's own.
        lab.upstream.script([status(503, "retry-after: 3600\r\n", "")]);
        let reply = read(again(Method::GET)).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["retry-after"]),
            (503, &"3600".parse().unwrap())
        );
    }
}
