//! Interim answers (RFC 9110 section 15.2) are passed over, within bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hyper::Request;
use tokio::sync::Notify;

/// Most interim answers before the final one.
const INTERIM_MAX: u32 = 128;

/// Tells when a server sends more of them than it may.
pub(super) struct Flood(Arc<Count>);

#[derive(Default)]
struct Count {
    came: AtomicU32,
    over: Notify,
}

/// Counts the interim answers to `request`. Those of HTTP/2 are not told: there the time for the
/// head is the only bound.
pub(super) fn flood<B>(request: &mut Request<B>) -> Flood {
    let count = Arc::new(Count::default());
    let flood = Flood(Arc::clone(&count));
    hyper::ext::on_informational(request, move |_| {
        if count.came.fetch_add(1, Ordering::Relaxed) == INTERIM_MAX {
            count.over.notify_one();
        }
    });
    flood
}

impl Flood {
    /// Returns once there were too many.
    pub(super) async fn came(&self) {
        self.0.over.notified().await;
    }
}
