//! What an operator meets: the configuration, the first day, and what must never leave the process.

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

mod config;
mod first_day;
mod security;
#[path = "../shared/support.rs"]
mod support;
