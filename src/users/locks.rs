//! One lock an account, held from the look to the last write, so that two messages about one
//! account never interleave in this process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

use super::account::AccountId;

type Lock = Arc<tokio::sync::Mutex<()>>;

/// The locks of one process. An account that nobody works on takes no memory.
#[derive(Debug, Default)]
pub struct Locks {
    held: Arc<Mutex<HashMap<AccountId, Lock>>>,
}

/// Keeps an account's lock until it is dropped.
#[derive(Debug)]
pub struct Held {
    locks: Arc<Mutex<HashMap<AccountId, Lock>>>,
    id: AccountId,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Locks {
    /// Waits until nobody else in this process works on account `id`.
    pub async fn hold(&self, id: AccountId) -> Held {
        let lock = lock(&self.held).entry(id).or_default().clone();
        // Made before the wait: a caller that gives up waiting cleans up as well.
        let mut held = Held {
            locks: Arc::clone(&self.held),
            id,
            guard: None,
        };
        held.guard = Some(lock.lock_owned().await);
        held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut locks = lock(&self.locks);
        drop(self.guard.take());
        // The map's own reference is the last one: nobody holds it, and nobody waits.
        if locks
            .get(&self.id)
            .is_some_and(|lock| Arc::strong_count(lock) == 1)
        {
            locks.remove(&self.id);
        }
    }
}

/// The map is whole between any two statements, so a panic elsewhere does not spoil it.
fn lock(
    locks: &Mutex<HashMap<AccountId, Lock>>,
) -> std::sync::MutexGuard<'_, HashMap<AccountId, Lock>> {
    locks.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_account_is_held_once_and_others_meanwhile() {
        let locks = Arc::new(Locks::default());
        let first = locks.hold(AccountId(1)).await;
        let other = locks.hold(AccountId(2)).await;
        let got_it = Arc::new(AtomicBool::new(false));
        let waiter = tokio::spawn({
            let (locks, got_it) = (Arc::clone(&locks), Arc::clone(&got_it));
            async move {
                let _held = locks.hold(AccountId(1)).await;
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
            lock(&locks.held).is_empty(),
            "released locks leave nothing behind"
        );
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let locks = Locks::default();
        let held = locks.hold(AccountId(1)).await;
        tokio::select! {
            biased;
            _ = locks.hold(AccountId(1)) => panic!("it is held"),
            () = tokio::task::yield_now() => {}
        }
        drop(held);
        assert!(lock(&locks.held).is_empty());
    }
}
