//! Whose turn it is at a namespace, within this process.
//!
//! The lock that counts is the database's. Without this queue before it, a hundred calls for one namespace would each wait
//! for that lock on a connection of their own, and no other namespace would get one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::OwnedMutexGuard;

/// A queue for each namespace that anybody waits for.
#[derive(Debug, Default)]
pub struct Turns {
    queues: Mutex<HashMap<i64, Weak<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    /// Waits for all who came before. The turn ends when the guard is dropped.
    pub async fn take(&self, namespace_id: i64) -> OwnedMutexGuard<()> {
        self.queue(namespace_id).lock_owned().await
    }

    fn queue(&self, namespace_id: i64) -> Arc<tokio::sync::Mutex<()>> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|_, queue| queue.strong_count() > 0);
        if let Some(queue) = queues.get(&namespace_id).and_then(Weak::upgrade) {
            return queue;
        }
        let queue = Arc::new(tokio::sync::Mutex::new(()));
        queues.insert(namespace_id, Arc::downgrade(&queue));
        queue
    }
}
