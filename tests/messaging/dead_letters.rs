//! The operator's dead-letter tool, over real gRPC against the embedded broker and Google's emulator.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "in a test a surprise is a failure"
)]

mod bench;
mod commands;
mod discarding;
mod listing;
mod on_emulator;
mod replaying;
mod surviving;
