//! A request's body on its way out: read whole where a placeholder may stand in it, passed on as it
//! comes otherwise.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use crate::egress::{Body, BodyError};
use crate::error::{self, Result};

/// A text of up to this many bytes is looked through for placeholders, and sent again after a 401.
/// A larger one goes out as it is.
pub(super) const TEXT_BYTES_MAX: usize = 1024 * 1024;

pub(super) enum Load {
    Nothing,
    Whole(Bytes),
    /// `None`: it was sent.
    Coming(Option<Onward>),
}

/// How much of a body must be read first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    /// All of it, if it is no larger than [`TEXT_BYTES_MAX`].
    Text,
    /// All of it, since it is signed.
    Whole,
}

/// What passed, and how much may.
#[derive(Clone)]
pub(super) struct Sent {
    pub bytes: Arc<AtomicU64>,
    pub bytes_max: u64,
}

impl Sent {
    /// Counts bytes. `false`: they are more than may be sent.
    pub fn takes(&self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.bytes_max
    }

    /// Whether more was to be sent than may be.
    pub fn is_over(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.bytes_max
    }
}

impl Load {
    /// # Errors
    /// [`error::BODY_TOO_LARGE`] where it must be read and cannot; [`error::INVALID_REQUEST`] when
    /// it breaks off.
    pub async fn of(mut body: Incoming, need: Need, sent: Sent) -> Result<Self> {
        if body.is_end_stream() {
            return Ok(Self::Nothing);
        }
        let announced = body.size_hint().lower() > TEXT_BYTES_MAX as u64;
        if need == Need::Whole && announced {
            return Err(too_large());
        }
        if need == Need::Nothing || announced {
            return Ok(Self::Coming(Some(Onward { first: Bytes::new(), rest: body, sent })));
        }
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let broke = |_| error::INVALID_REQUEST.saying("The body broke off.");
            let Ok(data) = frame.map_err(broke)?.into_data() else { continue };
            all.extend_from_slice(&data);
            if all.len() > TEXT_BYTES_MAX {
                if need == Need::Whole {
                    return Err(too_large());
                }
                return Ok(Self::Coming(Some(Onward { first: all.freeze(), rest: body, sent })));
            }
        }
        sent.bytes.store(all.len() as u64, Ordering::Relaxed);
        Ok(Self::Whole(all.freeze()))
    }

    /// The bytes, where all of them are here.
    pub fn whole(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Nothing | Self::Coming(_) => &[],
        }
    }

    pub fn can_be_sent_again(&self) -> bool {
        !matches!(self, Self::Coming(_))
    }

    /// The body to be sent, with `instead` in the place of a whole one.
    pub fn take(&mut self, instead: Option<Bytes>) -> Result<Body> {
        let body = match self {
            Self::Nothing => Empty::new().map_err(never).boxed_unsync(),
            Self::Whole(bytes) => {
                Full::new(instead.unwrap_or_else(|| bytes.clone())).map_err(never).boxed_unsync()
            }
            Self::Coming(onward) => match onward.take() {
                Some(onward) => onward.boxed_unsync(),
                None => return Err(error::INTERNAL.logging("a body was to be sent twice")),
            },
        };
        Ok(body)
    }
}

fn too_large() -> error::Error {
    error::BODY_TOO_LARGE.saying(format!(
        "The body must be read to be signed for this app, and may have at most {TEXT_BYTES_MAX} \
         bytes."
    ))
}

fn never(it: std::convert::Infallible) -> BodyError {
    match it {}
}

/// Trailers end here: they could say what no header may.
pub(super) struct Onward {
    first: Bytes,
    rest: Incoming,
    sent: Sent,
}

impl Onward {
    fn count(&self, bytes: usize) -> Result<(), BodyError> {
        if self.sent.takes(bytes) {
            return Ok(());
        }
        Err("the body is larger than allowed".into())
    }
}

impl HttpBody for Onward {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if !this.first.is_empty() {
            let first = std::mem::take(&mut this.first);
            this.count(first.len())?;
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        loop {
            let frame = match ready!(Pin::new(&mut this.rest).poll_frame(cx)) {
                Some(frame) => frame?,
                None => return Poll::Ready(None),
            };
            if let Ok(data) = frame.into_data() {
                this.count(data.len())?;
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (first, rest) = (self.first.len() as u64, self.rest.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + first);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + first);
        }
        hint
    }
}
