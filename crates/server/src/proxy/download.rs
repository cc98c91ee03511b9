//! An answer's body on its way to the caller: counted, timed, and looked through for the
//! credential.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::echo::Scanner;
use crate::egress::BodyError;
use crate::projects::Echo;
use crate::slots::Slot;

/// What holds while an answer flows.
pub(crate) struct Bounds {
    pub bytes_max: u64,
    pub idle: Duration,
    /// When it must have ended.
    pub end: Instant,
    pub echo: Echo,
}

/// Why an answer was cut off. The connection ends with it, so nobody takes it for whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cut {
    #[error("the app's answer is larger than allowed")]
    TooLarge,
    #[error("the app's answer stood still, or took too long")]
    Late,
    #[error("the app's answer holds the credential")]
    Secret,
}

/// The body. As long as it lives, its call counts as under way.
pub(crate) struct Download {
    inner: Incoming,
    scanner: Scanner,
    bounds: Bounds,
    left: u64,
    /// Set when a piece came, so that the time runs anew.
    moved: bool,
    sleep: Option<Pin<Box<Sleep>>>,
    _slot: Option<Slot>,
}

impl Download {
    pub fn new(inner: Incoming, scanner: Scanner, bounds: Bounds, slot: Option<Slot>) -> Self {
        let left = bounds.bytes_max;
        Self { inner, scanner, bounds, left, moved: true, sleep: None, _slot: slot }
    }

    /// The next piece that can go on.
    fn judge(&mut self, piece: Bytes) -> Result<Bytes, Cut> {
        let bytes = piece.len() as u64;
        self.left = self.left.checked_sub(bytes).ok_or(Cut::TooLarge)?;
        let piece = self.scanner.pass(piece);
        if self.scanner.has_found() && self.bounds.echo == Echo::Refuse {
            return Err(Cut::Secret);
        }
        Ok(piece)
    }

    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = (Instant::now() + self.bounds.idle).min(self.bounds.end);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if std::mem::take(&mut self.moved) {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx)
    }
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
                ready!(this.poll_late(cx));
                return Poll::Ready(Some(Err(Cut::Late.into())));
            };
            this.moved = true;
            let piece = match frame {
                // Trailers are not passed on: they come after the headers were judged.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.judge(data)?,
                    Err(_) => continue,
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None if this.scanner.held_bytes() > 0 => this.scanner.rest(),
                None => return Poll::Ready(None),
            };
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream() && self.scanner.held_bytes() == 0
    }

    fn size_hint(&self) -> SizeHint {
        // Nothing is ever made longer or shorter, so what the app announced stays true.
        let held = self.scanner.held_bytes() as u64;
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + held);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + held);
        }
        hint
    }
}
