//! Passing an answer back to code: with placeholders where it repeats a credential.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use super::connection::Link;
use super::forward::without_hops;
use super::grants::{RunGrants, UpstreamCall};
use super::load::Sent;
use super::replace::Spelling;
use crate::app::App;
use crate::egress::BodyError;
use crate::error::{self, Result};
use crate::ids::AccountId;
use crate::projects::Echo;
use crate::proxy::download::{Bounds, Download};
use crate::proxy::echo::{Needles, Scanner};
use crate::proxy::headers;
use crate::serve::Busy;
use crate::slots::Slot;
use crate::tallies::Window;

/// Characters of a call's path that are kept of it.
const PATH_CHARS_MAX: usize = 2_048;
/// Ours alone, so that an answer that has it is ours.
const OUR_HEADERS: &str = "x-grantkeep-";

/// One call while it is under way; written down when it is dropped.
pub(super) struct Record {
    app: Arc<App>,
    grants: Arc<RunGrants>,
    call: UpstreamCall,
    /// Where it stands among the run's calls.
    nth: Option<usize>,
    began: std::time::Instant,
    pub sent: Sent,
    /// Those of the audit log that this call is counted in.
    pub windows: Vec<Arc<Window>>,
    _busy: Busy,
}

impl Record {
    pub fn begin(link: &Link, (method, path): (&Method, &str), busy: Busy) -> Self {
        let clean = link.grants.scrubber().text(path.to_owned());
        let call = UpstreamCall {
            at_ms: link.app.clock.now_ms(),
            method: method.as_str().to_owned(),
            host: link.way.authority(link.scheme),
            path: clean.chars().take(PATH_CHARS_MAX).collect(),
            status: None,
            error: None,
            sent_bytes: 0,
            received_bytes: 0,
            ms: 0,
            account: None,
        };
        let bytes_max = link.app.config.proxy_request_bytes_max as u64;
        let nth = link.grants.note(None, call.clone());
        Self {
            app: Arc::clone(&link.app),
            grants: Arc::clone(&link.grants),
            call,
            nth,
            began: std::time::Instant::now(),
            sent: Sent { bytes: Arc::default(), bytes_max },
            windows: Vec::new(),
            _busy: busy,
        }
    }

    pub fn answered(&mut self, status: StatusCode) {
        self.call.status = Some(status.as_u16());
        self.note();
    }

    /// The run may be over before the call is.
    fn note(&mut self) {
        self.call.sent_bytes = self.sent.bytes.load(Ordering::Relaxed);
        self.call.ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if self.nth.is_some() {
            self.grants.note(self.nth, self.call.clone());
        }
    }

    /// Counts bytes from the app. `false`: they are more than may come.
    pub fn receives(&mut self, count: usize) -> bool {
        self.call.received_bytes += count as u64;
        self.call.received_bytes <= self.app.config.proxy_answer_bytes_max as u64
    }

    pub fn failed(&mut self, code: &'static str) {
        self.call.error = Some(code);
    }

    pub fn uses(&mut self, account: &AccountId) {
        self.call.account.get_or_insert_with(|| account.clone());
    }

    fn outcome(&self) -> &'static str {
        match (self.call.status, self.call.error) {
            (_, Some(code)) => code,
            (Some(..300), _) => "2xx",
            (Some(300..400), _) => "3xx",
            (Some(400..500), _) => "4xx",
            (Some(500..), _) => "5xx",
            (None, None) => "left",
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let owned = if self.call.account.is_some() { "yes" } else { "no" };
        metrics::counter!(
            "grantkeep_code_calls_total", "credential" => owned, "outcome" => self.outcome()
        )
        .increment(1);
        if self.call.status.is_none_or(|it| it >= 400) {
            self.windows.iter().for_each(|it| it.failed());
        }
        self.note();
    }
}

/// Refuses an answer that is none, or too large, by its head.
///
/// # Errors
/// [`error::UPSTREAM_PROTOCOL`], [`error::UPSTREAM_TOO_LARGE`].
pub(super) fn screen(
    app: &App,
    (method, upgrade): (&Method, bool),
    response: &Response<Incoming>,
) -> Result<()> {
    let agreed = upgrade && response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if response.status().is_informational() && !agreed {
        return Err(error::UPSTREAM_PROTOCOL.logging("the app changed the protocol"));
    }
    let bytes_max = app.config.proxy_answer_bytes_max as u64;
    let length = headers::length(response.headers()).filter(|_| *method != Method::HEAD);
    if length.is_some_and(|it| it > bytes_max) {
        return Err(error::UPSTREAM_TOO_LARGE.into());
    }
    Ok(())
}

/// The answer as code gets it, its body still coming.
pub(super) fn pass(
    (mut record, method): (Record, &Method),
    response: Response<Incoming>,
    (slots, end): (Vec<Slot>, Instant),
) -> Response<Body> {
    let (mut head, incoming) = response.into_parts();
    let bodiless = *method == Method::HEAD || incoming.is_end_stream();
    let bounds = Bounds::of(&record.app.config, &head.headers, (end, Echo::Redact));
    let exchanged =
        record.grants.has_blinds() && Spelling::of(head.headers.get(CONTENT_TYPE)).is_some();
    let mut to = without_hops(head.headers);
    restore(&mut to, &record.grants.needles(true));
    if exchanged && !bodiless && head.status != StatusCode::NO_CONTENT {
        // A placeholder may be longer than what it stands for, or shorter.
        to.remove(CONTENT_LENGTH);
    }
    head.headers = to;
    record.answered(head.status);
    let scanner = Scanner::new(record.grants.needles(exchanged));
    let inner = Download::new(incoming, scanner, bounds, slots);
    let mut answer = Response::new(Body::new(Recorded { inner, exchanged, record }));
    *answer.status_mut() = head.status;
    *answer.headers_mut() = head.headers;
    answer
}

pub(super) fn restore(headers: &mut HeaderMap, needles: &Needles) {
    let ours = |it: &HeaderName| it.as_str().starts_with(OUR_HEADERS);
    let ours: Vec<HeaderName> = headers.keys().filter(|it| ours(it)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    for value in headers.values_mut() {
        if let Some(clean) = needles.black_out(value.as_bytes()) {
            *value = HeaderValue::from_bytes(&clean).unwrap_or(HeaderValue::from_static("***"));
        }
    }
}

/// The body, counted.
struct Recorded {
    inner: Download,
    /// Whether its length may change on the way.
    exchanged: bool,
    record: Record,
}

impl HttpBody for Recorded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                this.record.call.received_bytes += bytes as u64;
            }
            Some(Err(_)) => this.record.failed(error::UPSTREAM_PROTOCOL.code),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.exchanged { SizeHint::default() } else { self.inner.size_hint() }
    }
}
