//! The whole service: the real binary as child processes, over real HTTP and gRPC, against the
//! simulated GitLab, Lookup and Pub/Sub.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a panic in a test is a failure with a place"
)]

mod bad_input;
mod commands;
mod dry_run;
mod held;
mod on_their_way;
mod runs;
mod scale;
mod scene;
mod sweep;
mod tokens;
mod traps;
mod unread;
mod whose;
