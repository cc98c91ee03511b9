//! The one door to time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time in UTC milliseconds. Clones share one offset, which tests move instead of
/// sleeping.
#[derive(Clone, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    pub fn system() -> Self {
        Self::default()
    }

    pub fn now_ms(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            + self.offset_ms.load(Ordering::Relaxed)
    }

    /// Moves this clock and all its clones by `ms`, forwards or back.
    pub fn shift(&self, ms: i64) {
        self.offset_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

/// A time as the wire wants it: ISO 8601 in UTC with milliseconds, `2026-11-23T03:10:00.000+00:00`.
pub fn iso(at_ms: i64) -> String {
    use time::macros::format_description;
    let format = format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]+00:00"
    );
    time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000)
        .ok()
        .and_then(|at| at.format(&format).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_is_what_strict_clients_parse() {
        assert_eq!(iso(1_790_000_000_123), "2026-09-21T14:13:20.123+00:00");
    }

    #[test]
    fn clones_share_a_shift() {
        let clock = Clock::system();
        let before = clock.now_ms();
        clock.clone().shift(3_600_000);
        assert!(clock.now_ms() >= before + 3_600_000);
    }
}
