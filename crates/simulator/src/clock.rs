//! The one place here that reads a clock. Tests move it forward instead of sleeping.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch, read once from the system and counted on by the monotonic clock,
/// plus what the tests have added.
pub(crate) struct Clock {
    epoch_ms: u64,
    started: Instant,
    ahead_ms: AtomicU64,
}

impl Clock {
    #[allow(clippy::disallowed_methods)] // this is the door
    pub(crate) fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { epoch_ms: millis(since_epoch), started: Instant::now(), ahead_ms: AtomicU64::new(0) }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.real_ms() + self.ahead_ms.load(Ordering::SeqCst)
    }

    /// Seconds since the epoch without what tests added: signatures made elsewhere carry this time.
    pub(crate) fn real_s(&self) -> u64 {
        self.real_ms() / 1000
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(millis(by), Ordering::SeqCst);
    }

    fn real_ms(&self) -> u64 {
        self.epoch_ms + millis(self.started.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
