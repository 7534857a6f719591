//! What a dead letter carries, written by the service or by Pub/Sub itself.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;

use super::{
    DeadLetter, DeadLetterReason, Delivery, RunId, Stage,
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
/// Why it died the first time; see [`Why`].
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

const FORWARDED_FROM: &str = "CloudPubSubDeadLetterSourceSubscription";
const FORWARDED_FROM_PROJECT: &str = "CloudPubSubDeadLetterSourceSubscriptionProject";
const FORWARDED_ATTEMPTS: &str = "CloudPubSubDeadLetterSourceDeliveryCount";
const FORWARDED_PUBLISH_TIME: &str = "CloudPubSubDeadLetterSourceTopicPublishTime";

/// The attributes of the copy of `delivery` that goes to the dead-letter topic: its own unchanged, and why it is there.
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

/// `attributes` as they were before the message became a dead letter, of either form, without those that Pub/Sub adds.
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

/// The attributes of a dead letter of `stage` as an operator publishes it again: as it was published before, and its
/// history, so that the next death is counted on. `died` is when it came to the dead-letter topic.
///
/// A tick loses its run, since what it starts now is a new one. Another message keeps its run, which for one that was
/// published without is the message id it had.
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

/// Why a message died, as far as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The service gave it up.
    Reason(DeadLetterReason),
    /// Pub/Sub forwarded it at the subscription's `max_delivery_attempts`.
    Forwarded,
    /// It does not say, or with a word of another version.
    Unstated,
}

impl Why {
    const FORWARDED: &str = "forwarded";
    const UNSTATED: &str = "unstated";

    /// The cause called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            Self::FORWARDED => Some(Self::Forwarded),
            Self::UNSTATED => Some(Self::Unstated),
            reason => DeadLetterReason::parse(reason).map(Self::Reason),
        }
    }

    /// Its name: a `dead_letter_reason`, `forwarded` or `unstated`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reason(reason) => reason.as_str(),
            Self::Forwarded => Self::FORWARDED,
            Self::Unstated => Self::UNSTATED,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a dead letter says of itself. What is missing or does not parse is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Who gave it up.
    pub by: GivenUpBy,
    /// Why; `None` when Pub/Sub forwarded it, or for a reason of another version.
    pub reason: Option<DeadLetterReason>,
    /// One line for an operator.
    pub detail: Option<String>,
    /// The stage that gave it up.
    pub stage: Option<Stage>,
    /// When it was given up.
    pub at: Option<Timestamp>,
    /// The topic's id, prefix included.
    pub topic: Option<String>,
    /// The subscription it was forwarded from, prefix included.
    pub subscription: Option<String>,
    /// The message id it had there.
    pub message_id: Option<String>,
    /// When it was published there.
    pub publish_time: Option<Timestamp>,
    /// Which delivery was the last.
    pub delivery_attempt: Option<u32>,
    /// How often it has been a dead letter, this time included.
    pub deaths: u32,
    /// How often an operator has replayed it.
    pub replays: u32,
    /// Why it died the first time, if it was replayed since.
    pub first_reason: Option<String>,
    /// When it died the first time, if it was replayed since.
    pub first_at: Option<Timestamp>,
}

/// Who gave a message up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GivenUpBy {
    /// A stage of this service.
    Service,
    /// Pub/Sub, at the subscription's `max_delivery_attempts`.
    PubSub,
    /// Neither says so: somebody published straight to the dead-letter topic.
    Unknown,
}

