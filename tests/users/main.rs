//! The users' pipeline: its pure core, the whole of it as processes, and what happens to it when
//! things fail.

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

mod end_to_end;
mod faults;
mod policy;
#[path = "../shared/support.rs"]
mod support;
