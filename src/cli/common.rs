//! What several commands share: their options, what they print, and how they fail.

pub(super) mod age;
pub(super) mod attempt_text;
pub(super) mod failure;
pub(super) mod follow;
pub(super) mod global;
pub(super) mod output;
pub(super) mod pause_row;
pub(super) mod percent;
#[cfg(feature = "simulate")]
pub(super) mod population;
pub(super) mod progress;
pub(super) mod quiet;
pub(super) mod requested_run;
pub(super) mod requester;
pub(super) mod stopping;
pub(super) mod target;
pub(super) mod values;
pub(super) mod write_switch;
