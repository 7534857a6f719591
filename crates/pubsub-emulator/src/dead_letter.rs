//! The copy of a message that has used up its delivery attempts.

use google_cloud_googleapis::pubsub::v1::PubsubMessage;

use super::message::StoredMessage;
use super::names::ResourceName;

/// The copy for the dead-letter topic: body, attributes and ordering key as they were, plus the
/// four attributes of
/// <https://cloud.google.com/pubsub/docs/dead-letter-topics#track_delivery_attempts>.
pub(super) fn copy(
    subscription: &ResourceName,
    message: &StoredMessage,
    attempts: u32,
) -> PubsubMessage {
    let mut attributes = message.wire.attributes.clone();
    let published = jiff::Timestamp::try_from(message.published).unwrap_or_default();
    attributes.extend(
        [
            (
                "CloudPubSubDeadLetterSourceDeliveryCount",
                attempts.to_string(),
            ),
            (
                "CloudPubSubDeadLetterSourceSubscription",
                subscription.id.clone(),
            ),
            (
                "CloudPubSubDeadLetterSourceSubscriptionProject",
                subscription.project.clone(),
            ),
            (
                "CloudPubSubDeadLetterSourceTopicPublishTime",
                format!("{published:.3}"),
            ),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    PubsubMessage {
        data: message.wire.data.clone(),
        attributes,
        ordering_key: message.wire.ordering_key.clone(),
        ..PubsubMessage::default()
    }
}
