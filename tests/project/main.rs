//! The project as a whole: its layers, what is handed to an operator, and judges from outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "in a test a panic is how a claim fails, and a line on standard error says what was left out"
)]

mod conventions;
mod deployment;
mod elsewhere;
mod interop;
mod judges;
mod layers;
mod pipelines;
