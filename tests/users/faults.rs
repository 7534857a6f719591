//! Faults injected into the service: in memory under virtual time, and into the real binary.
//!
//! `FAULT_SEED=7 cargo nextest run -E 'test(the_end_is_right)'` plays one schedule and prints what
//! happened in it; `FAULT_SCHEDULES=10000` plays that many, from `FAULT_FIRST` on.

mod anything;
mod campaign;
mod conditions;
mod kills;
mod ledger;
mod old_looks;
mod one_account;
mod oracle;
mod outage;
mod poison;
mod population;
mod previews;
mod process;
mod queue;
mod replays;
mod runs;
mod schedule;
mod seconds;
mod shutdown;
mod starting;
mod twice;
mod upstreams;
mod wire;
