//! Bodies in and out, with what the listener must know about them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::activity::Busy;

/// Whether the whole body of a request has arrived.
#[derive(Clone, Default)]
pub(super) struct Arrived(Arc<AtomicBool>);

impl Arrived {
    pub(super) fn is_whole(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is still read of a body that nobody wanted, and for how long. A connection that is closed
/// on a sender takes the answer with it (RFC 9112 section 9.6).
const UNWANTED_BYTES_MAX: usize = 1024 * 1024;
const UNWANTED_TIME_MAX: Duration = Duration::from_secs(5);

/// A request's body: no larger than allowed, and it tells when it has arrived. Dropped before that,
/// its rest is read in the background, within limits, so that the refused sender gets the answer.
pub(super) struct Upload {
    /// Taken when this is dropped.
    inner: Option<Limited<Incoming>>,
    arrived: Arrived,
    /// Whether the sender waits for leave to send it, which reading gives (RFC 9110 section
    /// 10.1.1).
    waits: bool,
}

impl Upload {
    pub(super) fn new(
        inner: Incoming,
        (bytes_max, waits): (usize, bool),
        arrived: Arrived,
    ) -> Self {
        arrived.0.store(inner.is_end_stream(), Ordering::Relaxed);
        Self { inner: Some(Limited::new(inner, bytes_max)), arrived, waits }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(&mut *inner).poll_frame(cx));
        if frame.is_none() || inner.is_end_stream() {
            this.arrived.0.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take().filter(|_| !self.arrived.is_whole()) else { return };
        if self.waits || inner.is_end_stream() {
            return;
        }
        let mut rest = Limited::new(inner, UNWANTED_BYTES_MAX);
        tokio::spawn(tokio::time::timeout(UNWANTED_TIME_MAX, async move {
            while let Some(Ok(_)) = rest.frame().await {}
        }));
    }
}

/// An answer's body: as long as it lives, the connection counts as busy.
pub(super) struct Download {
    pub(super) inner: Body,
    pub(super) _busy: Busy,
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
