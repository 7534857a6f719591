//! The topics and subscriptions of the service.

use google_cloud_googleapis::pubsub::v1::{
    DeadLetterPolicy, ExpirationPolicy, RetryPolicy, Subscription,
};
use prost_types::Duration as ProtoDuration;

use super::{RetryDelays, Topology};
use crate::{
    config::ACK_DEADLINE,
    messaging::{OUTCOME_HISTORY, Stage, Topic},
};

/// A last net only: restarts and lapsed leases count there too. The service itself gives up at
/// attempt 10.
pub(in crate::messaging) const MAX_DELIVERY_ATTEMPTS: u32 = 100;
/// How long a stage's subscription keeps what nobody acks, in seconds; also the longest lease.
pub(super) const RETENTION_SECONDS: i64 = 7 * DAY;
/// How long dead letters are held, in seconds: Pub/Sub's upper bound.
pub(super) const HOLD_RETENTION_SECONDS: i64 = 31 * DAY;
const DAY: i64 = 24 * 60 * 60;
/// What `history` shows: changes, what GitLab refused, and runs that were refused. Nearly every
/// other outcome says that nothing was to be done. Pub/Sub takes 256 bytes at most, and keeps a
/// filter for a subscription's lifetime.
const OUTCOME_HISTORY_FILTER: &str = "attributes.result = \"applied\" OR attributes.result = \"state_forbids\" \
    OR attributes.kind = \"guard_refused\" OR attributes.kind = \"directory_implausible\" \
    OR attributes.kind = \"too_many_unreadable\"";

impl Topology {
    /// The topics the service needs, without prefix.
    pub(super) fn topics(&self) -> Vec<&'static str> {
        let mut topics = vec![Topic::SyncOutcome.as_str()];
        for stage in self.stages {
            topics.extend(Self::topics_of(*stage));
        }
        topics
    }

    pub(super) const fn topics_of(stage: Stage) -> [&'static str; 2] {
        [stage.topic().as_str(), stage.dead_letter_topic()]
    }

    /// The subscriptions the service needs.
    pub(super) fn subscriptions(&self) -> Vec<Subscription> {
        self.stages
            .iter()
            .flat_map(|stage| self.subscriptions_of(*stage))
            .chain([self.outcome_history()])
            .collect()
    }

    /// Holds what `history` shows. It has no policies of its own: `history` reads without acking,
    /// so that everybody can read again.
    fn outcome_history(&self) -> Subscription {
        Subscription {
            filter: OUTCOME_HISTORY_FILTER.to_owned(),
            ..self.lasting(
                OUTCOME_HISTORY,
                Topic::SyncOutcome.as_str(),
                RETENTION_SECONDS,
            )
        }
    }

    pub(super) fn subscriptions_of(&self, stage: Stage) -> [Subscription; 2] {
        [self.work(stage), self.hold(stage)]
    }

    /// The subscription that `stage` reads from.
    pub(super) fn work(&self, stage: Stage) -> Subscription {
        Subscription {
            dead_letter_policy: Some(DeadLetterPolicy {
                dead_letter_topic: self.names().topic(stage.dead_letter_topic()),
                max_delivery_attempts: MAX_DELIVERY_ATTEMPTS.cast_signed(),
            }),
            retry_policy: Some(retry_policy(self.retry)),
            ..self.lasting(
                stage.subscription(),
                stage.topic().as_str(),
                RETENTION_SECONDS,
            )
        }
    }

    /// Has no policies of its own: a dead letter that an operator's tool releases is to stay where
    /// it is.
    fn hold(&self, stage: Stage) -> Subscription {
        self.lasting(
            stage.hold_subscription(),
            stage.dead_letter_topic(),
            self.hold_retention_seconds(),
        )
    }

    /// Google's emulator (0.8.20) refuses more than 7 days; it keeps nothing on disk anyway.
    const fn hold_retention_seconds(&self) -> i64 {
        if self.connection.is_local() {
            RETENTION_SECONDS
        } else {
            HOLD_RETENTION_SECONDS
        }
    }

    fn lasting(&self, name: &str, topic: &str, retention: i64) -> Subscription {
        Subscription {
            name: self.names().subscription(name),
            topic: self.names().topic(topic),
            ack_deadline_seconds: i32::try_from(ACK_DEADLINE.as_secs()).unwrap_or(i32::MAX),
            message_retention_duration: Some(seconds(retention)),
            // Present and empty is "never"; absent would let Pub/Sub delete an idle subscription
            // after 31 days.
            expiration_policy: Some(ExpirationPolicy { ttl: None }),
            ..Subscription::default()
        }
    }
}

pub(super) fn seconds(seconds: i64) -> ProtoDuration {
    ProtoDuration { seconds, nanos: 0 }
}

fn retry_policy(delays: RetryDelays) -> RetryPolicy {
    RetryPolicy {
        minimum_backoff: ProtoDuration::try_from(delays.minimum).ok(),
        maximum_backoff: ProtoDuration::try_from(delays.maximum).ok(),
    }
}
