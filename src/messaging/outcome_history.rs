//! Reading the outcomes that the service keeps for `history`. Nothing is acked: everybody can read
//! them again, for as long as Pub/Sub keeps them.

use std::time::Duration;

use google_cloud_googleapis::pubsub::v1::PubsubMessage;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    Connection, OUTCOME_HISTORY, Operation, PubSubError,
    held_messages::{HeldMessages, published},
    wire::SyncOutcome,
};

/// So many outcomes are read at most: each is leased until the end, and costs about half a KiB.
const MOST: usize = 50_000;
/// And for so long.
const LONGEST: Duration = Duration::from_mins(2);

/// What the subscription [`OUTCOME_HISTORY`] holds.
#[derive(Debug)]
pub enum HeldOutcomes<T> {
    /// There is no such subscription: it is newer than this installation.
    Missing,
    /// What was read of it.
    Read(OutcomeHistory<T>),
}

/// What was read of the outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeHistory<T> {
    /// What the reader kept, in no order.
    pub kept: Vec<T>,
    /// How many outcomes were seen.
    pub seen: usize,
    /// How many of them are not outcomes.
    pub unreadable: usize,
    /// Whether that is all there was; else reading was cut short.
    pub complete: bool,
}

impl<T> HeldOutcomes<T> {
    /// Reads until there are no more, and gives all leases back. `keep` makes of an outcome what is
    /// kept in memory; one without a time of its own has the one at which it was published.
    ///
    /// # Errors
    /// When Pub/Sub cannot be reached or refuses.
    pub async fn read(
        connection: &Connection,
        stopping: &CancellationToken,
        keep: impl Fn(SyncOutcome) -> Option<T>,
    ) -> Result<Self, PubSubError> {
        let reading = Operation::ReadOutcomes(connection.names().id(OUTCOME_HISTORY));
        let mut messages = match HeldMessages::open(connection, OUTCOME_HISTORY, reading).await {
            Ok(messages) => messages,
            Err(error) if error.is_not_found() => return Ok(Self::Missing),
            Err(error) => return Err(error),
        };
        let mut history = OutcomeHistory {
            kept: Vec::new(),
            seen: 0,
            unreadable: 0,
            complete: false,
        };
        let read = history.fill(&mut messages, stopping, keep).await;
        messages.release().await;
        read.map(|()| Self::Read(history))
    }
}

impl<T> OutcomeHistory<T> {
    async fn fill(
        &mut self,
        messages: &mut HeldMessages,
        stopping: &CancellationToken,
        keep: impl Fn(SyncOutcome) -> Option<T>,
    ) -> Result<(), PubSubError> {
        let until = Instant::now() + LONGEST;
        while self.seen < MOST {
            let next = tokio::select! {
                biased;
                () = stopping.cancelled() => return Ok(()),
                next = timeout_at(until, messages.next()) => next,
            };
            match next {
                Ok(Ok(Some(batch))) => batch.iter().for_each(|message| self.take(message, &keep)),
                Ok(Ok(None)) => {
                    self.complete = true;
                    return Ok(());
                }
                Ok(Err(error)) => return Err(error),
                Err(_elapsed) => return Ok(()),
            }
        }
        Ok(())
    }

    fn take(&mut self, message: &PubsubMessage, keep: impl Fn(SyncOutcome) -> Option<T>) {
        self.seen += 1;
        match serde_json::from_slice::<SyncOutcome>(&message.data) {
            Ok(mut outcome) => {
                let arrived = published(message).map(|at| at.to_string());
                outcome.at = outcome.at.or(arrived);
                self.kept.extend(keep(outcome));
            }
            Err(_) => self.unreadable += 1,
        }
    }
}
