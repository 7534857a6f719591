//! Reading one dead-letter subscription.

use std::{collections::HashSet, time::Duration};

use google_cloud_googleapis::pubsub::v1::{GetSubscriptionRequest, ReceivedMessage};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};
use tonic::Code;

use super::Letter;
use crate::messaging::{
    Connection, Operation, PubSubError, Stage,
    connect::{PULL_WAIT, subscriptions},
    leases::Leases,
};

/// So many pulls in a row without a new letter, and there are no more: one alone proves nothing,
/// Pub/Sub being many servers.
const EMPTY_PULLS: u32 = 3;
/// Letters in one pull. Pub/Sub bounds the answer's bytes.
const LETTERS_A_PULL: i32 = 100;
/// The pause between empty pulls on an emulator, which answer at once.
const PAUSE: Duration = Duration::from_millis(50);
/// A letter that came this long after the scan began is left for the next one, or a flow of them
/// would never end. The two clocks are taken to differ by less.
const NEWS: SignedDuration = SignedDuration::from_mins(5);

/// The dead letters of one stage, each handed out once and leased from then on.
pub(super) struct Queue {
    connection: Connection,
    stage: Stage,
    /// Full name.
    subscription: String,
    leases: Leases,
    seen: HashSet<String>,
    empty_pulls: u32,
    letters_a_pull: i32,
    opened: Timestamp,
    ack_deadline: Duration,
    /// Until when letters may be leased to an answer that was too large to be read.
    astray_until: Option<Instant>,
}

impl Queue {
    /// Opens the hold subscription of `stage`.
    pub(super) async fn open(connection: &Connection, stage: Stage) -> Result<Self, PubSubError> {
        let subscription = connection.names().subscription(stage.hold_subscription());
        let ack_deadline = ack_deadline(connection, stage, &subscription).await?;
        Ok(Self {
            leases: Leases::new(connection, subscription.clone(), ack_deadline / 3),
            connection: connection.clone(),
            stage,
            subscription,
            seen: HashSet::new(),
            empty_pulls: 0,
            letters_a_pull: LETTERS_A_PULL,
            opened: Timestamp::now(),
            ack_deadline,
            astray_until: None,
        })
    }

    /// The next letters; `None` when there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Letter>>, PubSubError> {
        while self.empty_pulls < EMPTY_PULLS || self.are_some_astray() {
            let received = self.pull().await?;
            let letters = self.lease(received).await?;
            if !letters.is_empty() {
                self.empty_pulls = 0;
                return Ok(Some(letters));
            }
            self.empty_pulls = self.empty_pulls.saturating_add(1);
            if self.connection.is_local() {
                sleep(PAUSE).await;
            }
        }
        Ok(None)
    }

    /// Acks letters that were handed out.
    pub(super) async fn ack(&self, ids: &[&str]) -> Result<(), PubSubError> {
        self.leases.ack(ids).await
    }

    /// Gives back every letter that was not acked.
    pub(super) async fn release(self) {
        self.leases.release().await;
    }

    fn are_some_astray(&self) -> bool {
        self.astray_until
            .is_some_and(|until| Instant::now() < until)
    }

    async fn pull(&mut self) -> Result<Vec<ReceivedMessage>, PubSubError> {
        let pulled = self
            .connection
            .pull(
                &reading(self.stage),
                &self.subscription,
                self.letters_a_pull,
            )
            .await;
        match pulled {
            // The answer was over the decode limit: its letters come back one by one when their
            // leases have lapsed.
            Err(PubSubError::Refused {
                code: Code::OutOfRange,
                ..
            }) if self.letters_a_pull > 1 => {
                self.letters_a_pull = 1;
                self.astray_until = Some(Instant::now() + self.ack_deadline + PULL_WAIT);
                Ok(Vec::new())
            }
            answer => answer,
        }
    }

    /// Holds what was received, and gives what is new. What was seen before had lapsed; what was
    /// acked before is acked again, or it would be here at the next scan.
    async fn lease(&mut self, received: Vec<ReceivedMessage>) -> Result<Vec<Letter>, PubSubError> {
        let mut letters = Vec::new();
        let mut acked = Vec::new();
        for ReceivedMessage {
            ack_id, message, ..
        } in received
        {
            let Some(message) = message else { continue };
            let id = message.message_id.clone();
            if self.seen.contains(&id) && !self.leases.holds(&id) {
                acked.push(id.clone());
            }
            self.leases.hold(id.clone(), ack_id);
            let letter = Letter::new(message, self.stage);
            if self.seen.insert(id) && !self.is_news(&letter) {
                letters.push(letter);
            }
        }
        let acked: Vec<&str> = acked.iter().map(String::as_str).collect();
        self.leases.ack(&acked).await?;
        Ok(letters)
    }

    fn is_news(&self, letter: &Letter) -> bool {
        let after = |at: Timestamp| at.duration_since(self.opened) > NEWS;
        letter.seen.published.is_some_and(after)
    }
}

/// Also tells apart a subscription that is empty from one that is not there or cannot be reached.
async fn ack_deadline(
    connection: &Connection,
    stage: Stage,
    subscription: &str,
) -> Result<Duration, PubSubError> {
    let request = GetSubscriptionRequest {
        subscription: subscription.to_owned(),
    };
    let settings = connection
        .ask(&reading(stage), &request, |channel, request| async move {
            subscriptions(channel).get_subscription(request).await
        })
        .await?;
    let seconds = settings.ack_deadline_seconds;
    // Pub/Sub's own least and most.
    Ok(Duration::from_secs(
        u64::try_from(seconds).unwrap_or(10).clamp(10, 600),
    ))
}

fn reading(stage: Stage) -> Operation {
    Operation::ReadDeadLetters(stage.hold_subscription().to_owned())
}
