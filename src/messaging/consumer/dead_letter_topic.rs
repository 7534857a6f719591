//! Copies of dead letters go to the stage's dead-letter topic.

use jiff::Timestamp;

use super::DeadLetters;
use crate::messaging::{DeadLetter, Delivery, PubSubError, Publisher, Stage, dead_letters};

/// The dead-letter topic of a stage.
pub(super) struct DeadLetterTopic {
    /// Copies share requests: poison comes in throngs, and a request for each would slow down the
    /// good ones beside it.
    pub(super) shared: Publisher,
    /// A request for each copy.
    pub(super) alone: Publisher,
    /// The id of the topic the messages came from.
    pub(super) original_topic: String,
}

impl DeadLetters for DeadLetterTopic {
    async fn publish(
        &self,
        stage: Stage,
        delivery: &Delivery,
        letter: &DeadLetter,
    ) -> Result<(), PubSubError> {
        let attributes = dead_letters::attributes(
            delivery,
            stage,
            &self.original_topic,
            letter,
            Timestamp::now(),
        );
        let together = self
            .shared
            .publish_raw(delivery.body.clone(), attributes.clone())
            .await;
        let published = match together {
            // One copy that breaks a limit has all of its request refused.
            Err(error) if error.is_invalid() => {
                self.alone
                    .publish_raw(delivery.body.clone(), attributes)
                    .await
            }
            published => published,
        };
        published.map(drop)
    }
}
