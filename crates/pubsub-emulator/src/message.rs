//! A published message and the limits of publishing.
//!
//! Limits: <https://cloud.google.com/pubsub/quotas#resource_limits>. Google's emulator checks the
//! number of messages and emptiness only; the broker checks all of them, as the service does.

use std::time::SystemTime;

use google_cloud_googleapis::pubsub::v1::{PublishRequest, PubsubMessage};
use prost_types::Timestamp;
use tonic::Status;

/// Bytes of a publish request as encoded, and so of one message.
const MAX_REQUEST_BYTES: usize = 10_000_000;
const MAX_MESSAGES: usize = 1_000;
const MAX_ATTRIBUTES: usize = 100;
const MAX_KEY_BYTES: usize = 256;
const MAX_VALUE_BYTES: usize = 1_024;
const MAX_ORDERING_KEY_BYTES: usize = 1_024;

/// A message as the broker keeps it; its id and publish time are set.
#[derive(Debug)]
pub(super) struct StoredMessage {
    pub(super) id: u64,
    /// Encoded size, which flow control counts.
    pub(super) bytes: usize,
    pub(super) published: SystemTime,
    pub(super) wire: PubsubMessage,
}

impl StoredMessage {
    pub(super) fn new(id: u64, published: SystemTime, mut wire: PubsubMessage) -> Self {
        wire.message_id = id.to_string();
        wire.publish_time = Some(Timestamp::from(published));
        Self {
            id,
            bytes: prost::Message::encoded_len(&wire),
            published,
            wire,
        }
    }
}

/// Checks a publish request against the service's limits.
///
/// # Errors
/// `INVALID_ARGUMENT`, naming the limit; nothing of the request is published then.
pub(super) fn check(request: &PublishRequest) -> Result<(), Status> {
    if request.messages.is_empty() {
        return Err(Status::invalid_argument("No messages to publish"));
    }
    at_most("message_count", request.messages.len(), MAX_MESSAGES)?;
    at_most(
        "request_size",
        prost::Message::encoded_len(request),
        MAX_REQUEST_BYTES,
    )?;
    request.messages.iter().try_for_each(check_message)
}

fn check_message(message: &PubsubMessage) -> Result<(), Status> {
    if message.data.is_empty() && message.attributes.is_empty() {
        return Err(Status::invalid_argument("Some messages are empty"));
    }
    at_most("attribute_count", message.attributes.len(), MAX_ATTRIBUTES)?;
    at_most(
        "ordering_key",
        message.ordering_key.len(),
        MAX_ORDERING_KEY_BYTES,
    )?;
    message.attributes.iter().try_for_each(|(key, value)| {
        if key.is_empty() {
            return Err(Status::invalid_argument("An attribute key is empty"));
        }
        if key.starts_with("goog") {
            return Err(Status::invalid_argument(format!(
                "The attribute key {key} begins with goog, which is reserved"
            )));
        }
        at_most("attribute_key_size", key.len(), MAX_KEY_BYTES)?;
        at_most("attribute_value_size", value.len(), MAX_VALUE_BYTES)
    })
}

fn at_most(what: &str, given: usize, limit: usize) -> Result<(), Status> {
    if given <= limit {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "The value for {what} is too large. You passed {given} in the request, but the maximum value is {limit}."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(message: PubsubMessage) -> PublishRequest {
        PublishRequest {
            topic: "projects/p/topics/t".to_owned(),
            messages: vec![message],
        }
    }

    fn attribute(key: &str, value: &str) -> PubsubMessage {
        PubsubMessage {
            attributes: [(key.to_owned(), value.to_owned())].into(),
            ..PubsubMessage::default()
        }
    }

    #[test]
    fn attributes_at_their_limits_are_accepted() {
        let full = attribute(&"k".repeat(MAX_KEY_BYTES), &"v".repeat(MAX_VALUE_BYTES));
        assert!(check(&request(full)).is_ok());
    }

    #[rstest::rstest]
    #[case::empty_key(attribute("", "v"))]
    #[case::reserved_key(attribute("googclient", "v"))]
    #[case::long_key(attribute(&"k".repeat(MAX_KEY_BYTES + 1), "v"))]
    #[case::long_value(attribute("k", &"v".repeat(MAX_VALUE_BYTES + 1)))]
    #[case::nothing_in_it(PubsubMessage::default())]
    #[case::only_an_ordering_key(PubsubMessage { ordering_key: "k".to_owned(), ..PubsubMessage::default() })]
    fn a_message_over_a_limit_is_refused(#[case] message: PubsubMessage) {
        let refused = check(&request(message)).map_err(|status| status.code());
        assert_eq!(refused, Err(tonic::Code::InvalidArgument));
    }

    #[test]
    fn more_than_a_hundred_attributes_are_refused() {
        let attributes = (0..=MAX_ATTRIBUTES)
            .map(|n| (format!("k{n}"), "v".to_owned()))
            .collect();
        let crowded = PubsubMessage {
            attributes,
            ..PubsubMessage::default()
        };
        assert!(check(&request(crowded)).is_err());
    }
}
