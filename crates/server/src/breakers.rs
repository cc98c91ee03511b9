//! When a provider is down, most of those who would ask it are not let through.
//!
//! Kept in memory, per process and host: it saves calls, and decides nothing that must be true.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// This many failures in a row, whosever they were, and the provider counts as down.
const FAILURES_MAX: u32 = 8;
/// First and longest pause until one caller may look again; each failure of his doubles it.
const PAUSE_MS: i64 = 15_000;
const PAUSE_MS_MAX: i64 = 300_000;
/// Hosts remembered at once. Those that answer well are forgotten first.
const HOSTS_MAX: usize = 10_000;

#[derive(Default)]
pub struct Breakers(Mutex<HashMap<String, State>>);

#[derive(Default)]
struct State {
    failures: u32,
    /// Nobody asks before; who comes then, asks for all.
    shut_until_ms: i64,
    pause_ms: i64,
}

impl Breakers {
    /// How long the host is to be left alone. `None`: go ahead. Of those who come when a pause
    /// ends, one is let through.
    pub fn wait_ms(&self, host: &str, now_ms: i64) -> Option<i64> {
        let mut hosts = self.lock();
        let state = hosts.get_mut(host).filter(|it| it.pause_ms > 0)?;
        if now_ms < state.shut_until_ms {
            return Some(state.shut_until_ms - now_ms);
        }
        state.shut_until_ms = now_ms + state.pause_ms;
        None
    }

    /// The host answered, whatever it said.
    pub fn answered(&self, host: &str) {
        self.lock().remove(host);
    }

    /// The host did not answer, or said that it cannot.
    pub fn failed(&self, host: &str, now_ms: i64) {
        let mut hosts = self.lock();
        if hosts.len() >= HOSTS_MAX && !hosts.contains_key(host) {
            hosts.retain(|_, it| it.pause_ms > 0);
        }
        let state = hosts.entry(host.to_owned()).or_default();
        state.failures += 1;
        if state.failures < FAILURES_MAX {
            return;
        }
        state.pause_ms = (state.pause_ms * 2).clamp(PAUSE_MS, PAUSE_MS_MAX);
        state.shut_until_ms = now_ms + state.pause_ms;
        tracing::warn!(host, pause_ms = state.pause_ms, "a provider does not answer: let it rest");
        metrics::counter!("grantkeep_provider_pauses_total").increment(1);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, State>> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_down_is_asked_by_one_at_the_end_of_each_pause() {
        let breakers = Breakers::default();
        for _ in 0..FAILURES_MAX {
            assert_eq!(breakers.wait_ms("a", 0), None);
            breakers.failed("a", 0);
        }
        assert_eq!(breakers.wait_ms("a", 0), Some(PAUSE_MS));
        assert_eq!(breakers.wait_ms("b", 0), None, "another host");
        assert_eq!(breakers.wait_ms("a", PAUSE_MS), None, "one looks");
        assert_eq!(breakers.wait_ms("a", PAUSE_MS), Some(PAUSE_MS), "the others wait");
        breakers.failed("a", PAUSE_MS);
        assert_eq!(breakers.wait_ms("a", PAUSE_MS), Some(2 * PAUSE_MS));
        for _ in 0..40 {
            breakers.failed("a", 0);
        }
        assert_eq!(breakers.wait_ms("a", 0), Some(PAUSE_MS_MAX));
        breakers.answered("a");
        assert_eq!(breakers.wait_ms("a", 0), None);
    }
}
