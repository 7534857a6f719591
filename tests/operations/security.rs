//! What leaves the process: no secret, nobody's name, and nothing that a terminal would act on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    reason = "a panic in a test is a failure with a place"
)]

mod configuration;
mod fuzz;
mod hostile;
mod leaks;
mod misuse;
mod panics;
mod readers;
mod stage;
mod wire;
