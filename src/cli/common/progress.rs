//! How far long work is: on a terminal, and nowhere else.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// For work of unknown length: a spinner with a message.
pub fn spinner() -> ProgressBar {
    shown(ProgressBar::new_spinner())
}

/// For `total` things, of which each is `done` in the end, such as "replayed".
pub fn bar(total: u64, done: &str) -> ProgressBar {
    let template = format!("{{bar:40}} {{pos}}/{{len}} {done} {{per_sec}} {{eta}}");
    styled(shown(ProgressBar::new(total)), &template)
}

/// For things of unknown number, of which each is `done` in the end.
pub fn counter(done: &str) -> ProgressBar {
    styled(
        spinner(),
        &format!("{{spinner}} {{pos}} {done} {{per_sec}}"),
    )
}

fn shown(bar: ProgressBar) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
