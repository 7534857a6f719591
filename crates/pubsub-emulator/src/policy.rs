//! What a subscription does with a delivery that was not acknowledged.

use std::time::Duration;

use google_cloud_googleapis::pubsub::v1::Subscription;

/// The part of a subscription's settings that its queue acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeliveryPolicy {
    /// The lease of a delivery by Pull; a stream brings its own.
    pub(super) ack_deadline: Duration,
    pub(super) backoff: Option<RetryBackoff>,
    pub(super) dead_letter: Option<DeadLetterRule>,
    /// How long an acknowledged message is kept for a seek, if at all.
    pub(super) retain_acked: Option<Duration>,
}

/// A retry policy's bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RetryBackoff {
    pub(super) minimum: Duration,
    pub(super) maximum: Duration,
}

/// Where a message goes after so many attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeadLetterRule {
    pub(super) topic: String,
    pub(super) max_attempts: u32,
}

impl DeliveryPolicy {
    /// Reads settings that `subscription_settings` has accepted.
    pub(super) fn of(settings: &Subscription) -> Self {
        Self {
            ack_deadline: seconds(settings.ack_deadline_seconds),
            backoff: settings.retry_policy.as_ref().map(|policy| RetryBackoff {
                minimum: policy.minimum_backoff.map(duration).unwrap_or_default(),
                maximum: policy.maximum_backoff.map(duration).unwrap_or_default(),
            }),
            dead_letter: settings
                .dead_letter_policy
                .as_ref()
                .map(|policy| DeadLetterRule {
                    topic: policy.dead_letter_topic.clone(),
                    max_attempts: u32::try_from(policy.max_delivery_attempts).unwrap_or(u32::MAX),
                }),
            retain_acked: settings
                .message_retention_duration
                .filter(|_| settings.retain_acked_messages)
                .map(duration),
        }
    }

    /// How long a message waits that has been delivered `attempts` times.
    pub(super) fn delay(&self, attempts: u32) -> Duration {
        self.backoff
            .map_or(Duration::ZERO, |backoff| backoff.delay(attempts))
    }

    /// Whether `attempts` deliveries are all there may be.
    pub(super) fn exhausted(&self, attempts: u32) -> bool {
        self.dead_letter
            .as_ref()
            .is_some_and(|policy| attempts >= policy.max_attempts)
    }
}

impl RetryBackoff {
    /// The first redelivery is immediate, as Google's emulator does it; then the delay grows from
    /// the minimum to the maximum, doubling.
    fn delay(self, attempts: u32) -> Duration {
        match attempts.checked_sub(2) {
            None => Duration::ZERO,
            Some(doublings) => self
                .minimum
                .saturating_mul(2_u32.saturating_pow(doublings))
                .min(self.maximum),
        }
    }
}

/// A duration on the wire; anything negative is nothing.
pub(super) fn duration(wire: prost_types::Duration) -> Duration {
    Duration::try_from(wire).unwrap_or_default()
}

/// Seconds on the wire; anything negative is nothing.
pub(super) fn seconds(wire: i32) -> Duration {
    Duration::from_secs(u64::try_from(wire).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_from_the_minimum_to_the_maximum_after_an_immediate_first() {
        let backoff = RetryBackoff {
            minimum: Duration::from_secs(10),
            maximum: Duration::from_mins(10),
        };
        let delays: Vec<u64> = (1..=10)
            .map(|attempts| backoff.delay(attempts).as_secs())
            .collect();
        assert_eq!(delays, [0, 10, 20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(backoff.delay(u32::MAX), backoff.maximum);
    }
}
