//! Following one run from outside: a subscription of its own on the outcomes.

use std::time::Duration;

use google_cloud_googleapis::pubsub::v1::{
    DeleteSubscriptionRequest, ExpirationPolicy, Subscription,
};
use google_cloud_pubsub::subscriber::MessageStream;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tonic::Code;
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    Connection, Operation, PubSubError, RunId, Topic, connect::subscriptions, error::chain,
    wire::SyncOutcome,
};

/// How long Pub/Sub keeps the subscription if we never delete it, in seconds: its own lower bound.
const EXPIRY_SECONDS: i64 = 24 * 60 * 60;
/// How long outcomes wait for a follower that is away, in seconds: Pub/Sub's own lower bound.
const RETENTION_SECONDS: i64 = 600;
/// How long the last acks may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The outcomes of one run as they come. Open it before the run's first message is published.
#[derive(Debug)]
pub struct Follow {
    connection: Connection,
    subscription: String,
    outcomes: mpsc::Receiver<SyncOutcome>,
    stop: google_cloud_pubsub::subscriber::ShutdownToken,
    task: JoinHandle<()>,
}

impl Follow {
    /// Subscribes to the outcomes of `run`.
    ///
    /// # Errors
    /// When Pub/Sub cannot be reached or refuses, such as for want of the right to make a
    /// subscription.
    pub async fn open(connection: &Connection, run: &RunId) -> Result<Self, PubSubError> {
        let name = format!("sync-outcome-follow-{}", Uuid::new_v4().simple());
        let subscription = connection.names().subscription(&name);
        let wanted = Subscription {
            name: subscription.clone(),
            topic: connection.names().topic(Topic::SyncOutcome.as_str()),
            filter: format!("attributes.run = \"{run}\""),
            ack_deadline_seconds: 10,
            message_retention_duration: Some(seconds(RETENTION_SECONDS)),
            expiration_policy: Some(ExpirationPolicy {
                ttl: Some(seconds(EXPIRY_SECONDS)),
            }),
            ..Subscription::default()
        };
        let made = connection
            .ask(
                &Operation::SubscribeToOutcomes,
                &wanted,
                |channel, request| async move {
                    subscriptions(channel).create_subscription(request).await
                },
            )
            .await;
        match made {
            // Its name is nobody else's: it was made by an attempt whose answer was lost.
            Ok(_)
            | Err(PubSubError::Refused {
                code: Code::AlreadyExists,
                ..
            }) => {}
            Err(error) => return Err(error),
        }
        let stream = connection
            .subscriber()
            .await?
            .subscribe(&subscription)
            .build();
        Ok(Self::start(connection, subscription, run.clone(), stream))
    }

    fn start(
        connection: &Connection,
        subscription: String,
        run: RunId,
        stream: MessageStream,
    ) -> Self {
        let (sender, outcomes) = mpsc::channel(1000);
        Self {
            connection: connection.clone(),
            subscription,
            outcomes,
            stop: stream.shutdown_token(),
            task: tokio::spawn(forward(stream, run, sender)),
        }
    }

    /// The next outcome; `None` when the stream has ended. Safe to drop half-way, so it can stand
    /// in a `select!`.
    pub async fn next(&mut self) -> Option<SyncOutcome> {
        self.outcomes.recv().await
    }

    /// Ends the stream and deletes the subscription.
    ///
    /// # Errors
    /// When it could not be deleted; it then expires after a day without use.
    pub async fn close(mut self) -> Result<(), PubSubError> {
        self.outcomes.close();
        if timeout(CLOSE_TIMEOUT, self.stop.shutdown()).await.is_err() {
            self.task.abort();
        }
        let request = DeleteSubscriptionRequest {
            subscription: self.subscription,
        };
        let deleted = self
            .connection
            .ask(
                &Operation::DeleteOutcomesSubscription,
                &request,
                |channel, request| async move {
                    subscriptions(channel).delete_subscription(request).await
                },
            )
            .await;
        match deleted {
            // It is gone, be it by an attempt whose answer was lost.
            Ok(())
            | Err(PubSubError::Refused {
                code: Code::NotFound,
                ..
            }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Hands on each outcome of `run` and acks it. A body that is none is acked too: there is nobody to
/// whom it would make sense. The run is looked at again because Google's emulator (0.8.20) ignores
/// the filter.
async fn forward(mut stream: MessageStream, run: RunId, sender: mpsc::Sender<SyncOutcome>) {
    while let Some(next) = stream.next().await {
        match next {
            Ok((message, lease)) => {
                let outcome: Result<SyncOutcome, _> = serde_json::from_slice(&message.data);
                if outcome.is_err() {
                    debug!(
                        event = "outcome_not_understood",
                        message_id = message.message_id
                    );
                }
                if let Ok(outcome) = outcome
                    && outcome.run.as_deref() == Some(run.as_str())
                    && sender.send(outcome).await.is_err()
                {
                    return;
                }
                lease.ack();
            }
            Err(error) => {
                warn!(event = "follow_ended", why = chain(&error));
                return;
            }
        }
    }
}

const fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}
