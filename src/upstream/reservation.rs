use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::OwnedSemaphorePermit;

/// Calls taken from the budget beforehand, and the place among the concurrent calls in which they go.
#[derive(Debug)]
pub(super) struct Reservation {
    prepaid: AtomicU32,
    _place: Option<OwnedSemaphorePermit>,
}

impl Reservation {
    pub(super) fn new(calls: u32, place: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            prepaid: AtomicU32::new(calls),
            _place: place,
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
}
