//! Calls and a permit taken before they are used.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use tokio::sync::OwnedSemaphorePermit;

use super::Upstream;

/// Calls taken from the budget beforehand, and the permit by which they go.
#[derive(Debug)]
pub(super) struct Reservation {
    prepaid: AtomicU32,
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Reservation {
    pub(super) fn new(calls: u32, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            prepaid: AtomicU32::new(calls),
            permit: Mutex::new(permit),
        }
    }

    /// Takes one of the calls; false when none is left.
    pub(super) fn spend(&self) -> bool {
        self.prepaid
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok()
    }

    /// Leaves the permit to others, or takes another; the calls stay paid for.
    pub(super) fn move_to(&self, permit: Option<OwnedSemaphorePermit>) {
        *self.permit.lock().unwrap_or_else(PoisonError::into_inner) = permit;
    }
}

impl Upstream {
    /// Waits for `other`, which is not this upstream, and meanwhile leaves the reserved permit to
    /// others. The budget stays taken, so nothing but the permit is waited for afterwards; without
    /// a reservation it only waits for `other`.
    pub async fn aside<T>(&self, other: impl Future<Output = T>) -> T {
        let Some(reservation) = &self.reservation else {
            return other.await;
        };
        reservation.move_to(None);
        let answer = other.await;
        reservation.move_to(self.permit_again().await);
        answer
    }
}
