//! Work that is done once for all who ask for it at the same time.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

/// Work that is under way, to be awaited.
pub type Flight<V> = Shared<BoxFuture<'static, Option<V>>>;

/// Work under way, by key. Cheap to clone; clones share it.
pub struct Flights<K, V>(Arc<Mutex<HashMap<K, Flight<V>>>>);

impl<K, V> Clone for Flights<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Flights<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Joins the work under way for `key`, or starts `work`. Once begun it runs to its end, whether
    /// or not anybody still waits. `None`: it panicked.
    pub fn join(&self, key: K, work: impl Future<Output = V> + Send + 'static) -> Flight<V> {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(&key) {
            return flight.clone();
        }
        let (this, mine) = (self.clone(), key.clone());
        // Removed in any case: a flight that panicked must not be what later callers join.
        let landed = OnDrop(move || {
            this.lock().remove(&mine);
        });
        let task = tokio::spawn(async move {
            let _landed = landed;
            work.await
        });
        let flight = task.map(Result::ok).boxed().shared();
        flights.insert(key, flight.clone());
        flight
    }

    /// Waits for the work that is under way now.
    pub async fn landed(&self) {
        let flights: Vec<_> = self.lock().values().cloned().collect();
        futures::future::join_all(flights).await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Flight<V>>> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn many_callers_at_once_start_the_work_once() {
        let flights = Flights::<&str, usize>::default();
        let (runs, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let work = || {
            let (runs, go) = (Arc::clone(&runs), Arc::clone(&go));
            async move {
                go.notified().await;
                runs.fetch_add(1, Ordering::SeqCst)
            }
        };
        let mut callers: Vec<_> = (0..8).map(|_| Box::pin(flights.join("a", work()))).collect();
        for caller in &mut callers {
            assert!(futures::poll!(caller).is_pending());
        }
        go.notify_one();
        for caller in callers {
            assert_eq!(caller.await, Some(0));
        }
        go.notify_one();
        assert_eq!(flights.join("a", work()).await, Some(1));
    }

    #[tokio::test]
    async fn work_goes_on_when_its_caller_is_gone() {
        let flights = Flights::<&str, ()>::default();
        let (begun, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (in_begun, in_ended) = (Arc::clone(&begun), Arc::clone(&ended));
        let mut caller = Box::pin(flights.join("a", async move {
            in_begun.notified().await;
            in_ended.notify_one();
        }));
        assert!(futures::poll!(&mut caller).is_pending());
        drop(caller);
        begun.notify_one();
        ended.notified().await;
    }

    #[tokio::test]
    async fn a_panic_is_no_answer_and_blocks_nobody() {
        let flights = Flights::<&str, u8>::default();
        assert_eq!(flights.join("a", async { panic!("on purpose") }).await, None);
        assert_eq!(flights.join("a", async { 7 }).await, Some(7));
    }
}
