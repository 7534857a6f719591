//! The HTTP side against servers that answer as badly as real ones do.

mod answer_memory;
mod budget_and_gate;
mod clock;
mod failures;
mod file;
mod gitlab;
mod gitlab_listing;
mod gitlab_model;
mod gitlab_writes;
mod lookup;
mod lookup_controls;
mod lookup_halving;
mod lookup_token;
mod memory;
mod paused;
mod refusals;
mod server;
mod shared_looks;
mod sweeping;
mod token_expiry;
mod watching;
