//! The HTTP side against servers that answer as badly as real ones do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod budget_and_gate;
mod clock;
mod failures;
mod file;
mod gitlab;
mod gitlab_writes;
mod lookup;
mod lookup_token;
mod memory;
#[path = "../support/clock.rs"]
mod real_clock;
mod refusals;
mod server;
mod shared_looks;
mod watching;
