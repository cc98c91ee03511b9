//! When something is sent again, and how an endpoint that fails is spared. Pure arithmetic.

use super::Condition;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Waits after the first try, the second, and so on. Together 75 h 35 min 5 s.
const WAITS_MS: [i64; 9] = [
    5 * SECOND_MS,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    14 * HOUR_MS,
    20 * HOUR_MS,
    24 * HOUR_MS,
];
/// Tries in all.
pub(super) const TRIES_MAX: i64 = 10;
/// Nothing is given up sooner, however the waits are spread.
pub(super) const SPAN_MS_MIN: i64 = 75 * HOUR_MS;
/// Waits are longer or shorter by up to this share.
const SPREAD_PERCENT: i64 = 10;
/// The longest wait that an endpoint may ask for by `Retry-After`.
pub(super) const RETRY_AFTER_MS_MAX: i64 = DAY_MS;

/// Failures in a row after which an endpoint is in penalty, and after which on life support.
const PENALTY_FAILURES: i64 = 5;
const LIFE_SUPPORT_FAILURES: i64 = 20;
/// What an endpoint is left alone for after a failure.
const PENALTY_PAUSE_MS: i64 = 30 * SECOND_MS;
const LIFE_SUPPORT_PAUSE_MS: i64 = 5 * MINUTE_MS;
/// An endpoint that failed for so long without one success is switched off, and what was queued for
/// so long is given up.
pub(super) const GIVE_UP_MS: i64 = 5 * DAY_MS;
/// Requests to one endpoint at once.
const AT_ONCE: usize = 4;

/// When to try again what was tried `attempts` times and was queued at `queued_at_ms`. `None`: not
/// any more.
pub(crate) fn next_try(id: &str, attempts: i64, queued_at_ms: i64, now_ms: i64) -> Option<i64> {
    if attempts >= TRIES_MAX {
        return None;
    }
    let nth = usize::try_from(attempts - 1).unwrap_or(0);
    let wait_ms = *WAITS_MS.get(nth)?;
    let at_ms = now_ms + wait_ms + wait_ms / 100 * spread(id, attempts);
    // Short waits by chance must not add up to an early end.
    let is_last = attempts == TRIES_MAX - 1;
    Some(if is_last { at_ms.max(queued_at_ms + SPAN_MS_MIN) } else { at_ms })
}

/// A number of percent that is spread evenly over deliveries and tries (FNV-1a), in the place of a
/// random one.
fn spread(id: &str, attempts: i64) -> i64 {
    let hash =
        id.bytes().chain(attempts.to_be_bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    (hash >> 16).cast_signed() % (2 * SPREAD_PERCENT + 1) - SPREAD_PERCENT
}

/// The condition of an endpoint after so many failures in a row, and how long to leave it alone.
pub(super) fn after_failures(failures: i64) -> (Condition, i64) {
    match failures {
        LIFE_SUPPORT_FAILURES.. => (Condition::LifeSupport, LIFE_SUPPORT_PAUSE_MS),
        PENALTY_FAILURES.. => (Condition::Penalty, PENALTY_PAUSE_MS),
        _ => (Condition::Happy, 0),
    }
}

/// Requests that an endpoint may have at once.
pub(super) fn at_once(state: Condition) -> usize {
    match state {
        Condition::Happy => AT_ONCE,
        Condition::Penalty | Condition::LifeSupport => 1,
        Condition::Deactivated => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::DeliveryId;

    /// Times of all tries from 0, if each fails at once.
    fn tries(id: &DeliveryId) -> Vec<i64> {
        let mut times = vec![0];
        while let Some(at_ms) =
            next_try(id.as_str(), i64::try_from(times.len()).unwrap(), 0, *times.last().unwrap())
        {
            times.push(at_ms);
        }
        times
    }

    #[test]
    fn h_06_ten_tries_span_75_hours_whatever_the_jitter() {
        for _ in 0..10_000 {
            let times = tries(&DeliveryId::mint());
            assert_eq!(times.len(), 10);
            assert!(*times.last().unwrap() >= SPAN_MS_MIN, "{times:?}");
            assert!(*times.last().unwrap() <= SPAN_MS_MIN * 112 / 100, "{times:?}");
            for (nth, pair) in times.windows(2).enumerate().take(8) {
                let wait = (pair[1] - pair[0]) * 100;
                assert!((WAITS_MS[nth] * 90..=WAITS_MS[nth] * 110).contains(&wait), "{times:?}");
            }
        }
    }

    #[test]
    fn h_06_tries_of_one_moment_are_spread() {
        let seconds: std::collections::BTreeSet<_> =
            (0..500).map(|_| tries(&DeliveryId::mint())[3]).collect();
        assert!(seconds.len() > 15, "{}", seconds.len());
    }

    #[test]
    fn h_08_an_endpoint_that_fails_is_asked_less_and_less() {
        assert_eq!(after_failures(1), (Condition::Happy, 0));
        assert_eq!(after_failures(5).0, Condition::Penalty);
        assert_eq!(after_failures(20).0, Condition::LifeSupport);
        let pauses: Vec<_> = (0..30).map(|it| after_failures(it).1).collect();
        assert!(pauses.is_sorted());
    }
}
