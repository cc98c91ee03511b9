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
    let (at_s, ms) = (at_ms.div_euclid(1_000), at_ms.rem_euclid(1_000));
    let Ok(at) = time::OffsetDateTime::from_unix_timestamp(at_s) else { return String::new() };
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let mut text = String::with_capacity("2026-11-23T03:10:00.000+00:00".len());
    // Each answer has several of them: a general formatter takes five times as long.
    let mut put = |number: i64, digits: u32, after: &str| {
        for place in (0..digits).rev() {
            let digit = (number / 10_i64.pow(place)).rem_euclid(10);
            text.push(char::from(b'0' + u8::try_from(digit).unwrap_or_default()));
        }
        text.push_str(after);
    };
    put(year.into(), 4, "-");
    put(u8::from(month).into(), 2, "-");
    put(day.into(), 2, "T");
    put(hour.into(), 2, ":");
    put(minute.into(), 2, ":");
    put(second.into(), 2, ".");
    put(ms, 3, "+00:00");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_is_what_strict_clients_parse() {
        assert_eq!(iso(1_790_000_000_123), "2026-09-21T14:13:20.123+00:00");
        assert_eq!(iso(0), "1970-01-01T00:00:00.000+00:00");
        assert_eq!(iso(-1), "1969-12-31T23:59:59.999+00:00");
        assert_eq!(iso(i64::MAX), "");
    }

    #[test]
    fn clones_share_a_shift() {
        let clock = Clock::system();
        let before = clock.now_ms();
        clock.clone().shift(3_600_000);
        assert!(clock.now_ms() >= before + 3_600_000);
    }
}
