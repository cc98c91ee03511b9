//! Workers that nobody uses now: warm ones for anybody, kept ones for their key alone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::pool::Key;
use crate::worker::Worker;

struct Kept {
    key: Key,
    worker: Worker,
    since: Instant,
}

#[derive(Default)]
struct Inner {
    warm: Vec<Worker>,
    /// The longest unused first.
    kept: Vec<Kept>,
    /// Workers that hold code and are at work.
    busy: usize,
    closed: bool,
}

/// Counts what is in use beside what it keeps, so that both together have one bound.
#[derive(Default)]
pub(crate) struct Keep(Mutex<Inner>);

impl Keep {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker of this key, or a warm one. `None`: one has to be started. In each case one more is
    /// busy, and room is made for it; what had to go is dropped after the lock.
    pub fn take(&self, key: &Key, most: usize) -> Option<Worker> {
        let mut gone = Vec::new();
        let mut inner = self.inner();
        inner.busy += 1;
        while let Some(at) = inner.kept.iter().rposition(|it| it.key == *key) {
            let mut worker = inner.kept.remove(at).worker;
            if worker.is_alive() {
                return Some(worker);
            }
            gone.push(worker);
        }
        while inner.busy + inner.kept.len() > most && !inner.kept.is_empty() {
            gone.push(inner.kept.remove(0).worker);
        }
        while let Some(mut worker) = inner.warm.pop() {
            if worker.is_alive() {
                return Some(worker);
            }
            gone.push(worker);
        }
        drop(inner);
        None
    }

    /// One less is busy. The worker, if it is still good, waits for its key.
    pub fn give_back(&self, key: &Key, worker: Option<Worker>) {
        let mut inner = self.inner();
        inner.busy -= 1;
        if let Some(worker) = worker.filter(|_| !inner.closed) {
            inner.kept.push(Kept { key: key.clone(), worker, since: Instant::now() });
        }
    }

    pub fn add_warm(&self, worker: Worker) {
        let mut inner = self.inner();
        if !inner.closed {
            inner.warm.push(worker);
        }
    }

    pub fn warm(&self) -> usize {
        self.inner().warm.len()
    }

    /// Lets go of those that waited too long, and tells when the next will have.
    pub fn expire(&self, idle_max: Duration) -> Option<Instant> {
        let mut inner = self.inner();
        let now = Instant::now();
        let old = inner.kept.iter().take_while(|it| it.since + idle_max <= now).count();
        let gone: Vec<Kept> = inner.kept.drain(..old).collect();
        let next = inner.kept.first().map(|it| it.since + idle_max);
        drop(inner);
        drop(gone);
        next
    }

    /// Lets go of all, now and later.
    pub fn close(&self) {
        let mut inner = self.inner();
        inner.closed = true;
        let gone = (std::mem::take(&mut inner.warm), std::mem::take(&mut inner.kept));
        drop(inner);
        drop(gone);
    }
}
