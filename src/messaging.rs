//! What both pipelines share of Pub/Sub: bodies, consumer, publisher, dead letters, topology.

mod advice;
pub mod attributes;
pub mod consumer;
pub mod dead_letters;
pub mod disposition;
pub mod follow;
pub mod topology;
pub mod wire;

mod connect;
mod error;
mod held_messages;
mod leases;
mod line;
mod names;
mod operation;
mod outcome_history;
mod outcomes;
mod pause_topic;
mod publisher;
mod recipients;
mod run_id;

pub use crate::telemetry::Traceparent;
pub use connect::{Connection, PubSubTimeouts};
pub(crate) use consumer::LAST_ATTEMPT;
pub use consumer::{Consumer, ConsumerSettings, Liveness};
pub use disposition::{
    DeadLetter, DeadLetterReason, Delivery, Disposition, Handler, Hold, HoldPoint, Stage,
};
pub use error::PubSubError;
pub use follow::Follow;
pub use line::MAX_DETAIL_BYTES;
pub(crate) use line::detail;
pub use names::{Names, OUTCOME_HISTORY, Topic};
pub use operation::Operation;
pub use outcome_history::{HeldOutcomes, OutcomeHistory};
pub use outcomes::Outcomes;
pub use pause_topic::PauseTopic;
pub use publisher::{Batching, Publisher, PublisherOptions};
pub use recipients::StageMessages;
pub use run_id::RunId;
pub use topology::Topology;
