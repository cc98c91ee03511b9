//! Wrong credentials, counted for each address: whoever sends too many is told to come back later.
//!
//! The secrets here hold some 180 random bits, so this is not what keeps them from being guessed.
//! It keeps one address from filling the audit log, and a client that lost its secret from asking
//! for ever. A right credential is neither counted nor refused: whoever shares an address with
//! somebody else's mistakes, behind one gateway or behind a proxy that `trusted_proxies` does not
//! name, is let in all the same.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::clock::Clock;
use crate::error::{self, Error, Result};

/// Addresses remembered at once; a million of them take less than 64 MiB. All further ones share
/// one budget.
const ADDRESSES_MAX: usize = 1_000_000;
/// Least time between two searches for addresses that can be forgotten.
const SWEEP_MS: i64 = 1_000;
/// Length of the window that a budget is for, in seconds.
const WINDOW_S: u64 = 60;
/// What the addresses share that are not remembered: a network from which nobody can call.
const EVERYBODY_ELSE: u64 = u64::MAX;

/// Name of the budget in the answers.
const POLICY: &str = "failed-auth";
/// `draft-ietf-httpapi-ratelimit-headers`, sections 3 and 4.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

type Limiter = RateLimiter<u64, DashMapStateStore<u64>, Ticks, NoOpMiddleware<Nanos>>;

/// The budgets for failures, by address.
pub struct Attempts {
    limiter: Limiter,
    per_minute: NonZeroU32,
    clock: Clock,
    swept_at_ms: AtomicI64,
}

/// The process's clock, as the limiter reads it.
#[derive(Clone)]
struct Ticks(Clock);

impl governor::clock::Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Duration::from_millis(self.0.now_ms().max(0).cast_unsigned()).into()
    }
}

impl Attempts {
    /// Takes `per_minute` failures of one address at once, and gives that many back each minute.
    pub fn new(per_minute: u32, clock: Clock) -> Self {
        let per_minute = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(per_minute);
        let limiter = RateLimiter::dashmap_with_clock(quota, Ticks(clock.clone()));
        Self { limiter, per_minute, clock, swept_at_ms: AtomicI64::new(0) }
    }

    /// Counts a failure of the address.
    ///
    /// # Errors
    /// [`error::RATE_LIMITED`], with `Retry-After`, once the address's budget is used up. It is
    /// the answer in the place of the failure's own, and the failure leaves no other trace.
    pub fn failed(&self, address: Option<IpAddr>) -> Result<()> {
        let Some(address) = address else { return Ok(()) };
        let key = if self.has_room() { network(address) } else { EVERYBODY_ELSE };
        self.limiter.check_key(&key).map_err(|until| {
            metrics::counter!("grantkeep_failed_auth_limited_total").increment(1);
            let now = governor::clock::Clock::now(&Ticks(self.clock.clone()));
            let wait = until.wait_time_from(now);
            self.refusal(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
        })
    }

    /// Whether one more address can be remembered. Those whose budget is whole again are forgotten
    /// for that.
    fn has_room(&self) -> bool {
        if self.limiter.len() < ADDRESSES_MAX {
            return true;
        }
        let now_ms = self.clock.now_ms();
        let swept_at_ms = self.swept_at_ms.load(Ordering::Relaxed);
        let due = now_ms - swept_at_ms >= SWEEP_MS;
        let ours = self.swept_at_ms.compare_exchange(
            swept_at_ms,
            now_ms,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if due && ours.is_ok() {
            self.limiter.retain_recent();
        }
        self.limiter.len() < ADDRESSES_MAX
    }

    fn refusal(&self, wait_s: u64) -> Error {
        let wait_s = wait_s.max(1);
        let policy = format!("\"{POLICY}\";q={};w={WINDOW_S}", self.per_minute);
        let state = format!("\"{POLICY}\";r=0;t={wait_s}");
        let text = "Too many wrong credentials came from your address. Try again later.";
        let mut refusal = error::RATE_LIMITED.saying(text).retry_after(wait_s);
        for (name, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                refusal = refusal.header(name, value);
            }
        }
        refusal
    }
}

/// What counts as one address: an IPv4 address, and of IPv6 the /64, all of which one client may
/// have. As IPv4 addresses stand below `::/32`, which is nobody's, the two do not meet.
fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(it) => u64::from(it.to_bits()),
        IpAddr::V6(it) => (it.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(attempts: &Attempts, address: &str) -> bool {
        attempts.failed(Some(address.parse().unwrap())).is_err()
    }

    #[test]
    fn a_08_each_address_has_a_budget_that_comes_back() {
        let clock = Clock::system();
        let attempts = Attempts::new(3, clock.clone());
        let tried: Vec<_> = (0..5).map(|_| refused(&attempts, "192.0.2.1")).collect();
        assert_eq!(tried, [false, false, false, true, true]);
        assert!(!refused(&attempts, "192.0.2.2"));
        clock.shift(20_000);
        assert!(!refused(&attempts, "192.0.2.1"));
        assert!(refused(&attempts, "192.0.2.1"));
        assert!(attempts.failed(None).is_ok(), "who has no address did not come by the network");
    }

    #[test]
    fn a_08_of_ipv6_the_network_counts() {
        let attempts = Attempts::new(1, Clock::system());
        assert!(!refused(&attempts, "2001:db8:0:1::1"));
        assert!(refused(&attempts, "2001:db8:0:1:ffff::2"));
        assert!(!refused(&attempts, "2001:db8:0:2::1"));
        assert!(!refused(&attempts, "192.0.2.1"));
        assert!(refused(&attempts, "::ffff:192.0.2.1"));
    }

    /// Resident memory of this process, in bytes (Linux).
    fn resident() -> Option<u64> {
        let text = std::fs::read_to_string("/proc/self/statm").ok()?;
        text.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * 4_096)
    }

    #[test]
    fn a_08_two_million_addresses_take_less_than_64_mib() {
        let clock = Clock::system();
        let attempts = Attempts::new(2, clock.clone());
        let before = resident();
        for address in 0..2_000_000_u32 {
            let _ = attempts.failed(Some(IpAddr::V4(address.into())));
        }
        assert!(attempts.limiter.len() <= ADDRESSES_MAX + 1, "{}", attempts.limiter.len());
        if let (Some(before), Some(after)) = (before, resident()) {
            let mib = after.saturating_sub(before) >> 20;
            assert!(mib < 64, "{mib} MiB");
        }
        // Whoever comes now shares a budget that is used up; in a minute all is forgotten.
        assert!(refused(&attempts, "203.0.113.9"));
        clock.shift(61_000);
        assert!(!refused(&attempts, "203.0.113.9"));
        assert!(attempts.limiter.len() < 10);
    }
}
