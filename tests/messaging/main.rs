//! What both pipelines share of Pub/Sub, against the schemas and against a server over real gRPC.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod schemas;

#[cfg(feature = "simulate")]
mod consuming;
#[cfg(feature = "simulate")]
mod dead_connections;
#[cfg(feature = "simulate")]
mod half_dead;
#[cfg(feature = "simulate")]
mod publishing;
#[cfg(feature = "simulate")]
mod pubsub;
#[cfg(feature = "simulate")]
mod stage;
#[cfg(feature = "simulate")]
mod topology;
#[cfg(feature = "simulate")]
mod watching;
