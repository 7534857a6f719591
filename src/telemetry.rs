//! What the service says about itself: logs, metrics, health.
//!
//! This is the lowest layer: it knows nothing of the rest, not even the configuration.

pub mod health;
pub mod http;
pub mod logs;
pub mod metrics;
pub mod panics;

pub(crate) mod causes;

mod digest;
mod escape;
mod json;
mod log_destination;
mod record;
mod text;
mod traceparent;

pub use self::{
    escape::{escape, escape_json},
    health::HealthChecks,
    metrics::Metrics,
    traceparent::Traceparent,
};
