//! One lock per key, within this process, for work that must be serial about one thing and parallel
//! about others.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

/// The locks by key. Only a key that is held or waited for takes memory.
type Locks<K> = HashMap<K, Arc<tokio::sync::Mutex<()>>>;

/// A lock for each key. Those who wait for one key get it in the order in which they came.
pub(crate) struct KeyedLock<K> {
    locks: Arc<Mutex<Locks<K>>>,
}

/// Holds the lock of its key until it is dropped.
pub(crate) struct KeyedLockGuard<K: Copy + Eq + Hash> {
    locks: Arc<Mutex<Locks<K>>>,
    key: K,
    guard: Option<OwnedMutexGuard<()>>,
}

impl<K: Copy + Eq + Hash> KeyedLock<K> {
    /// Waits until nobody else in this process holds the lock of `key`.
    pub(crate) async fn lock(&self, key: K) -> KeyedLockGuard<K> {
        let lock = map(&self.locks).entry(key).or_default().clone();
        // Made before the wait: a caller that gives up waiting cleans up as well.
        let mut held = KeyedLockGuard {
            locks: Arc::clone(&self.locks),
            key,
            guard: None,
        };
        held.guard = Some(lock.lock_owned().await);
        held
    }
}

impl<K> Default for KeyedLock<K> {
    fn default() -> Self {
        Self {
            locks: Arc::default(),
        }
    }
}

impl<K> fmt::Debug for KeyedLock<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedLock").finish_non_exhaustive()
    }
}

impl<K: Copy + Eq + Hash> Drop for KeyedLockGuard<K> {
    fn drop(&mut self) {
        let mut locks = map(&self.locks);
        drop(self.guard.take());
        // The map's own reference is the last one: nobody holds the lock, and nobody waits for it.
        if locks
            .get(&self.key)
            .is_some_and(|lock| Arc::strong_count(lock) == 1)
        {
            locks.remove(&self.key);
        }
    }
}

/// The map is consistent between any two statements, so a panic elsewhere does not spoil it.
fn map<K>(locks: &Mutex<Locks<K>>) -> MutexGuard<'_, Locks<K>> {
    locks.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_key_is_held_once_and_others_meanwhile() {
        let locks = Arc::new(KeyedLock::default());
        let first = locks.lock(1).await;
        let other = locks.lock(2).await;
        let got_it = Arc::new(AtomicBool::new(false));
        let waiter = tokio::spawn({
            let (locks, got_it) = (Arc::clone(&locks), Arc::clone(&got_it));
            async move {
                let _held = locks.lock(1).await;
                got_it.store(true, Ordering::SeqCst);
            }
        });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!got_it.load(Ordering::SeqCst), "the second holder waits");
        drop(first);
        waiter.await.unwrap();
        assert!(got_it.load(Ordering::SeqCst));
        drop(other);
        assert!(
            map(&locks.locks).is_empty(),
            "released locks leave nothing behind"
        );
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let locks = KeyedLock::default();
        let held = locks.lock(1).await;
        tokio::select! {
            biased;
            _ = locks.lock(1) => panic!("it is held"),
            () = tokio::task::yield_now() => {}
        }
        drop(held);
        assert!(map(&locks.locks).is_empty());
    }
}
