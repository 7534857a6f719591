//! The pause: one state that stops the writes of every process at once.
//!
//! It is kept outside of the processes, behind a [`PauseSource`], and each of them reads it every
//! [`READ_EVERY`]. A [`WriteSwitch`] lets a write begin only on a reading that is younger than
//! [`GOOD_FOR`], so that no write begins once the state has said "paused" for so long.

mod notice;
mod source;
mod switch;

pub use self::{
    notice::{PAUSE_LABELS, PauseNotice},
    source::PauseSource,
    switch::{GOOD_FOR, READ_EVERY, WriteSwitch},
};
