//! Calls with an account, summed up for the audit log.
//!
//! A row for every call would be more than all other writing together. So the first call of
//! somebody with an account is an event, stored before the call is made, and opens a window; at
//! its end another event says how many there were. Who used which account when is known to a
//! minute, after a crash too. A crash loses no more than the numbers of the windows it fell into.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tokio::sync::OnceCell;

use crate::audit::{Audit, Event};
use crate::callers::Actor;
use crate::error::Result;
use crate::ids::AccountId;

/// Length of a window.
const WINDOW_MS: i64 = 60_000;

/// Windows that are open.
#[derive(Default)]
pub struct Tallies(Mutex<HashMap<AccountId, Vec<Arc<Window>>>>);

/// One caller's calls with one account, since one moment.
pub struct Window {
    event: Event,
    since_ms: i64,
    recorded: OnceCell<()>,
    calls: AtomicU64,
    writes: AtomicU64,
    failed: AtomicU64,
}

/// What a call is to the tally.
pub struct Noted<'a> {
    pub actor: &'a Actor,
    pub account: &'a AccountId,
    /// Whether it may change something at the app.
    pub writes: bool,
    pub now_ms: i64,
}

impl Tallies {
    /// Counts a call that is about to be made. `first` makes the event of a window's first call; it
    /// is stored when this returns, for all who come meanwhile.
    ///
    /// # Errors
    /// [`crate::error::AUDIT_UNAVAILABLE`]: the call must not be made.
    pub async fn open(
        &self,
        audit: &Audit,
        noted: Noted<'_>,
        first: impl FnOnce() -> Event,
    ) -> Result<Arc<Window>> {
        let (window, over) = self.window(&noted, first);
        if let Some(over) = over {
            audit.note(over.summary());
        }
        let record = || async { audit.record(window.event.clone()).await };
        window.recorded.get_or_try_init(record).await?;
        window.calls.fetch_add(1, Ordering::Relaxed);
        window.writes.fetch_add(u64::from(noted.writes), Ordering::Relaxed);
        Ok(window)
    }

    fn window(
        &self,
        noted: &Noted<'_>,
        first: impl FnOnce() -> Event,
    ) -> (Arc<Window>, Option<Arc<Window>>) {
        let mut all = self.lock();
        let windows = all.entry(noted.account.clone()).or_default();
        let found = windows.iter_mut().find(|it| it.event.actor == *noted.actor);
        let fresh = |event| {
            Arc::new(Window {
                event,
                since_ms: noted.now_ms,
                recorded: OnceCell::new(),
                calls: AtomicU64::new(0),
                writes: AtomicU64::new(0),
                failed: AtomicU64::new(0),
            })
        };
        match found {
            Some(open) if open.open_at(noted.now_ms) => (Arc::clone(open), None),
            Some(over) => {
                let window = fresh(first());
                (Arc::clone(&window), Some(std::mem::replace(over, window)))
            }
            None => {
                let window = fresh(first());
                windows.push(Arc::clone(&window));
                (window, None)
            }
        }
    }

    /// Sums up and closes the windows that are over at `now_ms`.
    pub fn close(&self, audit: &Audit, now_ms: i64) {
        let mut over = Vec::new();
        self.lock().retain(|_, windows| {
            windows.retain(|it| {
                let open = it.open_at(now_ms);
                if !open {
                    over.push(it.summary());
                }
                open
            });
            !windows.is_empty()
        });
        for event in over {
            audit.note(event);
        }
    }

    /// Sums up and closes all.
    pub fn close_all(&self, audit: &Audit) {
        self.close(audit, i64::MAX);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Vec<Arc<Window>>>> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn open_at(&self, now_ms: i64) -> bool {
        now_ms < self.since_ms.saturating_add(WINDOW_MS)
    }

    /// One of the calls was answered with an error, or not at all.
    pub fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn summary(&self) -> Event {
        let count = |it: &AtomicU64| it.load(Ordering::Relaxed);
        let mut event = self.event.clone();
        event.action = "proxy.summary";
        event.detail(json!({
            "since_ms": self.since_ms,
            "calls": count(&self.calls),
            "writes": count(&self.writes),
            "failed": count(&self.failed),
        }))
    }
}
