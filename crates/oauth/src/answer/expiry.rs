//! When an access token ends: `expires_in` in all the forms in which it comes.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use super::Rules;

/// No lifetime is believed beyond this; a longer one is a moment taken for a length, or "never".
const LIFETIME_MS_MAX: i64 = 10 * 365 * 24 * 3_600 * 1_000;
/// Keeps the arithmetic on floats far from its ends. Seconds.
const SECONDS_MAX: f64 = 1e12;

/// What the number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiresUnit {
    /// Seconds from now (RFC 6749 §5.1).
    Seconds,
    Milliseconds,
    /// The moment itself, in seconds since 1970, or as a date.
    EpochSeconds,
    /// The same in milliseconds.
    EpochMilliseconds,
}

/// A date is the moment itself, whatever the unit. A value that says nothing (absent, empty, a
/// word) gives way to the app's own lifetime; zero and less mean now.
pub(super) fn at_ms(rules: &Rules, value: Option<&Value>, now_ms: i64) -> Option<i64> {
    let from_now = |seconds: Option<f64>| Some(now_ms.saturating_add(to_ms(seconds?)));
    let told = value.and_then(|value| match rules.expires_unit {
        ExpiresUnit::Seconds => from_now(number(value)).or_else(|| date_ms(value)),
        ExpiresUnit::Milliseconds => {
            from_now(number(value).map(|it| it / 1e3)).or_else(|| date_ms(value))
        }
        ExpiresUnit::EpochSeconds => number(value).map(to_ms).or_else(|| date_ms(value)),
        ExpiresUnit::EpochMilliseconds => {
            number(value).map(|it| to_ms(it / 1e3)).or_else(|| date_ms(value))
        }
    });
    let assumed = || {
        let seconds = i64::try_from(rules.lifetime_s?).unwrap_or(i64::MAX);
        Some(now_ms.saturating_add(seconds.saturating_mul(1_000)))
    };
    let at_ms = told.or_else(assumed)?;
    Some(at_ms.clamp(now_ms, now_ms.saturating_add(LIFETIME_MS_MAX)))
}

/// An integer or float, also inside a text.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

fn to_ms(seconds: f64) -> i64 {
    let duration = Duration::from_secs_f64(seconds.clamp(0.0, SECONDS_MAX));
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn date_ms(value: &Value) -> Option<i64> {
    let date = OffsetDateTime::parse(value.as_str()?.trim(), &Rfc3339).ok()?;
    i64::try_from(date.unix_timestamp_nanos() / 1_000_000).ok()
}

/// `Retry-After` as whole seconds from now: a number or a date (RFC 9110 §10.2.3).
pub fn retry_after_s(text: &str, now_ms: i64) -> Option<u64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        let seconds = if seconds.is_finite() { seconds.ceil() } else { return None };
        return u64::try_from(to_ms(seconds) / 1_000).ok();
    }
    let at = OffsetDateTime::parse(text, &Rfc2822).ok()?.unix_timestamp();
    u64::try_from((at - now_ms.div_euclid(1_000)).max(0)).ok()
}
