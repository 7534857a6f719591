//! Faults injected into the service: in memory under virtual time, and into the real binary.
//!
//! `FAULT_SEED=7 cargo nextest run -E 'test(the_end_is_right)'` plays one schedule and prints what happened in it;
//! `FAULT_SCHEDULES=10000` plays that many, from `FAULT_FIRST` on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "in a test a panic is how a claim fails, and a campaign tells its figures"
)]

mod anything;
mod campaign;
mod kills;
mod ledger;
mod old_looks;
mod one_account;
mod oracle;
#[path = "../outage/mod.rs"]
mod outage;
mod poison;
mod process;
mod queue;
mod replays;
#[path = "../first_day/running.rs"]
mod running;
mod runs;
#[path = "../end_to_end/scene.rs"]
#[expect(
    dead_code,
    reason = "the harness of whole services does more than is needed here"
)]
mod scene;
mod schedule;
mod seconds;
mod shutdown;
mod starting;
mod twice;
mod weather;
mod wire;
mod world;
