//! The lease of one delivery.

use google_cloud_pubsub::{model::Message, subscriber::handler::Handler};
use jiff::Timestamp;

use crate::messaging::{Delivery, attributes::is_pubsubs_own};

/// A leased message. Google's handle cannot be built in tests, so dispatch knows only this.
///
/// Dropping it nacks: a task that is given up leaves nothing leased.
pub trait Lease: Send {
    /// The message is done with.
    fn ack(self);
    /// The message is to be delivered again.
    fn nack(self);
}

impl Lease for Handler {
    fn ack(self) {
        Self::ack(self);
    }

    fn nack(self) {
        Self::nack(self);
    }
}

/// What Google's client delivered.
pub(super) fn delivery(message: Message, lease: &Handler) -> Delivery {
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
            .and_then(|at| Timestamp::new(at.seconds(), at.nanos()).ok()),
        // Pub/Sub counts only under a dead-letter policy, and 0 means that it does not know.
        delivery_attempt: lease
            .delivery_attempt()
            .and_then(|attempt| u32::try_from(attempt).ok())
            .filter(|attempt| *attempt > 0),
    }
}
