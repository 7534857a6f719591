//! The simulated servers, asked over real sockets as a client asks them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "in tests a panic is how a claim fails"
)]

mod asking;
mod control;
mod faults;
mod gitlab_attributes;
mod gitlab_audit;
mod gitlab_cost;
mod gitlab_graphql;
mod gitlab_graphql_recordings;
mod gitlab_listing;
mod gitlab_odd_accounts;
mod gitlab_states;
mod gitlab_tokens;
mod lookup;
mod population;
mod population_files;
mod recordings;
