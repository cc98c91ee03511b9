//! `WebSocket`s (RFC 6455): a request that asks for one is made anew like any other, and once the
//! server has agreed, bytes are moved between the two.

use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONNECTION, UPGRADE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::Instant;

use super::answer::{Record, restore};
use super::connection::Link;
use super::forward::without_hops;
use super::grants::lock;
use super::load::Sent;
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
/// How long a side may take to hear that it is over.
const GOODBYE: Duration = Duration::from_secs(1);

/// It is over, for both sides.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

/// When a byte last moved, either way.
struct Movement(Mutex<Instant>);

impl Movement {
    fn now(&self) {
        *lock(&self.0) = Instant::now();
    }

    /// Returns once nothing has moved for [`IDLE`].
    async fn stopped(&self) {
        loop {
            let until = *lock(&self.0) + IDLE;
            if Instant::now() >= until {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

/// Moves bytes until both sides have closed, one breaks off, nothing moves, or too much did. Each
/// way goes on by itself: a server may wait with reading until what it says is read.
async fn moved(code: Side, server: Side, scanner: Scanner, mut record: Record) {
    let (from_code, mut to_code) = tokio::io::split(code);
    let (from_server, mut to_server) = tokio::io::split(server);
    let movement = Movement(Mutex::new(Instant::now()));
    let sent = record.sent.clone();
    let ways = async {
        tokio::try_join!(
            up((from_code, &mut to_server), &sent, &movement),
            down((from_server, &mut to_code), (scanner, &mut record), &movement),
        )
    };
    tokio::select! {
        _ = ways => {}
        () = movement.stopped() => {}
    }
    let goodbye = async { tokio::join!(to_code.shutdown(), to_server.shutdown()) };
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

type Halves<'a> = (ReadHalf<Side>, &'a mut WriteHalf<Side>);

/// From code to the server, until code has said all.
async fn up((mut from, to): Halves<'_>, sent: &Sent, movement: &Movement) -> Result<(), Over> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = from.read(&mut piece).await?;
        movement.now();
        if count == 0 {
            return Ok(to.shutdown().await?);
        }
        if !sent.takes(count) {
            return Err(Over);
        }
        to.write_all(&piece[..count]).await?;
        to.flush().await?;
        movement.now();
    }
}

/// From the server to code, looked through, until the server has said all.
async fn down(
    (mut from, to): Halves<'_>,
    (mut scanner, record): (Scanner, &mut Record),
    movement: &Movement,
) -> Result<(), Over> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let held = scanner.held_bytes() > 0;
        let count = tokio::select! {
            read = from.read(&mut piece) => read?,
            () = tokio::time::sleep(HOLD), if held => {
                to.write_all(&scanner.rest()).await?;
                to.flush().await?;
                continue;
            }
        };
        movement.now();
        if count == 0 {
            to.write_all(&scanner.rest()).await?;
            return Ok(to.shutdown().await?);
        }
        let clean = scanner.pass(Bytes::copy_from_slice(&piece[..count]));
        if scanner.has_found() {
            // Put into its place, a placeholder would break the frame.
            record.failed(error::UPSTREAM_PROTOCOL.code);
            return Err(Over);
        }
        if !record.receives(count) {
            return Err(Over);
        }
        to.write_all(&clean).await?;
        to.flush().await?;
        movement.now();
    }
}
