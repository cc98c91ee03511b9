//! Calls to apps with the credential of an account, which the caller never sees.
//!
//! A call is judged, given the credential, sent, and its answer passed back as it comes:
//!
//! 1. `api.rs` reads the call; `target.rs` judges where it goes, before any secret is opened.
//! 2. `call.rs` finds the account and its app, holds limits and rules, and has an audit event
//!    written.
//! 3. `inject.rs` puts the credential in, last; `sign.rs` signs. (`signature.rs` does so for calls
//!    that somebody else sends.)
//! 4. `send.rs` sends it by `egress.rs`, over connections of this project alone; once more with a
//!    fresh token after a 401, and when the caller wants it, after other failures.
//! 5. `answer.rs` passes the answer back: `headers.rs`, `download.rs`, `echo.rs`; `record.rs`
//!    counts the call once that is over.

mod answer;
pub mod api;
pub mod api_signature;
mod call;
pub(crate) mod download;
pub(crate) mod echo;
pub(crate) mod headers;
pub(crate) mod inject;
mod record;
mod retry;
pub(crate) mod send;
pub(crate) mod sign;
pub(crate) mod signature;
pub(crate) mod target;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::app::App;
use target::Aim;

/// How often tallies that are over are summed up for the audit log.
const SUM_UP_EVERY: Duration = Duration::from_secs(5);

/// A call as it was asked for, read and judged as far as that goes without the account.
struct Asked {
    method: Method,
    aim: Aim,
    /// For the app.
    headers: HeaderMap,
    account: String,
    external_id: Option<String>,
    /// How often it may be sent again after a failure that passes.
    retries: u32,
    /// Where the caller reached this server, which need not be under its public URL.
    reached_at: Option<Url>,
}

impl Asked {
    fn user(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// Whether sending it twice has the effect of once (RFC 9110 section 9.2.2), or the caller says
    /// that the app sees to that.
    fn may_repeat(&self) -> bool {
        matches!(self.method, Method::GET | Method::PUT | Method::DELETE)
            || self.headers.contains_key("idempotency-key")
    }
}

/// Sums up, for the audit log, the windows of calls that are over.
pub fn sum_up(app: &App) {
    app.tallies.close(&app.audit, app.clock.now_ms());
}

/// Does so until `stop`. What is open then is summed up when the store is closed.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        sum_up(&app);
        tokio::select! {
            () = tokio::time::sleep(SUM_UP_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}
