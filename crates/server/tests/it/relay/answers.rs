//! What comes back to code.

use std::sync::Arc;

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::BodyExt;
use hyper::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use super::lab::{KEY, labs, labs_with, with_host};
use crate::proxy::upstream::{Do, answer, status};

#[tokio::test]
async fn j_04_an_app_that_repeats_the_credential_tells_code_its_placeholder() {
    for lab in labs().await {
        let run = lab.run().await;
        let token = run.token("api_key");
        let head = format!("content-type: text/plain\r\nx-echo: got {KEY}.\r\nset-cookie: a=b\r\n");
        lab.own.script([answer(&head, &format!("<{KEY}> and {KEY}"))]);
        let got = run.get("raw.example", "/x").await;
        assert_eq!(got.headers["x-echo"], format!("got {token}."));
        assert_eq!(got.headers["set-cookie"], "a=b", "code is its own client");
        assert_eq!(got.text, format!("<{token}> and {token}"));
        // Cut anywhere, and from any host that learnt it.
        let body = format!("{{\"k\":{}}}", serde_json::json!(KEY));
        let (first, second) = body.split_at(12);
        let chunk = |it: &str| Do::Send(format!("{:x}\r\n{it}\r\n", it.len()).into_bytes());
        let head = b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\n\
                     transfer-encoding: chunked\r\n\r\n";
        let end = Do::Send(b"0\r\n\r\n".to_vec());
        lab.other.script([vec![
            Do::Body,
            Do::Send(head.to_vec()),
            chunk(first),
            chunk(second),
            end,
        ]]);
        let got = run.get("other.example", "/x").await;
        assert_eq!(got.text, format!("{{\"k\":\"{token}\"}}"));
        // What is no text keeps its length.
        let body = format!("\0{KEY}\0{}", BASE64_STANDARD.encode(KEY));
        lab.own.script([answer("content-type: application/octet-stream\r\n", &body)]);
        let got = run.get("raw.example", "/x").await;
        assert_eq!(got.headers["content-length"], body.len().to_string());
        assert_eq!(got.text.len(), body.len());
        assert!(!got.text.contains("k3y") && !got.text.contains(&body[35..50]), "{}", got.text);
    }
}

#[tokio::test]
async fn answers_flow_while_they_are_still_coming() {
    for lab in labs().await {
        let run = lab.run().await;
        let more = Arc::new(Notify::new());
        let head = b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\ndata: one\n\n";
        let steps = vec![
            Do::Body,
            Do::Send(head.to_vec()),
            Do::Await(Arc::clone(&more)),
            Do::Send(b"data: two\n\n".to_vec()),
            Do::Close,
        ];
        lab.own.script([steps]);
        let mut client = run.client("raw.example").await;
        let request = Request::get("/x").body(Body::empty()).unwrap();
        let response = client.send_request(with_host(request, "raw.example")).await.unwrap();
        let mut body = response.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, "data: one\n\n");
        more.notify_one();
        let rest = body.collect().await.unwrap().to_bytes();
        assert_eq!(rest, "data: two\n\n");
        let call = run.grants.take_calls().pop().unwrap();
        assert_eq!((call.status, call.received_bytes), (Some(200), 22));
    }
}

