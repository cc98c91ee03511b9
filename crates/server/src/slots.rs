//! How many things go on at once for one account, or for one of anything else.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ids::AccountId;

/// When to ask again for a place that was not free, in seconds.
pub const RETRY_AFTER_S: u64 = 1;

/// Counts what is under way. Holds none that has nothing under way.
pub struct Slots<K> {
    most: u32,
    taken: Arc<Mutex<HashMap<K, u32>>>,
}

/// One thing under way. Dropping it makes place for another.
pub struct Slot<K: Hash + Eq = AccountId> {
    of: K,
    taken: Arc<Mutex<HashMap<K, u32>>>,
}

impl<K: Hash + Eq + Clone> Slots<K> {
    pub fn new(most: u32) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// `None`: as many as may be are under way.
    pub fn take(&self, of: &K) -> Option<Slot<K>> {
        let mut all = lock(&self.taken);
        let count = all.entry(of.clone()).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Slot { of: of.clone(), taken: Arc::clone(&self.taken) })
    }
}

impl<K: Hash + Eq> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut all = lock(&self.taken);
        if let Some(count) = all.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.of);
            }
        }
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under the lock.
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_08_a_slot_is_free_again_once_it_is_dropped() {
        let slots = Slots::new(2);
        let (one, other) = (AccountId::mint(), AccountId::mint());
        let first = slots.take(&one);
        let second = slots.take(&one);
        assert!(first.is_some() && second.is_some() && slots.take(&one).is_none());
        assert!(slots.take(&other).is_some(), "accounts do not share");
        drop(first);
        assert!(slots.take(&one).is_some());
        drop(second);
        assert!(lock(&slots.taken).is_empty());
    }
}
