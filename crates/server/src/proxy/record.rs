//! What is left of a call once it is over: numbers, and an audit event where one is due.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::answer::told;
use super::download::Download;
use crate::app::App;
use crate::audit::Event;
use crate::egress::BodyError;
use crate::error::{self, Error};
use crate::tallies::Window;

/// One call while it is under way, its answer's body included; counted when it is dropped.
pub(super) struct Record {
    app: Arc<App>,
    slug: String,
    /// What is written down of the call if it must not be, or its answer not be passed on.
    event: Event,
    window: Option<Arc<Window>>,
    /// Whether the window knows that it failed.
    failed: bool,
    /// `None`: nothing was answered yet. Whoever leaves then leaves it so.
    outcome: Option<&'static str>,
}

impl Record {
    pub fn begin(app: &Arc<App>, slug: &str, event: Event) -> Self {
        Self {
            app: Arc::clone(app),
            slug: slug.to_owned(),
            event,
            window: None,
            failed: false,
            outcome: None,
        }
    }

    /// The event to begin the window with, and all others of the call.
    pub fn event(&self) -> Event {
        self.event.clone()
    }

    /// From now on the call is one of those in `window`.
    pub fn count_in(&mut self, window: Arc<Window>) {
        self.window = Some(window);
    }

    pub fn answered(&mut self, status: StatusCode) {
        self.outcome = Some(class(status.as_u16()));
        if status.as_u16() >= 400 {
            self.fails();
        }
    }

    pub fn failed(&mut self, error: &Error) {
        let kind = error.kind();
        self.outcome = Some(kind.code);
        self.fails();
        if kind.status == 403 || kind.code == error::SECRET_IN_RESPONSE.code {
            self.app.audit.note(self.event().outcome(kind.code));
        }
    }

    fn fails(&mut self) {
        if let Some(window) = &self.window
            && !self.failed
        {
            self.failed = true;
            window.failed();
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.outcome.is_none() {
            self.fails();
        }
        let (slug, outcome) = (std::mem::take(&mut self.slug), self.outcome.unwrap_or("left"));
        metrics::counter!("grantkeep_proxy_calls_total", "app" => slug, "outcome" => outcome)
            .increment(1);
    }
}

fn class(status: u16) -> &'static str {
    match status {
        ..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}

/// The body of an answer that is passed on.
pub(super) enum Passing {
    Whole(Bytes),
    Coming(Download),
}

impl Passing {
    /// As it is sent; one that is cut off on its way is a failure of its call.
    pub fn counted(self, record: Record) -> Body {
        match self {
            Self::Whole(bytes) => Body::from(bytes),
            Self::Coming(inner) => Body::new(Counted { inner, record }),
        }
    }
}

struct Counted {
    inner: Download,
    record: Record,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        if let Some(Err(error)) = &frame {
            this.record.failed(&told(error));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
