//! What the service says about itself: logs, metrics, health.
//!
//! This is the lowest layer: it knows nothing of the rest, not even the configuration.

pub mod health;
pub mod http;
pub mod logs;
pub mod metrics;
pub mod panics;

pub(crate) mod causes;

mod json;
mod printable;
mod record;
mod surroundings;
mod text;

pub use self::{
    health::Health,
    metrics::Metrics,
    printable::{printable, printable_json},
};
