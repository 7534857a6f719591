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
#[path = "../support/clock.rs"]
mod clock;
mod commands;
mod discarding;
mod listing;
mod on_emulator;
#[path = "../support/port.rs"]
mod port;
mod replaying;
mod surviving;

#[path = "../support/emulator.rs"]
mod emulator;
