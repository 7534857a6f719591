//! A client that is replaced when its connection is dead.

use std::sync::{
    PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use futures::future::BoxFuture;
use tokio::sync::Mutex;

use crate::messaging::PubSubError;

type Make<T> = Box<dyn Fn() -> BoxFuture<'static, Result<T, PubSubError>> + Send + Sync>;

/// A client that is replaced by a new one, on a connection of its own, once its connection is found
/// to be dead.
///
/// A connection that answers nothing and yet stays open is noticed by nobody but who waits for the
/// answer: TCP does not fail as long as something in between acknowledges.
pub(in crate::messaging) struct Renewable<T> {
    make: Make<T>,
    current: RwLock<Numbered<T>>,
    /// The number of the current one, to be read without a lock.
    number: AtomicU64,
    /// Held while a new one is made: all who wait on a dead connection ask for it at once.
    renewing: Mutex<()>,
}

/// A client, and which one it is.
#[derive(Clone, Debug)]
pub(in crate::messaging) struct Numbered<T> {
    /// From 0.
    pub(in crate::messaging) number: u64,
    pub(in crate::messaging) client: T,
}

impl<T: Clone> Renewable<T> {
    /// Makes the first one.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) async fn open(
        make: impl Fn() -> BoxFuture<'static, Result<T, PubSubError>> + Send + Sync + 'static,
    ) -> Result<Self, PubSubError> {
        let client = make().await?;
        Ok(Self {
            make: Box::new(make),
            current: RwLock::new(Numbered { number: 0, client }),
            number: AtomicU64::new(0),
            renewing: Mutex::const_new(()),
        })
    }

    /// The one in use.
    pub(in crate::messaging) fn current(&self) -> Numbered<T> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Which one is in use.
    pub(in crate::messaging) fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// Replaces the one called `dead`, unless somebody has done so already; whether it was this
    /// call that did.
    ///
    /// # Errors
    /// When no new one can be made; the old one stays in use.
    pub(in crate::messaging) async fn renew(&self, dead: u64) -> Result<bool, PubSubError> {
        let _alone = self.renewing.lock().await;
        if self.number() != dead {
            return Ok(false);
        }
        let client = (self.make)().await?;
        let number = dead.wrapping_add(1);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Numbered { number, client };
        self.number.store(number, Ordering::Release);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn all_who_find_one_dead_make_one_new_one_together() {
        let made = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&made);
        let renewable = Renewable::open(move || {
            let made = counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                tokio::task::yield_now().await;
                Ok(made)
            })
        })
        .await
        .ok();
        assert!(renewable.is_some());
        let Some(renewable) = renewable else { return };
        assert_eq!(renewable.current().client, 0);
        let renewals = (0..10).map(|_| renewable.renew(0));
        assert!(
            futures::future::join_all(renewals)
                .await
                .iter()
                .all(Result::is_ok)
        );
        assert_eq!(made.load(Ordering::SeqCst), 2);
        let current = renewable.current();
        assert_eq!((current.number, current.client), (1, 1));
    }
}