impl History {
    /// What `attributes` say.
    pub fn read(attributes: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| attributes.get(name).cloned();
        // Pub/Sub may forward what the service had given up before (a replay that failed): then its word is the latest.
        if attributes.contains_key(FORWARDED_FROM) {
            return Self {
                by: GivenUpBy::PubSub,
                reason: None,
                detail: None,
                stage: None,
                at: None,
                topic: None,
                subscription: text(FORWARDED_FROM),
                message_id: None,
                publish_time: parsed(attributes, FORWARDED_PUBLISH_TIME),
                delivery_attempt: parsed(attributes, FORWARDED_ATTEMPTS),
                deaths: deaths(attributes).saturating_add(1),
                replays: parsed(attributes, REPLAYS).unwrap_or(0),
                first_reason: text(FIRST_REASON),
                first_at: parsed(attributes, FIRST_AT),
            };
        }
        Self {
            by: if attributes.contains_key(REASON) {
                GivenUpBy::Service
            } else {
                GivenUpBy::Unknown
            },
            reason: attributes
                .get(REASON)
                .and_then(|reason| DeadLetterReason::parse(reason)),
            detail: text(DETAIL),
            stage: attributes.get(STAGE).and_then(|stage| Stage::parse(stage)),
            at: parsed(attributes, AT),
            topic: text(ORIGINAL_TOPIC),
            subscription: None,
            message_id: text(ORIGINAL_MESSAGE_ID),
            publish_time: parsed(attributes, ORIGINAL_PUBLISH_TIME),
            delivery_attempt: parsed(attributes, ORIGINAL_DELIVERY_ATTEMPT),
            deaths: deaths(attributes).max(1),
            replays: parsed(attributes, REPLAYS).unwrap_or(0),
            first_reason: text(FIRST_REASON),
            first_at: parsed(attributes, FIRST_AT),
        }
    }

    /// Why it died this time.
    pub fn why(&self) -> Why {
        match (self.by, self.reason) {
            (GivenUpBy::PubSub, _) => Why::Forwarded,
            (GivenUpBy::Service, Some(reason)) => Why::Reason(reason),
            (GivenUpBy::Service, None) | (GivenUpBy::Unknown, _) => Why::Unstated,
        }
    }
}

fn deaths(attributes: &BTreeMap<String, String>) -> u32 {
    parsed(attributes, DEATHS).unwrap_or(0)
}

