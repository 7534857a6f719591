//! What becomes of a delivery: every handler answers with one [`Disposition`], and the consumer
//! alone acks and nacks.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    attributes::TRACEPARENT,
    wire::{OutcomeResult, SyncOutcome},
};
use crate::{
    gate::{Gate, Subject},
    pause::WriteSwitch,
    telemetry::Traceparent,
    upstream::{CallError, FaultScope},
};

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

    /// The trace this message belongs to, with a span of our own; a new trace if it names none.
    pub fn continue_trace(&self) -> Traceparent {
        self.attributes
            .get(TRACEPARENT)
            .and_then(|text| Traceparent::parse(text))
            .map_or_else(Traceparent::new, |parent| parent.child())
    }
}

/// Handles the messages of one stage. It may be called twice for a message, late, or out of order.
pub trait Handler: Send + Sync + 'static {
    /// The stage this is.
    fn stage(&self) -> Stage;

    /// Does the work of one message and says what becomes of it.
    fn handle(&self, delivery: Arc<Delivery>) -> impl Future<Output = Disposition> + Send;

    /// What a message says of itself, for the record of a dead letter that brings none; nothing is
    /// asked of anybody.
    fn about(&self, _delivery: &Delivery) -> SyncOutcome {
        SyncOutcome::default()
    }

    /// The one thing that the message is about, if it is. Of messages about one thing, one is held
    /// at a time.
    fn subject(&self, _delivery: &Delivery) -> Option<Subject> {
        None
    }

    /// Whether nothing is left to do of `other` once `one` is done. Both are about the same.
    fn covers(&self, _one: &Delivery, _other: &Delivery) -> bool {
        false
    }

    /// The record of a message that another one covers.
    fn superseded(&self, delivery: &Delivery) -> SyncOutcome {
        SyncOutcome {
            result: Some(OutcomeResult::Superseded.as_str().to_owned()),
            ..self.about(delivery)
        }
    }

    /// Whether whatever this stage is given waits at `point` while that withholds everything: then
    /// held messages need not leave their places to others.
    fn all_wait_at(&self, _point: &HoldPoint) -> bool {
        true
    }
}

/// What becomes of a delivery.
#[derive(Debug)]
pub enum Disposition {
    /// Work done, or nothing to do: the outcome is logged and published best effort, then ack.
    Done(Box<SyncOutcome>),
    /// Transient and about this message: nack; dead-lettered at attempt 10 or later.
    Retry(String),
    /// An upstream is down, or it is not yet known whose fault it is: stay leased, wait for the
    /// gate, then handle again. No attempt is spent. One whose own calls fail while others succeed
    /// is held five times, and then tried again.
    Hold(Hold),
    /// Permanent: a copy with the reason goes to the dead-letter topic, then ack.
    DeadLetter(DeadLetter),
}

/// Where a message waits, and what its own call met.
#[derive(Clone, Debug)]
pub struct Hold {
    /// What it waits for.
    pub at: HoldPoint,
    /// `None` where its call was withheld: then it says nothing of the message.
    pub met: Option<Met>,
}

/// What a message waits for.
#[derive(Clone, Debug)]
pub enum HoldPoint {
    /// An upstream that works.
    Gate(Arc<Gate>),
    /// Writes that are not paused.
    Pause(WriteSwitch),
}

/// What a message's own call met.
#[derive(Clone, Debug)]
pub struct Met {
    /// What the call was for, by which the gate counts successes.
    pub purpose: &'static str,
    /// The failure in one line.
    pub why: String,
}

impl From<Arc<Gate>> for Hold {
    fn from(gate: Arc<Gate>) -> Self {
        Self {
            at: HoldPoint::Gate(gate),
            met: None,
        }
    }
}

impl From<WriteSwitch> for Hold {
    fn from(switch: WriteSwitch) -> Self {
        Self {
            at: HoldPoint::Pause(switch),
            met: None,
        }
    }
}

impl HoldPoint {
    /// Its name in records: the upstream and the kind of calls, or `pause`.
    pub fn label(&self) -> String {
        match self {
            Self::Gate(gate) => format!("{} {}", gate.upstream().as_str(), gate.side().as_str()),
            Self::Pause(_) => "pause".to_owned(),
        }
    }

    /// Why messages wait there, if they have to.
    pub fn held_because(&self) -> Option<String> {
        match self {
            Self::Gate(gate) => gate.closed_because(),
            Self::Pause(switch) => switch.held_because(),
        }
    }

    /// Whether it withholds every call that comes to it.
    pub(super) fn withholds_all(&self) -> bool {
        match self {
            Self::Gate(gate) => gate.withholds_all(),
            Self::Pause(_) => true,
        }
    }
}

impl Hold {
    /// At `gate`, since the message's call ended in `error`.
    pub fn after(gate: Arc<Gate>, error: &CallError) -> Self {
        let met = error.was_sent().then(|| Met {
            purpose: error.purpose(),
            why: error.to_string(),
        });
        Self {
            at: HoldPoint::Gate(gate),
            met,
        }
    }
}

impl Disposition {
    /// What becomes of a message whose handling met `error`. `probe` asks the same upstream for
    /// something that has nothing to do with the message: where that fails too, it is the upstream.
    pub async fn after(
        error: &CallError,
        probe: impl Future<Output = Result<(), CallError>> + Send,
    ) -> Self {
        let gate = match &error.scope {
            FaultScope::Request => {
                return Self::DeadLetter(DeadLetter {
                    reason: DeadLetterReason::Refused,
                    detail: error.to_string(),
                    record: None,
                });
            }
            FaultScope::Paused(switch) => return Self::Hold(switch.clone().into()),
            FaultScope::Upstream(gate) => return Self::Hold(Hold::after(Arc::clone(gate), error)),
            FaultScope::Subject { certain: true, .. } => return Self::Retry(error.to_string()),
            FaultScope::Subject { certain: false, .. } => None,
            FaultScope::Unclear(gate) => Some(gate),
        };
        match probe.await.map_err(|error| error.scope) {
            Err(FaultScope::Upstream(down)) => return Self::Hold(down.into()),
            Err(FaultScope::Paused(switch)) => return Self::Hold(switch.into()),
            Ok(())
            | Err(FaultScope::Request | FaultScope::Subject { .. } | FaultScope::Unclear(_)) => {}
        }
        match gate {
            Some(gate) => Self::Hold(Hold::after(Arc::clone(gate), error)),
            None => Self::Retry(error.to_string()),
        }
    }
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
