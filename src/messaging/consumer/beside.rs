//! What is done when a stream has brought nothing for a while: it is replaced, and what it should
//! have brought is pulled.

use std::{sync::Arc, time::Duration};

use google_cloud_googleapis::pubsub::v1::{PubsubMessage, ReceivedMessage};
use google_cloud_pubsub::client::Subscriber;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, error, warn};

use super::{ConsumerLoop, lease::Lease};
use crate::messaging::{
    Connection, Delivery, Handler, Operation, PubSubError, attributes::is_pubsubs_own,
    error::chain, leases::Leases,
};

impl<H: Handler> ConsumerLoop<H> {
    /// Connects anew, and looks whether a message waits that the stream did not bring; the old
    /// stream is closed already. Such a message is handled like any other, so that looking costs it
    /// no attempt. Returns the client for the new stream, or the old one where none is to be had.
    pub(super) async fn renew(
        self: &Arc<Self>,
        old: Subscriber,
        pulled: &Arc<Leases>,
        stopping: &Arc<CancellationToken>,
    ) -> Subscriber {
        let stage = self.dispatch.handler.stage();
        let afresh = async {
            let connection = self.connection.afresh().await?;
            Ok::<_, PubSubError>((connection, self.connection.subscriber().await?))
        };
        let (connection, new) = match afresh.await {
            Ok(afresh) => afresh,
            Err(error) => {
                warn!(event = "stream_not_renewed", %stage, why = chain(&error));
                return old;
            }
        };
        match self.look(&connection, pulled, stopping).await {
            Ok(found) => {
                debug!(event = "stream_renewed", %stage, found);
            }
            // The watch says whether Pub/Sub can be reached at all.
            Err(error) => debug!(event = "stream_renewed", %stage, why = chain(&error)),
        }
        new
    }

    /// Whether a message was there.
    async fn look(
        self: &Arc<Self>,
        connection: &Connection,
        pulled: &Arc<Leases>,
        stopping: &Arc<CancellationToken>,
    ) -> Result<bool, PubSubError> {
        let Some(slot) = self.slot(stopping).await else {
            return Ok(false);
        };
        let operation = &Operation::PullFromStage;
        let mut received = tokio::select! {
            biased;
            () = stopping.cancelled() => return Ok(false),
            received = connection.pull(operation, &self.subscription, 1) => received?,
        };
        let Some(ReceivedMessage {
            ack_id,
            message: Some(message),
            delivery_attempt,
        }) = received.pop()
        else {
            self.liveness.nothing_waits();
            return Ok(false);
        };
        self.tell(&message);
        pulled.hold(message.message_id.clone(), ack_id);
        let lease = PulledLease::new(pulled, &message.message_id, &self.streams);
        self.settle(delivery(message, delivery_attempt), lease, slot, stopping);
        Ok(true)
    }

    fn tell(&self, message: &PubsubMessage) {
        // One that has waited for less may have been published between two streams; two clocks
        // tell.
        if !has_waited(message, Timestamp::now(), self.renew_after / 2) {
            self.liveness.delivered();
            return;
        }
        self.liveness.sign();
        let findings = self.liveness.message_waited();
        let stage = self.dispatch.handler.stage();
        error!(
            event = "stream_deaf",
            %stage,
            findings,
            message_id = message.message_id,
            "a message waited in the subscription that the stream did not bring; the stream is opened anew"
        );
    }

    /// A slot for one more message. Pub/Sub's own flow control is for one stream, and a reopened
    /// one starts afresh.
    pub(super) async fn slot(&self, stopping: &CancellationToken) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            () = stopping.cancelled() => None,
            slot = Arc::clone(&self.slots).acquire_owned() => slot.ok(),
        }
    }
}

fn has_waited(message: &PubsubMessage, now: Timestamp, least: Duration) -> bool {
    let published = message
        .publish_time
        .as_ref()
        .and_then(|at| Timestamp::new(at.seconds, at.nanos).ok());
    let least = SignedDuration::try_from(least).unwrap_or(SignedDuration::MAX);
    published.is_some_and(|published| now.duration_since(published) > least)
}

fn delivery(message: PubsubMessage, delivery_attempt: i32) -> Delivery {
    Delivery {
        message_id: message.message_id,
        body: message.data,
        attributes: message
            .attributes
            .into_iter()
            .filter(|(name, _)| !is_pubsubs_own(name))
            .collect(),
        publish_time: message
            .publish_time
            .and_then(|at| Timestamp::new(at.seconds, at.nanos).ok()),
        // Pub/Sub counts only under a dead-letter policy, and 0 means that it does not know.
        delivery_attempt: u32::try_from(delivery_attempt)
            .ok()
            .filter(|attempt| *attempt > 0),
    }
}

/// The lease of a message that was pulled by a call of our own. Dropping it nacks.
struct PulledLease {
    leases: Arc<Leases>,
    /// `None` once it has ended.
    message_id: Option<String>,
    /// Waits, at the end, until acks and nacks have gone out.
    ending: TaskTracker,
}

impl PulledLease {
    fn new(leases: &Arc<Leases>, message_id: &str, ending: &TaskTracker) -> Self {
        Self {
            leases: Arc::clone(leases),
            message_id: Some(message_id.to_owned()),
            ending: ending.clone(),
        }
    }

    fn give_back(&mut self) {
        if let Some(id) = self.message_id.take() {
            let leases = Arc::clone(&self.leases);
            self.ending
                .spawn(async move { leases.give_back(&[&id]).await });
        }
    }
}

impl Lease for PulledLease {
    fn ack(mut self) {
        if let Some(id) = self.message_id.take() {
            let leases = Arc::clone(&self.leases);
            self.ending.spawn(async move {
                if let Err(error) = leases.ack(&[&id]).await {
                    warn!(
                        event = "ack_failed",
                        message_id = id,
                        why = chain(&error),
                        "the message comes again"
                    );
                }
            });
        }
    }

    fn nack(mut self) {
        self.give_back();
    }
}

impl Drop for PulledLease {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_message_that_was_there_before_the_stream_was_closed_has_waited() {
        let now = Timestamp::now();
        let waited = |published: Option<SignedDuration>| {
            let publish_time = published.map(|before| now - before);
            let message = PubsubMessage {
                publish_time: publish_time.map(|at| prost_types::Timestamp {
                    seconds: at.as_second(),
                    nanos: at.subsec_nanosecond(),
                }),
                ..PubsubMessage::default()
            };
            has_waited(&message, now, Duration::from_secs(20))
        };
        assert!(waited(Some(SignedDuration::from_mins(1))));
        assert!(!waited(Some(SignedDuration::from_secs(3))));
        assert!(!waited(None));
    }
}
