//! Whether the person asked for results and errors alone. Like the terminal itself it is a fact of
//! the process, which everything that prints asks about.

use std::sync::atomic::{AtomicBool, Ordering};

static QUIET: AtomicBool = AtomicBool::new(false);

/// Takes note of `--quiet`.
pub(in crate::cli) fn ask_for(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Whether only results and errors are wanted.
pub(in crate::cli) fn is_asked_for() -> bool {
    QUIET.load(Ordering::Relaxed)
}
