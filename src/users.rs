//! The user pipeline: who is who, what is decided for them, and how it is done.
//!
//! `account`, `class`, `ownership`, `block_record`, `policy` and `guard` are pure, and so are
//! `evaluate` and what `history` merges; the rest reads, applies and records.

mod about;
pub mod account;
pub mod adoption;
pub mod apply;
pub mod block_record;
pub mod class;
pub mod comparison;
pub mod evaluate;
mod failure;
pub mod fan_out;
pub mod guard;
pub mod history;
mod kept_view;
pub mod lapse;
mod light_sweep;
pub mod marker;
pub mod notices;
pub mod observe;
pub mod on_its_way;
pub mod outcome;
pub mod ownership;
pub mod plan;
pub mod policy;
pub mod preview;
mod refusals;
pub mod report;
pub mod resolve;
mod resync_limit;
pub mod rules;
mod standings;
pub mod sweep;
pub mod sweeping;
pub mod sweeps;
mod user_messages;
pub mod worker;
