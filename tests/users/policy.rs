//! The pure core: who is who, whose block it is, what is decided, and how much a run may change.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic in a test is a failure with a place"
)]

mod build;
mod class;
mod decision;
mod guard;
mod marker;
mod names;
mod properties;
mod schedules;
