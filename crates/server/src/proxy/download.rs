//! An answer's body on its way to the caller: counted, timed, and looked through for the
//! credential.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;
use futures::FutureExt;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::echo::Scanner;
use super::headers;
use crate::config::Config;
use crate::egress::BodyError;
use crate::projects::Echo;
use crate::slots::Slot;

/// Between two events of a stream there may be silence for this long.
const EVENTS_IDLE: Duration = Duration::from_mins(1);

/// What holds while an answer flows.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub bytes_max: u64,
    /// Between two pieces, whoever is to blame for it.
    idle: Duration,
    /// When it must have ended.
    end: Instant,
    echo: Echo,
}

impl Bounds {
    /// For an answer with these headers. A stream of events has an end of its own.
    pub fn of(config: &Config, headers: &HeaderMap, (end, echo): (Instant, Echo)) -> Self {
        let idle = config.proxy_idle_timeout_ms.duration();
        let bytes_max = config.proxy_answer_bytes_max as u64;
        if headers::is_events(headers) {
            let end = Instant::now() + config.proxy_events_timeout_ms.duration();
            return Self { bytes_max, idle: idle.max(EVENTS_IDLE), end, echo };
        }
        Self { bytes_max, idle, end, echo }
    }
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

/// The body. Until the app has said all of it, its call counts as under way.
pub(crate) struct Download {
    source: Source,
    scanner: Scanner,
    echo: Echo,
    left: u64,
    /// To be told at the next turn.
    fault: Option<BodyError>,
}

enum Source {
    /// All that is left. The app has nothing to do with it any more.
    Here(Option<Bytes>),
    Coming(Coming),
}

/// More comes, and a task looks at the time: a caller that does not read has nobody ask for the
/// next piece, and must not hold the app's connection and the account's slot for that.
struct Coming {
    held: Shared,
    _watch: AbortOnDropHandle<()>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        // The task may hold it a moment longer.
        self.held.lock().let_go();
    }
}

impl Download {
    pub fn new(incoming: Incoming, scanner: Scanner, bounds: Bounds, slots: Vec<Slot>) -> Self {
        let Bounds { bytes_max, idle, end, echo } = bounds;
        let source = Source::of(incoming, (idle, end), slots);
        Self { source, scanner, echo, left: bytes_max, fault: None }
    }

    /// Whoever is told of a fault closes the connection, and what it has not sent by then is lost,
    /// the head of the answer too. So it has one turn for that.
    fn fails<T>(&mut self, fault: BodyError, cx: &Context<'_>) -> Poll<T> {
        self.fault = Some(fault);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The next piece that can go on.
    fn judge(&mut self, piece: Bytes) -> Result<Bytes, Cut> {
        let bytes = piece.len() as u64;
        self.left = self.left.checked_sub(bytes).ok_or(Cut::TooLarge)?;
        let piece = self.scanner.pass(piece);
        if self.scanner.has_found() && self.echo == Echo::Refuse {
            return Err(Cut::Secret);
        }
        Ok(piece)
    }
}

impl Source {
    /// Most answers are small and came with their head: those need no watch.
    fn of(mut incoming: Incoming, times: (Duration, Instant), slots: Vec<Slot>) -> Self {
        if incoming.is_end_stream() {
            return Self::Here(None);
        }
        let first = match incoming.frame().now_or_never() {
            Some(None) => return Self::Here(None),
            Some(Some(Ok(frame))) if incoming.is_end_stream() => {
                return Self::Here(frame.into_data().ok().filter(|it| !it.is_empty()));
            }
            Some(Some(first)) => Some(first),
            None => None,
        };
        let incoming = Some(incoming);
        let held = Held { incoming, first, slots, moved: Instant::now(), waiting: None };
        let held = Shared(Arc::new(Mutex::new(held)));
        let watch = tokio::spawn(held.clone().watch(times));
        Self::Coming(Coming { held, _watch: AbortOnDropHandle::new(watch) })
    }
}

/// What an answer holds of others while it comes.
struct Held {
    /// `None`: it was late, and was let go.
    incoming: Option<Incoming>,
    /// What had come when nobody had asked yet.
    first: Option<Result<Frame<Bytes>, hyper::Error>>,
    slots: Vec<Slot>,
    /// When a piece last went on.
    moved: Instant,
    /// Who waits for the next one.
    waiting: Option<Waker>,
}

impl Held {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(Some(Err(Cut::Late.into())));
        };
        let polled = match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => Pin::new(incoming).poll_frame(cx),
        };
        let Poll::Ready(frame) = polled else {
            self.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        };
        self.moved = Instant::now();
        Poll::Ready(frame.map(|it| it.map_err(Into::into)))
    }

    /// Until when to wait. `None`: that is over, and nothing is held any more.
    fn wait_or_let_go(&mut self, (idle, end): (Duration, Instant)) -> Option<Instant> {
        let until = (self.moved + idle).min(end);
        if Instant::now() < until {
            return Some(until);
        }
        self.let_go();
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
        None
    }

    fn let_go(&mut self) {
        self.slots.clear();
        self.first = None;
        self.incoming = None;
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.incoming.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let Some(incoming) = &self.incoming else { return SizeHint::default() };
        let first = self.first.as_ref().and_then(|it| it.as_ref().ok()?.data_ref());
        with(incoming.size_hint(), first.map_or(0, Bytes::len))
    }
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Held>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Held> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn watch(self, times: (Duration, Instant)) {
        loop {
            let until = self.lock().wait_or_let_go(times);
            let Some(until) = until else { return };
            tokio::time::sleep_until(until).await;
        }
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
        if let Some(fault) = this.fault.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        loop {
            let frame = match &mut this.source {
                Source::Here(bytes) => bytes.take().map(|it| Ok(Frame::data(it))),
                Source::Coming(coming) => ready!(coming.held.lock().poll_next(cx)),
            };
            let piece = match frame {
                // Trailers are not passed on: they come after the headers were judged.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => match this.judge(data) {
                        Ok(piece) => piece,
                        Err(cut) => return this.fails(cut.into(), cx),
                    },
                    Err(_) => continue,
                },
                Some(Err(error)) => return this.fails(error, cx),
                None => {
                    this.source = Source::Here(None);
                    if this.scanner.held_bytes() == 0 {
                        return Poll::Ready(None);
                    }
                    this.scanner.rest()
                }
            };
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let over = match &self.source {
            Source::Here(bytes) => bytes.is_none(),
            Source::Coming(coming) => coming.held.lock().is_end_stream(),
        };
        over && self.fault.is_none() && self.scanner.held_bytes() == 0
    }

    fn size_hint(&self) -> SizeHint {
        // Nothing is ever made longer or shorter, so what the app announced stays true.
        let coming = match &self.source {
            Source::Here(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
            Source::Coming(coming) => coming.held.lock().size_hint(),
        };
        with(coming, self.scanner.held_bytes())
    }
}

/// What is still to come, with so many bytes that are here.
fn with(coming: SizeHint, here: usize) -> SizeHint {
    let mut hint = SizeHint::new();
    hint.set_lower(coming.lower() + here as u64);
    if let Some(upper) = coming.upper() {
        hint.set_upper(upper + here as u64);
    }
    hint
}
