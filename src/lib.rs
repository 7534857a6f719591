//! Keeps a self-managed GitLab in step with the systems that decide about it.
//!
//! The modules stand in layers, listed here from the lowest to the highest; a module uses only
//! what stands above it in this list. `tests/project/layers.rs` holds this.

#[doc(hidden)]
pub mod failpoint;

mod crsid;

mod keyed_lock;

mod moment;

pub mod telemetry;

pub mod config;

pub mod gate;

pub mod pause;

pub mod upstream;

pub mod directory;

pub mod gitlab;

pub mod messaging;

pub mod users;

pub mod namespaces;

pub mod app;

pub mod cli;
