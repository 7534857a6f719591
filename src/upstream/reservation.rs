use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use tokio::sync::OwnedSemaphorePermit;

use super::Upstream;

/// Calls taken from the budget beforehand, and the place among the concurrent calls in which they go.
#[derive(Debug)]
pub(super) struct Reservation {
    prepaid: AtomicU32,
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Reservation {
    pub(super) fn new(calls: u32, place: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            prepaid: AtomicU32::new(calls),
            place: Mutex::new(place),
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

    /// Leaves the place to others, or takes another; the calls stay paid for.
    pub(super) fn move_to(&self, place: Option<OwnedSemaphorePermit>) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

impl Upstream {
    /// Waits for `other`, which is not this upstream, and meanwhile leaves the reserved place to others. The budget
    /// stays taken, so nothing but the place is waited for afterwards; without a reservation it only waits for `other`.
    pub async fn aside<T>(&self, other: impl Future<Output = T>) -> T {
        let Some(reservation) = &self.reservation else {
            return other.await;
        };
        reservation.move_to(None);
        let answer = other.await;
        reservation.move_to(self.place_again().await);
        answer
    }
}
