//! What becomes of a delivery: every handler answers with one [`Disposition`], and the consumer alone acks and nacks.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;

use super::wire::SyncOutcome;
use crate::upstream::Gate;

/// A stage that consumes one subscription; the label `stage` of metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Reads everything and splits it into messages.
    FanOut,
    /// Applies one user's decision.
    UserWorker,
    /// Sends the newest recorded sync of one namespace.
    NamespaceWorker,
}

impl Stage {
    /// The stage's name on the command line, in logs and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FanOut => "fan-out",
            Self::UserWorker => "user-worker",
            Self::NamespaceWorker => "namespace-worker",
        }
    }

    /// The stage called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One message as delivered.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The Pub/Sub message id, which a redelivery keeps.
    pub message_id: String,
    /// The body.
    pub body: Bytes,
    /// The attributes.
    pub attributes: BTreeMap<String, String>,
    /// When it was published.
    pub publish_time: Option<Timestamp>,
    /// Which delivery this is, from 1. `None` is unknown, never 1.
    pub delivery_attempt: Option<u32>,
}

impl Delivery {
    /// The run this message belongs to: the attribute `run`, else the message id.
    pub fn run(&self) -> &str {
        self.attributes
            .get("run")
            .map_or(&self.message_id, |run| run)
    }
}

/// Handles the messages of one stage. It may be called twice for a message, late, or out of order.
pub trait Handler: Send + Sync + 'static {
    /// The stage this is.
    fn stage(&self) -> Stage;

    /// Does the work of one message and says what becomes of it.
    fn handle(&self, delivery: Arc<Delivery>) -> impl Future<Output = Disposition> + Send;

    /// What a message says of itself, for the record of a dead letter that brings none; nothing is asked of anybody.
    fn about(&self, _delivery: &Delivery) -> SyncOutcome {
        SyncOutcome::default()
    }
}

/// What becomes of a delivery.
#[derive(Debug)]
pub enum Disposition {
    /// Work done, or nothing to do: the outcome is logged and published best effort, then ack.
    Done(Box<SyncOutcome>),
    /// Transient and about this message: nack; dead-lettered at attempt 10 or later.
    Retry(String),
    /// An upstream is down: stay leased, wait for the gate, then handle again. No attempt is spent.
    Hold(Arc<Gate>),
    /// Permanent: a copy with the reason goes to the dead-letter topic, then ack.
    DeadLetter(DeadLetter),
}

/// Why a message is dead-lettered.
#[derive(Debug)]
pub struct DeadLetter {
    /// The closed list.
    pub reason: DeadLetterReason,
    /// One line for an operator, naming the field; no secrets, no names.
    pub detail: String,
    /// The record of the message's end, if more than the consumer can fill in is known.
    pub record: Option<Box<SyncOutcome>>,
}

/// `dead_letter_reason`: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeadLetterReason {
    /// Not a JSON object of the schema.
    Undecodable,
    /// A field that is wrong, unknown or missing.
    InvalidField,
    /// None, or more than one, of `gitlab_user_id`, `username`, `crsid`.
    NoIdentifier,
    /// Larger than the service reads.
    TooLarge,
    /// The run, or a flood of resyncs, would change more than allowed.
    GuardRefused,
    /// Lookup knows implausibly few of the people asked for.
    DirectoryImplausible,
    /// More accounts or people cannot be shown than a run may leave out.
    TooManyUnreadable,
    /// The receiver refused the request for good.
    Refused,
    /// Delivered ten times without success.
    AttemptsExhausted,
}

impl DeadLetterReason {
    /// The whole list.
    pub const ALL: [Self; 9] = [
        Self::Undecodable,
        Self::InvalidField,
        Self::NoIdentifier,
        Self::TooLarge,
        Self::GuardRefused,
        Self::DirectoryImplausible,
        Self::TooManyUnreadable,
        Self::Refused,
        Self::AttemptsExhausted,
    ];

    /// The reason called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// The attribute's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::InvalidField => "invalid_field",
            Self::NoIdentifier => "no_identifier",
            Self::TooLarge => "too_large",
            Self::GuardRefused => "guard_refused",
            Self::DirectoryImplausible => "directory_implausible",
            Self::TooManyUnreadable => "too_many_unreadable",
            Self::Refused => "refused",
            Self::AttemptsExhausted => "attempts_exhausted",
        }
    }
}

impl fmt::Display for DeadLetterReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
