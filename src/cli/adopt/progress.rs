//! How far an adoption is, on a terminal.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// Quiet where standard error is no terminal.
pub(super) struct AdoptionBar(ProgressBar);

impl AdoptionBar {
    /// Reading GitLab, which does not say how many accounts there are.
    pub(super) fn reading() -> Self {
        Self::shown(
            ProgressBar::new_spinner(),
            "{spinner} reading GitLab, {pos} accounts",
        )
    }

    /// Marking so many accounts.
    pub(super) fn adopting(total: u64) -> Self {
        Self::shown(
            ProgressBar::new(total),
            "{bar:40} {pos}/{len} adopted {per_sec} {eta}",
        )
    }

    fn shown(bar: ProgressBar, template: &str) -> Self {
        if !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    pub(super) fn read(&self, accounts: u64) {
        self.0.set_position(accounts);
    }

    pub(super) fn adopted(&self) {
        self.0.inc(1);
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
