//! `WebSocket`s (RFC 6455): a request that asks for one is made anew like any other, and once the
//! server has agreed, bytes are moved between the two.

use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONNECTION, UPGRADE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::answer::{Record, restore};
use super::connection::Link;
use super::forward::without_hops;
use super::grants::lock;
use crate::error;
use crate::proxy::echo::Scanner;
use crate::slots::Slot;

/// Compressed messages could not be looked through.
const EXTENSIONS: HeaderName = HeaderName::from_static("sec-websocket-extensions");
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
/// Read at once, either way.
const PIECE_BYTES: usize = 16 * 1024;
/// A socket on which nothing moves either way for so long is closed.
const IDLE: Duration = Duration::from_mins(2);

/// What goes on over a connection once it speaks another protocol.
pub(super) type Joined = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Whether the request asks for a WebSocket, and for nothing else.
pub(super) fn is_asked(request: &Request<Incoming>) -> bool {
    let mut asked = request.headers().get_all(UPGRADE).iter();
    let (first, more) = (asked.next(), asked.next());
    let websocket = first.is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"websocket"));
    *request.method() == Method::GET && websocket && more.is_none()
}

/// Says in the head of the new request, which has no such headers any more, what it asks for.
pub(super) fn ask(link: &Link, headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
    if link.grants.has_blinds() {
        headers.remove(EXTENSIONS);
    }
}

/// The answer of a server that agreed. What follows is left to the connection, which is to do it
/// once the answer is out.
pub(super) fn join(
    link: &Link,
    (code, mut response): (OnUpgrade, Response<Incoming>),
    (mut record, slots): (Record, Vec<Slot>),
) -> Response<Body> {
    let server = hyper::upgrade::on(&mut response);
    let mut headers = without_hops(std::mem::take(response.headers_mut()));
    restore(&mut headers, &link.grants.needles(true));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
    record.answered(StatusCode::SWITCHING_PROTOCOLS);
    let scanner = Scanner::new(link.grants.needles(false));
    let moving: Joined = Box::pin(async move {
        let _slots = slots;
        match tokio::try_join!(code, server) {
            Ok((code, server)) => {
                let (code, server) = (TokioIo::new(code), TokioIo::new(server));
                Box::pin(moved(code, server, scanner, record)).await;
            }
            Err(error) => tracing::debug!(%error, "a WebSocket did not come about"),
        }
    });
    *lock(&link.joined) = Some(moving);
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *answer.headers_mut() = headers;
    answer
}

type Side = TokioIo<Upgraded>;

/// How long what may be the beginning of a credential waits for its end.
const HOLD: Duration = Duration::from_millis(20);

/// Moves bytes until one side closes, nothing moves, or too much did.
async fn moved(code: Side, server: Side, mut scanner: Scanner, mut record: Record) {
    let (mut from_code, mut to_code) = tokio::io::split(code);
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let (mut up, mut down) = ([0; PIECE_BYTES], [0; PIECE_BYTES]);
    loop {
        tokio::select! {
            read = from_code.read(&mut up) => {
                let Ok(count @ 1..) = read else { break };
                if !record.sends(count) || to_server.write_all(&up[..count]).await.is_err() {
                    break;
                }
            }
            read = from_server.read(&mut down) => {
                let Ok(count @ 1..) = read else { break };
                let clean = scanner.pass(Bytes::copy_from_slice(&down[..count]));
                if scanner.has_found() {
                    // Put into its place, a placeholder would break the frame.
                    record.failed(error::UPSTREAM_PROTOCOL.code);
                    break;
                }
                if !record.receives(count) || to_code.write_all(&clean).await.is_err() {
                    break;
                }
            }
            () = tokio::time::sleep(HOLD), if scanner.held_bytes() > 0 => {
                if to_code.write_all(&scanner.rest()).await.is_err() {
                    break;
                }
            }
            () = tokio::time::sleep(IDLE) => break,
        }
    }
    let _ = tokio::join!(to_code.shutdown(), to_server.shutdown());
}
