//! Reading one dead-letter subscription.

use super::Letter;
use crate::messaging::{Connection, Operation, PubSubError, Stage, held_messages::HeldMessages};

/// The dead letters of one stage, each handed out once and leased from then on.
pub(super) struct Queue {
    stage: Stage,
    messages: HeldMessages,
}

impl Queue {
    /// Opens the hold subscription of `stage`.
    pub(super) async fn open(connection: &Connection, stage: Stage) -> Result<Self, PubSubError> {
        let name = stage.hold_subscription();
        let reading = Operation::ReadDeadLetters(name.to_owned());
        let messages = HeldMessages::open(connection, name, reading).await?;
        Ok(Self { stage, messages })
    }

    /// The next letters; `None` when there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Letter>>, PubSubError> {
        let messages = self.messages.next().await?;
        let letter = |message| Letter::new(message, self.stage);
        Ok(messages.map(|messages| messages.into_iter().map(letter).collect()))
    }

    /// Acks letters that were handed out.
    pub(super) async fn ack(&self, ids: &[&str]) -> Result<(), PubSubError> {
        self.messages.ack(ids).await
    }

    /// Gives back every letter that was not acked.
    pub(super) async fn release(self) {
        self.messages.release().await;
    }
}