#[tokio::test]
async fn an_upload_reaches_the_server_while_it_is_still_coming() {
    for lab in labs().await {
        let run = lab.run().await;
        let arrived = Arc::new(Notify::new());
        let ok = Do::Send(b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n".to_vec());
        lab.other.script([vec![Do::Read(5), Do::Tell(Arc::clone(&arrived)), Do::Body, ok]]);
        let (pieces, stream) = futures::channel::mpsc::unbounded::<Result<&str, String>>();
        pieces.unbounded_send(Ok("first")).unwrap();
        let body = Body::from_stream(stream);
        let sending = run.post("other.example", "application/octet-stream", body);
        let rest = async {
            arrived.notified().await;
            pieces.unbounded_send(Ok("second")).unwrap();
            drop(pieces);
        };
        let (got, ()) = tokio::join!(sending, rest);
        assert_eq!(got.status, 200);
        let body = String::from_utf8(lab.other.last().body).unwrap();
        assert!(body.contains("first") && body.contains("second"), "{body}");
    }
}

#[tokio::test]
async fn redirects_and_refusals_are_answers() {
    for lab in labs().await {
        let run = lab.run().await;
        lab.own.script([
            status(302, "location: https://other.example/\r\n", ""),
            status(404, "", "no"),
        ]);
        let got = run.get("raw.example", "/x").await;
        assert_eq!(
            (got.status, &got.headers["location"]),
            (302, &"https://other.example/".parse().unwrap())
        );
        let got = run.get("raw.example", "/x").await;
        assert_eq!((got.status, got.text.as_str(), got.code()), (404, "no", ""));
        assert!(lab.other.seen().is_empty());
        // Nobody takes an answer of the app's for one of ours.
        lab.own.script([answer("x-grantkeep-error: frozen\r\n", "")]);
        assert_eq!(run.get("raw.example", "/x").await.code(), "");
    }
}

#[tokio::test]
async fn bodies_are_bounded_either_way() {
    let settings = [("proxy_answer_bytes_max", "20000"), ("proxy_request_bytes_max", "20000")];
    for lab in labs_with(&settings).await {
        let run = lab.run().await;
        lab.own.script([answer("", &"x".repeat(20_001))]);
        let got = run.get("raw.example", "/x").await;
        assert_eq!((got.status, got.code()), (502, "upstream_too_large"));
        let body = "x".repeat(20_001);
        let got = run.post("other.example", "application/octet-stream", body).await;
        assert_eq!((got.status, got.code()), (413, "body_too_large"));
    }
}

#[tokio::test]
async fn p_08_calls_at_once_are_bounded_for_each_account_whose_credential_leaves() {
    for lab in labs_with(&[("proxy_per_account_max", "1")]).await {
        let (run, other) = lab.run_of_two().await;
        let tokens = [run.token("api_key"), other["api_key"].as_str().unwrap()];
        let request = |keys: &str| Request::get("/x").header("x-keys", keys).body(Body::empty());
        let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        lab.own.script([vec![
            Do::Tell(Arc::clone(&arrived)),
            Do::Await(Arc::clone(&go)),
            Do::Send(b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ]]);
        let mut client = run.client("raw.example").await;
        let both = with_host(request(&tokens.join(" ")).unwrap(), "raw.example");
        let under_way = tokio::spawn(client.send_request(both));
        arrived.notified().await;
        for token in tokens {
            let got = run.send("raw.example", request(token).unwrap()).await;
            assert_eq!((got.status, got.code()), (429, "too_many_at_once"));
        }
        go.notify_one();
        assert_eq!(under_way.await.unwrap().unwrap().status(), 200);
        for token in tokens {
            assert_eq!(run.send("raw.example", request(token).unwrap()).await.status, 200);
        }
    }
}

/// More than the system holds of it on the way.
const MUCH_BYTES: usize = 12 * 1024 * 1024;

#[tokio::test]
async fn a_websocket_goes_both_ways_at_once_and_ends_one_way_at_a_time() {
    for lab in labs().await {
        let run = lab.run().await;
        // The server reads once all that it says was taken, and goes when code has said all.
        let head = "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        lab.own.script([vec![
            Do::Send(head.into()),
            Do::Send(vec![b's'; MUCH_BYTES]),
            Do::Read(MUCH_BYTES),
            Do::Send(b"done".to_vec()),
            Do::Hang,
        ]]);
        let mut socket = run.secure("raw.example", "raw.example").await.unwrap();
        let asked = "GET / HTTP/1.1\r\nhost: raw.example\r\nconnection: upgrade\r\n\
                     upgrade: websocket\r\n\r\n";
        socket.write_all(asked.as_bytes()).await.unwrap();
        let (mut from, mut to) = tokio::io::split(socket);
        // The relay leaves HTTP once it has said so.
        let mut begun = Vec::new();
        while !begun.ends_with(b"\r\n\r\n") {
            begun.push(from.read_u8().await.unwrap());
        }
        let mut said = Vec::new();
        let reading = from.read_to_end(&mut said);
        let saying = async {
            to.write_all(&vec![b'c'; MUCH_BYTES]).await.unwrap();
            to.shutdown().await.unwrap();
        };
        let (read, ()) = tokio::join!(reading, saying);
        read.unwrap();
        assert_eq!(said.len(), MUCH_BYTES + "done".len());
        assert!(said.ends_with(b"sdone"));
        assert_eq!(lab.own.last().body.len(), MUCH_BYTES);
    }
}
