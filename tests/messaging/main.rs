//! Pub/Sub, what it carries, and the servers that are asked over HTTP: against the schemas, against
//! the simulated servers over real sockets, and against Google's own emulator wherever it is
//! installed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "in a test a panic is how a claim fails, and a line on standard error says what was left out"
)]

mod schemas;
mod upstream;

mod consuming;
mod dead_connections;
mod dead_letters;
mod emulator;
mod google_cloud;
mod half_dead;
mod outcome_history;
mod publishing;
mod pubsub;
mod test_consumer;
mod topology;
mod watching;
