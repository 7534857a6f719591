//! The progress bar of a command that follows a run.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

use super::RunWatch;
use crate::cli::common::progress::spinner;
use crate::telemetry::escape;

/// Progress for a person who watches.
pub struct FollowBar(Option<ProgressBar>);

impl FollowBar {
    /// Shown if `wanted`, and if standard output and standard error are both a terminal.
    pub fn when(wanted: bool) -> Self {
        let shown = wanted && io::stdout().is_terminal() && io::stderr().is_terminal();
        Self(shown.then(spinner))
    }

    /// Whether anybody sees it.
    pub fn is_shown(&self) -> bool {
        self.0.is_some()
    }

    /// How far it is: the changes of a run, with what it says of itself beside them.
    pub fn show(&self, watch: &RunWatch) {
        let Some(bar) = &self.0 else { return };
        if let Some((done, of)) = watch.work() {
            if bar.length().is_none()
                && let Ok(style) =
                    ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta} {wide_msg}")
            {
                bar.set_style(style);
                bar.set_length(of);
            }
            bar.set_position(done);
        }
        let message = watch.progress().map_or_else(
            || match watch.total() {
                Some(total) => format!("{} of {total} looked at again", watch.seen()),
                None => String::new(),
            },
            ToString::to_string,
        );
        bar.set_message(escape(&message).into_owned());
    }

    /// Takes it away.
    pub fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
