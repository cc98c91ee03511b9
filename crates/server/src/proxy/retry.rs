//! Whether a failure passes, and how long to wait for it.

use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};

use crate::egress::{EgressError, Failure};

/// Sendings after the first that a caller may ask for.
pub(super) const RETRIES_MAX: u32 = 3;
/// A longer wait is the caller's own: the answer is passed on, and says how long.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// The first wait where the app does not say; each doubles it.
const WAIT_FIRST: Duration = Duration::from_millis(250);
/// Numbers from here on are seconds since 1970, and from there on milliseconds. Below, they are
/// seconds from now.
const EPOCH_S_MIN: i64 = 1_000_000_000;
const EPOCH_MS_MIN: i64 = 1_000_000_000_000;

/// What was answered, as far as it matters here.
pub(super) struct Answered<'a> {
    pub status: StatusCode,
    pub headers: &'a HeaderMap,
    /// The app's own headers about how much may still be asked, from its file.
    pub limits: &'a [String],
    pub now_ms: i64,
}

impl Answered<'_> {
    /// How long to wait before asking again. `None`: it does not help, or takes too long.
    pub fn wait(&self, nth: u32, may_repeat: bool) -> Option<Duration> {
        let passes = match self.status.as_u16() {
            // The app did not act on it.
            429 | 503 => true,
            403 => self.is_used_up(),
            408 | 425 | 502 | 504 => may_repeat,
            _ => false,
        };
        if !passes {
            return None;
        }
        let told = self.retry_after().or_else(|| self.reset());
        Some(told.unwrap_or_else(|| backoff(nth))).filter(|it| *it <= WAIT_MAX)
    }

    /// RFC 9110 section 10.2.3: seconds or a date.
    fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let date = time::OffsetDateTime::parse(
            &text.replace("GMT", "+0000"),
            &time::format_description::well_known::Rfc2822,
        );
        Some(until(date.ok()?.unix_timestamp() * 1_000, self.now_ms))
    }

    /// When one of the app's own headers says that its limit is lifted.
    fn reset(&self) -> Option<Duration> {
        let number = self.number_of("reset")?;
        Some(match number {
            EPOCH_MS_MIN.. => until(number, self.now_ms),
            EPOCH_S_MIN.. => until(number * 1_000, self.now_ms),
            _ => Duration::from_secs(u64::try_from(number).ok()?),
        })
    }

    fn is_used_up(&self) -> bool {
        self.number_of("remaining") == Some(0)
    }

    fn number_of(&self, word: &str) -> Option<i64> {
        let names = self.limits.iter().filter(|it| it.contains(word));
        let mut values = names.filter_map(|it| self.headers.get(it)?.to_str().ok());
        // Some are fractions of a second; the next whole second is late enough.
        values.find_map(|it| it.trim().split('.').next()?.parse().ok())
    }
}

/// How long to wait after a call that got no answer. `None`: the app may have acted on it.
pub(super) fn wait_after(error: &EgressError, nth: u32, may_repeat: bool) -> Option<Duration> {
    let passes = match error.failure() {
        Failure::Dns | Failure::Connect => true,
        Failure::Protocol => may_repeat || !error.maybe_sent(),
        Failure::Timeout => !error.maybe_sent(),
        Failure::NotAllowed | Failure::Tls | Failure::TooLarge => false,
    };
    passes.then(|| backoff(nth))
}

fn backoff(nth: u32) -> Duration {
    WAIT_FIRST * 2_u32.saturating_pow(nth)
}

fn until(at_ms: i64, now_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(at_ms - now_ms).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn wait(status: u16, headers: &[(&str, &str)], may_repeat: bool) -> Option<u64> {
        let pair = |(name, value): &(&str, &str)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        };
        let headers: HeaderMap = headers.iter().map(pair).collect();
        let limits = ["x-limit-remaining".to_owned(), "x-limit-reset".to_owned()];
        let status = StatusCode::from_u16(status).unwrap();
        let answered = Answered { status, headers: &headers, limits: &limits, now_ms: NOW_MS };
        answered.wait(0, may_repeat).map(|it| u64::try_from(it.as_millis()).unwrap())
    }

    #[test]
    fn the_wait_is_what_the_app_says_in_any_of_its_ways() {
        assert_eq!(wait(429, &[("retry-after", "7")], false), Some(7_000));
        let date = ("retry-after", "Tue, 14 Nov 2023 22:13:25 GMT");
        assert_eq!(wait(503, &[date], false), Some(5_000));
        assert_eq!(wait(429, &[("x-limit-reset", "9")], false), Some(9_000));
        assert_eq!(wait(429, &[("x-limit-reset", "1700000003")], false), Some(3_000));
        assert_eq!(wait(429, &[("x-limit-reset", "1700000004000")], false), Some(4_000));
        assert_eq!(wait(429, &[], false), Some(250));
        assert_eq!(wait(429, &[("retry-after", "21")], false), None, "the caller may wait himself");
        assert_eq!(wait(429, &[("x-limit-reset", "5")], false), Some(5_000));
    }

    #[test]
    fn what_the_app_may_have_acted_on_is_not_repeated() {
        assert_eq!(wait(502, &[], false), None);
        assert_eq!(wait(502, &[], true), Some(250));
        assert_eq!(wait(500, &[], true), None);
        assert_eq!(wait(403, &[], true), None);
        let used_up = [("x-limit-remaining", "0"), ("x-limit-reset", "2")];
        assert_eq!(wait(403, &used_up, false), Some(2_000));
    }
}
