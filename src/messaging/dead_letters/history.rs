//! What a dead letter says of its history.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;

use super::letter_attributes::{
    AT, DEATHS, DETAIL, FIRST_AT, FIRST_REASON, FORWARDED_ATTEMPTS, FORWARDED_FROM,
    FORWARDED_PUBLISH_TIME, ORIGINAL_DELIVERY_ATTEMPT, ORIGINAL_MESSAGE_ID, ORIGINAL_PUBLISH_TIME,
    ORIGINAL_TOPIC, REASON, REPLAYS, STAGE,
};
use crate::messaging::{DeadLetterReason, Stage};

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
        // Pub/Sub may forward what the service had given up before (a replay that failed): then its
        // word is the latest.
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

pub(super) fn deaths(attributes: &BTreeMap<String, String>) -> u32 {
    parsed(attributes, DEATHS).unwrap_or(0)
}

fn parsed<T: std::str::FromStr>(attributes: &BTreeMap<String, String>, name: &str) -> Option<T> {
    attributes.get(name)?.parse().ok()
}
