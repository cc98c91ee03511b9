//! A request's body on its way to the app: passed on as it comes, watched, and kept while it is
//! small, so that the call can be made again.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body as CallersBody;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty, Full, LengthLimitError};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use crate::egress::{Body, BodyError};
use crate::error::{self, Error, Result};

/// A body of up to this many bytes is kept until the call is over.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// What is sent to the app, again if need be.
pub(super) enum Load {
    /// There is no body.
    Nothing,
    /// It is here.
    Whole(Bytes),
    /// It is still coming. The first sending takes the body out.
    Coming(Option<CallersBody>, Arc<Progress>),
}

impl Load {
    pub fn of(body: CallersBody) -> Self {
        if body.is_end_stream() {
            return Self::Nothing;
        }
        Self::Coming(Some(body), Arc::new(Progress::new()))
    }

    /// Reads all of it, up to `bytes_max`.
    ///
    /// # Errors
    /// [`error::BODY_TOO_LARGE`]; [`error::INVALID_REQUEST`] when it breaks off.
    pub async fn whole(body: CallersBody, bytes_max: usize) -> Result<Self> {
        if body.is_end_stream() {
            return Ok(Self::Nothing);
        }
        let mut body = std::pin::pin!(body);
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Fault::of(&error).told())?;
            let Ok(data) = frame.into_data() else { continue };
            if all.len() + data.len() > bytes_max {
                return Err(error::BODY_TOO_LARGE.saying(format!(
                    "The body must be read to be signed for this app, and may have at most \
                     {bytes_max} bytes."
                )));
            }
            all.extend_from_slice(&data);
        }
        Ok(Self::Whole(all.freeze()))
    }

    /// The body to be sent now. `None`: it was sent before and not kept.
    pub fn take(&mut self) -> Option<Body> {
        match self {
            Self::Nothing => Some(Empty::new().map_err(never).boxed_unsync()),
            Self::Whole(bytes) => Some(Full::new(bytes.clone()).map_err(never).boxed_unsync()),
            Self::Coming(body, progress) => match body.take() {
                Some(inner) => {
                    let progress = Arc::clone(progress);
                    Some(Upload { inner, progress }.boxed_unsync())
                }
                None => Some(Full::new(progress.whole()?).map_err(never).boxed_unsync()),
            },
        }
    }

    /// Whether [`Load::take`] will give it once more.
    pub fn can_be_sent_again(&self) -> bool {
        match self {
            Self::Nothing | Self::Whole(_) => true,
            Self::Coming(body, progress) => body.is_some() || progress.is_kept_whole(),
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// What the caller did wrong with the body, if that is why the call failed.
    pub fn fault(&self) -> Option<Error> {
        let Self::Coming(_, progress) = self else { return None };
        progress.lock().fault.map(Fault::told)
    }

    /// To be watched while it is sent.
    pub fn watch(&self) -> Watch {
        match self {
            Self::Coming(_, progress) => Watch(Some(Arc::clone(progress))),
            Self::Nothing | Self::Whole(_) => Watch(None),
        }
    }
}

/// A body, as whoever waits for the answer sees it.
pub(super) struct Watch(Option<Arc<Progress>>);

impl Watch {
    /// Returns once nobody should be waited for any longer, and says for whom it was.
    pub async fn out_of_patience(self, idle: Duration, first_byte: Duration) -> Late {
        let sent = Instant::now();
        let Some(progress) = self.0 else {
            tokio::time::sleep(first_byte).await;
            return Late::App;
        };
        loop {
            let (until, late) = progress.limit(sent, idle, first_byte);
            if Instant::now() >= until {
                return late;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

/// Who is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    Caller,
    App,
}

/// What a caller can do wrong with a body.
#[derive(Clone, Copy)]
enum Fault {
    TooLarge,
    BrokeOff,
}

impl Fault {
    fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(it) = cause {
            if it.is::<LengthLimitError>() {
                return Self::TooLarge;
            }
            cause = it.source();
        }
        Self::BrokeOff
    }

    fn told(self) -> Error {
        match self {
            Self::TooLarge => error::BODY_TOO_LARGE.into(),
            Self::BrokeOff => error::INVALID_REQUEST.saying("The body broke off."),
        }
    }
}

/// How far a body is.
pub(super) struct Progress(Mutex<State>);

struct State {
    /// All that came, while it is small.
    kept: Option<BytesMut>,
    ended: bool,
    /// The app took all that there was, and more must come from the caller.
    waiting: bool,
    moved: Instant,
    fault: Option<Fault>,
}

impl Progress {
    fn new() -> Self {
        Self(Mutex::new(State {
            kept: Some(BytesMut::new()),
            ended: false,
            waiting: false,
            moved: Instant::now(),
            fault: None,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_kept_whole(&self) -> bool {
        let state = self.lock();
        state.ended && state.kept.is_some()
    }

    fn whole(&self) -> Option<Bytes> {
        let state = self.lock();
        let kept = state.kept.as_ref().filter(|_| state.ended)?;
        Some(Bytes::copy_from_slice(kept))
    }

    /// Until when to wait, and who is late then. The app's time begins when it has everything, in
    /// this sending (`sent`) or in an earlier one.
    fn limit(&self, sent: Instant, idle: Duration, first_byte: Duration) -> (Instant, Late) {
        let state = self.lock();
        if state.ended {
            return (state.moved.max(sent) + first_byte, Late::App);
        }
        let late = if state.waiting { Late::Caller } else { Late::App };
        (state.moved.max(sent) + idle, late)
    }

    fn see(&self, frame: Option<&std::result::Result<Frame<Bytes>, axum::Error>>) {
        let mut state = self.lock();
        state.moved = Instant::now();
        state.waiting = false;
        match frame {
            None => state.ended = true,
            Some(Err(error)) => state.fault = Some(Fault::of(error)),
            Some(Ok(frame)) => {
                let Some(data) = frame.data_ref() else { return };
                // Copied: a piece of ten bytes would keep all that was read together with it.
                match &mut state.kept {
                    Some(kept) if kept.len() + data.len() <= KEPT_BYTES_MAX => {
                        kept.extend_from_slice(data);
                    }
                    kept => *kept = None,
                }
            }
        }
    }
}

/// The body itself. Trailers end here: they could say what no header may.
struct Upload {
    inner: CallersBody,
    progress: Arc<Progress>,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            let polled = Pin::new(&mut this.inner).poll_frame(cx);
            if polled.is_pending() {
                this.progress.lock().waiting = true;
            }
            let frame = ready!(polled);
            this.progress.see(frame.as_ref());
            if this.inner.is_end_stream() {
                this.progress.see(None);
            }
            match frame {
                Some(Ok(frame)) if !frame.is_data() => {}
                other => return Poll::Ready(other.map(|it| it.map_err(Into::into))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn never(it: std::convert::Infallible) -> BodyError {
    match it {}
}