fn parsed<T: std::str::FromStr>(attributes: &BTreeMap<String, String>, name: &str) -> Option<T> {
    attributes.get(name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(attributes: &[(&str, &str)]) -> Delivery {
        Delivery {
            message_id: "42".to_owned(),
            body: bytes::Bytes::from_static(b"not JSON"),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            publish_time: "2026-11-22T02:00:00Z".parse().ok(),
            delivery_attempt: Some(3),
        }
    }

    fn letter() -> DeadLetter {
        DeadLetter {
            reason: DeadLetterReason::Undecodable,
            detail: "body: not JSON\nat line 1".to_owned(),
            record: None,
        }
    }

    fn copied(delivery: &Delivery) -> BTreeMap<String, String> {
        let at = "2026-11-22T02:00:05Z".parse().unwrap_or_default();
        attributes(delivery, Stage::UserWorker, "user-sync", &letter(), at)
    }

    #[test]
    fn a_copy_keeps_every_attribute_and_says_why_it_is_there() {
        let copy = copied(&delivery(&[("run", "r1"), ("colour", "blue")]));
        insta::assert_debug_snapshot!(copy, @r#"
        {
            "colour": "blue",
            "dead_letter_at": "2026-11-22T02:00:05Z",
            "dead_letter_detail": "body: not JSON at line 1",
            "dead_letter_reason": "undecodable",
            "dead_letter_stage": "user-worker",
            "deaths": "1",
            "original_delivery_attempt": "3",
            "original_message_id": "42",
            "original_publish_time": "2026-11-22T02:00:00Z",
            "original_topic": "user-sync",
            "run": "r1",
        }
        "#);
    }

    #[test]
    fn what_was_written_is_read_back() {
        let history = History::read(&copied(&delivery(&[])));
        assert_eq!(history.by, GivenUpBy::Service);
        assert_eq!(history.reason, Some(DeadLetterReason::Undecodable));
        assert_eq!(history.stage, Some(Stage::UserWorker));
        assert_eq!(history.message_id.as_deref(), Some("42"));
        assert_eq!(history.delivery_attempt, Some(3));
        assert_eq!(history.publish_time, delivery(&[]).publish_time);
        assert_eq!(history.deaths, 1);
    }

    #[test]
    fn an_unknown_attempt_is_absent_and_not_an_earlier_one() {
        let mut again = delivery(&[("deaths", "2"), (ORIGINAL_DELIVERY_ATTEMPT, "9")]);
        again.delivery_attempt = None;
        let history = History::read(&copied(&again));
        assert_eq!(history.delivery_attempt, None);
        assert_eq!(history.deaths, 3);
    }

    #[test]
    fn a_message_that_pubsub_forwarded_is_read_alike() {
        let history = History::read(
            &delivery(&[
                ("run", "r1"),
                ("deaths", "1"),
                (FORWARDED_FROM, "user-sync-worker"),
                (FORWARDED_FROM_PROJECT, "p"),
                (FORWARDED_ATTEMPTS, "100"),
                (FORWARDED_PUBLISH_TIME, "2026-11-22T02:00:00.000+00:00"),
            ])
            .attributes,
        );
        assert_eq!(history.by, GivenUpBy::PubSub);
        assert_eq!(history.subscription.as_deref(), Some("user-sync-worker"));
        assert_eq!(history.delivery_attempt, Some(100));
        assert_eq!(history.publish_time, delivery(&[]).publish_time);
        assert_eq!(history.deaths, 2);
    }

    #[test]
    fn stripping_gives_back_the_original_attributes() {
        let original = delivery(&[("run", "r1"), ("colour", "blue")]);
        assert_eq!(without_dead_letter(&copied(&original)), original.attributes);
    }

    #[test]
    fn a_replayed_message_looks_as_it_was_published_and_keeps_its_history() {
        let again = replayed(
            &copied(&delivery(&[("run", "r1"), ("colour", "blue")])),
            Stage::UserWorker,
            "p1",
            None,
        );
        insta::assert_debug_snapshot!(again, @r#"
        {
            "colour": "blue",
            "deaths": "1",
            "first_dead_letter_at": "2026-11-22T02:00:05Z",
            "first_dead_letter_reason": "undecodable",
            "replay_id": "p1",
            "replays": "1",
            "run": "r1",
        }
        "#);
    }

    #[test]
    fn a_second_death_is_counted_on_and_the_first_cause_stays() {
        let mut again = delivery(&[]);
        again.attributes = replayed(&copied(&delivery(&[])), Stage::UserWorker, "p1", None);
        let at = "2026-11-23T00:00:00Z".parse().unwrap_or_default();
        let other = DeadLetter {
            reason: DeadLetterReason::Refused,
            ..letter()
        };
        let copy = attributes(&again, Stage::UserWorker, "user-sync", &other, at);
        let history = History::read(&copy);
        assert_eq!((history.deaths, history.replays), (2, 1));
        let third = replayed(&copy, Stage::UserWorker, "p2", None);
        assert_eq!(
            third.get(FIRST_REASON).map(String::as_str),
            Some("undecodable")
        );
        assert_eq!(
            third.get(FIRST_AT).map(String::as_str),
            Some("2026-11-22T02:00:05Z")
        );
        assert_eq!(third.get(REPLAYS).map(String::as_str), Some("2"));
        assert_eq!(third.get(DEATHS).map(String::as_str), Some("2"));
    }

    #[test]
    fn a_replayed_tick_starts_a_new_run_and_a_user_message_keeps_its_own() {
        let with_run = copied(&delivery(&[("run", "r1")]));
        assert_eq!(
            replayed(&with_run, Stage::FanOut, "p1", None).get(RUN),
            None
        );
        let without = copied(&delivery(&[]));
        assert_eq!(replayed(&without, Stage::FanOut, "p1", None).get(RUN), None);
        let kept = replayed(&without, Stage::UserWorker, "p1", None);
        assert_eq!(kept.get(RUN).map(String::as_str), Some("42"));
    }
}
