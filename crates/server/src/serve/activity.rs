//! What a connection is doing, and when it has done nothing for too long.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::framing::{Found, Refusal};
use crate::config::Config;

/// How often a connection is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long each phase of a connection may take.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    head: Duration,
    idle: Duration,
    stalled: Duration,
}

impl Patience {
    pub(crate) fn new(config: &Config) -> Self {
        let head = config.header_timeout_ms.duration();
        let idle = config.idle_timeout_ms.duration();
        Self { head, idle, stalled: idle.max(config.longest_answer()) }
    }
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The head of a request did not come in time.
    Head,
    /// Nothing was asked.
    Idle,
    /// An exchange went on but no byte moved.
    Stalled,
}

/// The state of one connection, written by its stream and its requests.
pub(crate) struct Activity {
    opened: Instant,
    /// When the first byte of a head came, in milliseconds after `opened`, plus one. 0: none yet.
    head_since: AtomicU64,
    /// When a byte last moved, in milliseconds after `opened`.
    moved: AtomicU64,
    requests: AtomicUsize,
    http2: AtomicBool,
    /// Whether the connection speaks another protocol by now.
    left: AtomicBool,
    found: Mutex<VecDeque<Option<Refusal>>>,
}

impl Activity {
    /// A fresh connection must send a head at once: it may not just sit there.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            head_since: AtomicU64::new(1),
            moved: AtomicU64::new(0),
            requests: AtomicUsize::new(0),
            http2: AtomicBool::new(false),
            left: AtomicBool::new(false),
            found: Mutex::default(),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }

    /// Bytes came. With no request at work they begin a head.
    pub(super) fn read(&self) {
        let now = self.now();
        self.moved.store(now, Ordering::Relaxed);
        if self.requests.load(Ordering::Relaxed) == 0 {
            let _ =
                self.head_since.compare_exchange(0, now + 1, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Bytes went.
    pub(super) fn wrote(&self) {
        self.moved.store(self.now(), Ordering::Relaxed);
    }

    /// From now on no bytes are heads of requests.
    pub(crate) fn leaves_http(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    /// The stream saw a head go by.
    pub(super) fn found(&self, found: Found) {
        match found {
            Found::Http2 => self.http2.store(true, Ordering::Relaxed),
            Found::Request(refusal) => {
                let mut queue = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                queue.push_back(refusal);
            }
        }
    }

    /// A request reached us. Gives why to refuse it, and a guard that lasts as long as its answer.
    pub(crate) fn begin(self: &Arc<Self>) -> (Option<Refusal>, Busy) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
        let refusal = if self.http2.load(Ordering::Relaxed) {
            None
        } else {
            self.found.lock().unwrap_or_else(PoisonError::into_inner).pop_front().flatten()
        };
        (refusal, Busy(Arc::clone(self)))
    }

    /// Returns once the connection has done nothing for too long.
    pub(crate) async fn run_out(&self, patience: Patience) -> Over {
        let look_every = LOOK_EVERY.min(patience.head / 4);
        loop {
            let (limit, since, over) = self.phase(patience);
            let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
            let left = since.saturating_add(limit).saturating_sub(self.now());
            if left == 0 {
                return over;
            }
            tokio::time::sleep(Duration::from_millis(left).min(look_every)).await;
        }
    }

    fn phase(&self, patience: Patience) -> (Duration, u64, Over) {
        let moved = self.moved.load(Ordering::Relaxed);
        if self.requests.load(Ordering::Relaxed) > 0 {
            return (patience.stalled, moved, Over::Stalled);
        }
        // Frames of HTTP/2 need not belong to a head: pings and settings come at any time.
        let head = self.head_since.load(Ordering::Relaxed);
        if head > 0 && !self.http2.load(Ordering::Relaxed) {
            return (patience.head, head - 1, Over::Head);
        }
        (patience.idle, moved, Over::Idle)
    }
}

/// A request is at work, or its answer is still on its way.
pub(crate) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.wrote();
        self.0.head_since.store(0, Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}
