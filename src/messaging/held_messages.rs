//! Going once through the messages that a subscription holds.

use std::{collections::HashSet, time::Duration};

use google_cloud_googleapis::pubsub::v1::{GetSubscriptionRequest, PubsubMessage, ReceivedMessage};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};
use tonic::Code;

use super::{
    Connection, Operation, PubSubError,
    connect::{PULL_WAIT, subscriptions},
    leases::Leases,
};

/// So many pulls in a row without a new message, and there are no more: one alone proves nothing,
/// Pub/Sub being many servers.
const EMPTY_PULLS: u32 = 3;
/// Messages in one pull. Pub/Sub bounds the answer's bytes.
const MESSAGES_A_PULL: i32 = 100;
/// The pause between empty pulls on an emulator, which answer at once.
const PAUSE: Duration = Duration::from_millis(50);
/// A message that came this long after the first pull is left for the next reader, or a flow of
/// them would never end. The two clocks are taken to differ by less.
const NEWS: SignedDuration = SignedDuration::from_mins(5);

/// The messages of one subscription, each handed out once and leased from then on.
pub(super) struct HeldMessages {
    connection: Connection,
    /// What is done, for who lacks the right to.
    reading: Operation,
    /// Full name.
    subscription: String,
    leases: Leases,
    seen: HashSet<String>,
    empty_pulls: u32,
    messages_a_pull: i32,
    opened: Timestamp,
    ack_deadline: Duration,
    /// Until when messages may be leased to an answer that was too large to be read.
    astray_until: Option<Instant>,
}

impl HeldMessages {
    /// Opens the subscription called `name`, without prefix; `reading` is what is done with it.
    ///
    /// # Errors
    /// When it is not there, or Pub/Sub cannot be reached or refuses.
    pub(super) async fn open(
        connection: &Connection,
        name: &str,
        reading: Operation,
    ) -> Result<Self, PubSubError> {
        let subscription = connection.names().subscription(name);
        let ack_deadline = ack_deadline(connection, &reading, &subscription).await?;
        Ok(Self {
            leases: Leases::new(connection, subscription.clone(), ack_deadline / 3),
            connection: connection.clone(),
            reading,
            subscription,
            seen: HashSet::new(),
            empty_pulls: 0,
            messages_a_pull: MESSAGES_A_PULL,
            opened: Timestamp::now(),
            ack_deadline,
            astray_until: None,
        })
    }

    /// The next messages; `None` when there are no more.
    ///
    /// # Errors
    /// When Pub/Sub cannot be reached or refuses.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<PubsubMessage>>, PubSubError> {
        while self.empty_pulls < EMPTY_PULLS || self.are_some_astray() {
            let received = self.pull().await?;
            let messages = self.lease(received).await?;
            if !messages.is_empty() {
                self.empty_pulls = 0;
                return Ok(Some(messages));
            }
            self.empty_pulls = self.empty_pulls.saturating_add(1);
            if self.connection.is_local() {
                sleep(PAUSE).await;
            }
        }
        Ok(None)
    }

    /// Acks messages that were handed out.
    ///
    /// # Errors
    /// When Pub/Sub cannot be reached or refuses.
    pub(super) async fn ack(&self, ids: &[&str]) -> Result<(), PubSubError> {
        self.leases.ack(ids).await
    }

    /// Gives back every message that was not acked.
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
            .pull(&self.reading, &self.subscription, self.messages_a_pull)
            .await;
        match pulled {
            // The answer was over the decode limit: its messages come back one by one when their
            // leases have lapsed.
            Err(PubSubError::Refused {
                code: Code::OutOfRange,
                ..
            }) if self.messages_a_pull > 1 => {
                self.messages_a_pull = 1;
                self.astray_until = Some(Instant::now() + self.ack_deadline + PULL_WAIT);
                Ok(Vec::new())
            }
            answer => answer,
        }
    }

    /// Holds what was received, and gives what is new. What was seen before had lapsed; what was
    /// acked before is acked again, or it would be here for the next reader.
    async fn lease(
        &mut self,
        received: Vec<ReceivedMessage>,
    ) -> Result<Vec<PubsubMessage>, PubSubError> {
        let mut messages = Vec::new();
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
            if self.seen.insert(id) && !self.is_news(&message) {
                messages.push(message);
            }
        }
        let acked: Vec<&str> = acked.iter().map(String::as_str).collect();
        self.leases.ack(&acked).await?;
        Ok(messages)
    }

    fn is_news(&self, message: &PubsubMessage) -> bool {
        published(message).is_some_and(|at| at.duration_since(self.opened) > NEWS)
    }
}

/// When a message was published, by Pub/Sub's clock.
pub(super) fn published(message: &PubsubMessage) -> Option<Timestamp> {
    let at = message.publish_time.as_ref()?;
    Timestamp::new(at.seconds, at.nanos).ok()
}

/// Also tells apart a subscription that is empty from one that is not there or cannot be reached.
async fn ack_deadline(
    connection: &Connection,
    reading: &Operation,
    subscription: &str,
) -> Result<Duration, PubSubError> {
    let request = GetSubscriptionRequest {
        subscription: subscription.to_owned(),
    };
    let settings = connection
        .ask(reading, &request, |channel, request| async move {
            subscriptions(channel).get_subscription(request).await
        })
        .await?;
    let seconds = settings.ack_deadline_seconds;
    // Pub/Sub's own least and most.
    Ok(Duration::from_secs(
        u64::try_from(seconds).unwrap_or(10).clamp(10, 600),
    ))
}
