//! What a dead letter carries, written by the service or by Pub/Sub itself.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::history::{History, deaths};
use crate::messaging::{
    DeadLetter, Delivery, RunId, Stage,
    attributes::{RUN, is_pubsubs_own},
    line,
};

/// Why, from the closed list.
pub const REASON: &str = "dead_letter_reason";
/// One line for an operator.
pub const DETAIL: &str = "dead_letter_detail";
/// The stage that gave it up.
pub const STAGE: &str = "dead_letter_stage";
/// When, RFC 3339.
pub const AT: &str = "dead_letter_at";
/// The topic's id, prefix included.
pub const ORIGINAL_TOPIC: &str = "original_topic";
/// The message id it had there.
pub const ORIGINAL_MESSAGE_ID: &str = "original_message_id";
/// When it was published there, RFC 3339.
pub const ORIGINAL_PUBLISH_TIME: &str = "original_publish_time";
/// Which delivery was the last, from 1; absent is unknown.
pub const ORIGINAL_DELIVERY_ATTEMPT: &str = "original_delivery_attempt";
/// How often it has been a dead letter, this time included.
pub const DEATHS: &str = "deaths";

/// Set on a message that an operator replayed; each replay has an id of its own.
pub const REPLAY_ID: &str = "replay_id";

/// How often an operator has replayed it.
pub const REPLAYS: &str = "replays";
/// Why it died the first time; see [`super::Why`].
pub const FIRST_REASON: &str = "first_dead_letter_reason";
/// When it died the first time, RFC 3339.
pub const FIRST_AT: &str = "first_dead_letter_at";

/// Whether an operator replayed this message.
pub fn is_replayed(delivery: &Delivery) -> bool {
    delivery.attributes.contains_key(REPLAY_ID)
}

/// The attributes the service adds to a dead letter, all of them.
pub const ATTRIBUTES: [&str; 9] = [
    REASON,
    DETAIL,
    STAGE,
    AT,
    ORIGINAL_TOPIC,
    ORIGINAL_MESSAGE_ID,
    ORIGINAL_PUBLISH_TIME,
    ORIGINAL_DELIVERY_ATTEMPT,
    DEATHS,
];

/// The attributes Pub/Sub adds to a message that it forwards itself
/// (<https://cloud.google.com/pubsub/docs/handling-failures#track_delivery_attempts>).
pub const FORWARDED_ATTRIBUTES: [&str; 4] = [
    FORWARDED_FROM,
    FORWARDED_FROM_PROJECT,
    FORWARDED_ATTEMPTS,
    FORWARDED_PUBLISH_TIME,
];

pub(super) const FORWARDED_FROM: &str = "CloudPubSubDeadLetterSourceSubscription";
const FORWARDED_FROM_PROJECT: &str = "CloudPubSubDeadLetterSourceSubscriptionProject";
pub(super) const FORWARDED_ATTEMPTS: &str = "CloudPubSubDeadLetterSourceDeliveryCount";
pub(super) const FORWARDED_PUBLISH_TIME: &str = "CloudPubSubDeadLetterSourceTopicPublishTime";

/// The attributes of the copy of `delivery` that goes to the dead-letter topic: its own unchanged,
/// and why it is there.
pub fn attributes(
    delivery: &Delivery,
    stage: Stage,
    topic: &str,
    letter: &DeadLetter,
    at: Timestamp,
) -> BTreeMap<String, String> {
    let mut attributes = delivery.attributes.clone();
    let deaths = deaths(&attributes).saturating_add(1);
    let mut set = |name: &str, value: Option<String>| {
        match value {
            Some(value) => attributes.insert(name.to_owned(), value),
            // One left over from an earlier death would speak of another delivery.
            None => attributes.remove(name),
        };
    };
    set(REASON, Some(letter.reason.as_str().to_owned()));
    set(DETAIL, Some(line::detail(&letter.detail)));
    set(STAGE, Some(stage.as_str().to_owned()));
    set(AT, Some(at.to_string()));
    set(ORIGINAL_TOPIC, Some(topic.to_owned()));
    set(ORIGINAL_MESSAGE_ID, Some(delivery.message_id.clone()));
    set(
        ORIGINAL_PUBLISH_TIME,
        delivery.publish_time.map(|at| at.to_string()),
    );
    set(
        ORIGINAL_DELIVERY_ATTEMPT,
        delivery.delivery_attempt.map(|attempt| attempt.to_string()),
    );
    set(DEATHS, Some(deaths.to_string()));
    attributes
}

/// `attributes` as they were before the message became a dead letter, of either form, without those
/// that Pub/Sub adds.
pub fn without_dead_letter(attributes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    attributes
        .iter()
        .filter(|(name, _)| {
            !ATTRIBUTES.contains(&name.as_str())
                && !FORWARDED_ATTRIBUTES.contains(&name.as_str())
                && !is_pubsubs_own(name)
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The attributes of a dead letter of `stage` as an operator publishes it again: as it was
/// published before, and its history, so that the next death is counted on. `died` is when it came
/// to the dead-letter topic.
///
/// A tick loses its run, since what it starts now is a new one. Another message keeps its run,
/// which for one that was published without is the message id it had.
pub fn replayed(
    attributes: &BTreeMap<String, String>,
    stage: Stage,
    replay_id: &str,
    died: Option<Timestamp>,
) -> BTreeMap<String, String> {
    let history = History::read(attributes);
    let mut again = without_dead_letter(attributes);
    match stage {
        Stage::FanOut => drop(again.remove(RUN)),
        Stage::UserWorker | Stage::NamespaceWorker => {
            if let Some(run) = history.message_id.as_deref().and_then(RunId::parse) {
                again
                    .entry(RUN.to_owned())
                    .or_insert_with(|| run.to_string());
            }
        }
    }
    again
        .entry(FIRST_REASON.to_owned())
        .or_insert_with(|| history.why().to_string());
    if let Some(died) = died.or(history.at) {
        again
            .entry(FIRST_AT.to_owned())
            .or_insert_with(|| died.to_string());
    }
    again.insert(DEATHS.to_owned(), history.deaths.to_string());
    again.insert(
        REPLAYS.to_owned(),
        history.replays.saturating_add(1).to_string(),
    );
    again.insert(REPLAY_ID.to_owned(), replay_id.to_owned());
    again
}
