//! The namespace pipeline on a real `PostgreSQL`: ledger, worker, portal, the provisioning API, and
//! all of it together.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets the unexpected has failed"
)]

mod answers;
mod complete;
mod cuts;
mod dead_letters;
mod demo;
mod end_to_end;
mod examples;
mod identity_tokens;
mod key_files;
mod kills;
mod ledger;
mod newest_wins;
mod outputs;
mod paused;
mod pooler;
mod portal;
mod provisioning;
mod public_port;
mod receiver;
mod refusals;
mod replaced_secrets;
mod stages;
mod stages_tables;
mod surviving;
mod worker_fixture;
