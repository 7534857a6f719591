//! How much may wait for confirmation.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::PublisherOptions;

/// What may wait for confirmation; the client itself has no bound at all.
pub(super) struct InFlightLimit {
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    max_bytes: u32,
}

/// The part of the room that one message takes up: itself, and its bytes.
pub(super) type InFlightPermit = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl InFlightLimit {
    /// All of it free.
    pub(super) fn new(options: &PublisherOptions) -> Self {
        let max_bytes = u32::try_from(options.max_bytes.max(1)).unwrap_or(u32::MAX);
        let messages = options.max_messages.clamp(1, Semaphore::MAX_PERMITS);
        let bytes = usize::try_from(max_bytes).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            messages: Arc::new(Semaphore::new(messages)),
            bytes: Arc::new(Semaphore::new(bytes)),
            max_bytes,
        }
    }

    /// Waits for room for one message of `size` bytes; one larger than all the room waits for all
    /// of it.
    pub(super) async fn enter(&self, size: usize) -> Option<InFlightPermit> {
        // The semaphores are never closed, so acquiring cannot fail.
        let message = Arc::clone(&self.messages).acquire_owned().await.ok()?;
        let bytes = Arc::clone(&self.bytes)
            .acquire_many_owned(self.permits(size))
            .await
            .ok()?;
        Some((message, bytes))
    }

    /// [`Self::enter`] where there is room now.
    pub(super) fn try_enter(&self, size: usize) -> Option<InFlightPermit> {
        let message = Arc::clone(&self.messages).try_acquire_owned().ok()?;
        let bytes = Arc::clone(&self.bytes)
            .try_acquire_many_owned(self.permits(size))
            .ok()?;
        Some((message, bytes))
    }

    fn permits(&self, size: usize) -> u32 {
        u32::try_from(size).unwrap_or(u32::MAX).min(self.max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::{super::Batching, *};

    fn in_flight(max_messages: usize, max_bytes: usize) -> InFlightLimit {
        InFlightLimit::new(&PublisherOptions {
            max_messages,
            max_bytes,
            batching: Batching::Shared,
        })
    }

    #[test]
    fn a_message_waits_while_too_many_are_unconfirmed() {
        let in_flight = in_flight(2, 1000);
        let first = in_flight.enter(10).now_or_never().flatten();
        let second = in_flight.enter(10).now_or_never().flatten();
        assert!(first.is_some() && second.is_some());
        assert!(in_flight.enter(10).now_or_never().is_none());
        drop(first);
        assert!(in_flight.enter(10).now_or_never().flatten().is_some());
    }

    #[test]
    fn a_message_waits_while_too_many_bytes_are_unconfirmed() {
        let in_flight = in_flight(100, 1000);
        let first = in_flight.enter(900).now_or_never().flatten();
        assert!(first.is_some());
        assert!(in_flight.enter(101).now_or_never().is_none());
        assert!(in_flight.enter(100).now_or_never().flatten().is_some());
    }

    #[test]
    fn a_message_that_may_not_wait_gets_no_permit_and_keeps_none_where_there_is_no_room() {
        let in_flight = in_flight(2, 1000);
        let first = in_flight.try_enter(900);
        assert!(first.is_some());
        assert!(in_flight.try_enter(101).is_none(), "too many bytes");
        let second = in_flight.try_enter(100);
        assert!(second.is_some(), "the one refused has left nothing behind");
        assert!(in_flight.try_enter(0).is_none(), "too many messages");
        drop(second);
        assert!(in_flight.try_enter(100).is_some());
    }

    #[test]
    fn a_message_larger_than_all_the_room_goes_alone() {
        let in_flight = in_flight(100, 1000);
        let alone = in_flight.enter(50_000).now_or_never().flatten();
        assert!(alone.is_some());
        assert!(in_flight.enter(1).now_or_never().is_none());
    }
}
