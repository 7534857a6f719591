//! How far long work is: for a person at a terminal, and for nobody else. Each bar has a label from
//! its first moment, and what it says of rate and end is said only when it is known.

use std::{
    env, fmt,
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::{output::OutputFormat, quiet};
use crate::telemetry::escape;

/// What is drawn for work that is told in words.
const SPINNER: &str = "{spinner} {msg}{rate}";
/// The same, where it is counted.
const COUNTER: &str = "{spinner} {prefix} {count}{rate}";

/// Progress of one piece of work. It is taken away when this is dropped.
pub struct WorkProgress(ProgressBar);

impl WorkProgress {
    /// Of work that is told in words, `label` until there are others.
    pub fn told(output: OutputFormat, label: &'static str) -> Self {
        let progress = Self::new(is_wanted(output), SPINNER);
        progress.tell(label);
        progress
    }

    /// Of things that are counted, `total` of them if that is known.
    pub fn counted(output: OutputFormat, label: &'static str, total: Option<u64>) -> Self {
        let progress = Self::new(is_wanted(output), COUNTER);
        progress.0.set_prefix(label);
        if let Some(total) = total {
            progress.becomes(label, "", total);
        }
        progress
    }

    fn new(is_shown: bool, template: &str) -> Self {
        if !is_shown {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner();
        bar.set_style(style(template));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Whether anybody sees it.
    pub fn is_shown(&self) -> bool {
        !self.0.is_hidden()
    }

    /// What is being done.
    pub fn tell(&self, text: impl fmt::Display) {
        self.0.set_message(escape(&text.to_string()).into_owned());
    }

    /// From now on it is known that there are `total` things, such as `Lookup 4 of 80 lists`.
    pub fn becomes(&self, label: &'static str, unit: &'static str, total: u64) {
        if self.0.length() != Some(total) {
            let template = format!(
                "{{prefix}} {{count}} of {{total}}{unit} {{bar:20}}{{rate}}{{end}} {{wide_msg}}"
            );
            self.0.set_style(style(&template));
            self.0.set_prefix(label);
            self.0.set_message("");
            self.0.set_length(total);
            self.0.set_position(0);
            self.0.reset_eta();
        }
    }

    /// So many are done.
    pub fn reach(&self, done: u64) {
        self.0.set_position(done);
    }

    /// One more is done.
    pub fn advance(&self) {
        self.0.inc(1);
    }

    /// Prints something else meanwhile.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }
}

impl Drop for WorkProgress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Whether a person looks on: at the results, which are none of a program's, and at standard error.
fn is_wanted(output: OutputFormat) -> bool {
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    output != OutputFormat::Json && !plain && !quiet::is_asked_for() && io::stderr().is_terminal()
}

/// How far the reading of GitLab is, which does not say how many pages it has.
pub fn reading_gitlab(pages: u64, accounts: u64) -> String {
    format!(
        "reading GitLab, page {}, {} accounts",
        grouped(pages),
        grouped(accounts)
    )
}

/// A number as a person reads it, such as `1,200`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn style(template: &str) -> ProgressStyle {
    type Text<'a> = &'a mut dyn fmt::Write;
    // Nothing is lost where a bar cannot be written.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .with_key("count", |state: &ProgressState, text: Text<'_>| {
            let _ = text.write_str(&grouped(state.pos()));
        })
        .with_key("total", |state: &ProgressState, text: Text<'_>| {
            let _ = text.write_str(&grouped(state.len().unwrap_or_default()));
        })
        .with_key("rate", |state: &ProgressState, text: Text<'_>| {
            let _ = text.write_str(&rate(state.pos(), state.per_sec()));
        })
        .with_key("end", |state: &ProgressState, text: Text<'_>| {
            let left = state.len().unwrap_or_default().saturating_sub(state.pos());
            let _ = text.write_str(&end(state.pos(), left, state.per_sec()));
        })
}

/// How many in a second or a minute, once something is done.
fn rate(done: u64, a_second: f64) -> String {
    if done == 0 || !a_second.is_finite() {
        return String::new();
    }
    let a_minute = a_second * 60.0;
    if a_second >= 1.0 {
        format!(", {a_second:.0} a second")
    } else if a_minute >= 1.0 {
        format!(", {a_minute:.0} a minute")
    } else {
        String::new()
    }
}

/// How long the rest takes, once something is done.
#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate, of far fewer things than 2^52"
)]
fn end(done: u64, left: u64, a_second: f64) -> String {
    let seconds = left as f64 / a_second;
    if done == 0 || left == 0 || !seconds.is_finite() {
        return String::new();
    }
    let (number, unit) = match seconds {
        seconds if seconds < 60.0 => (seconds.ceil(), "s"),
        seconds if seconds < 5_400.0 => ((seconds / 60.0).round().max(1.0), "min"),
        seconds => ((seconds / 3_600.0).round(), "h"),
    };
    format!(", about {number} {unit} left")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{end, grouped, rate};

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(1_200, "1,200")]
    #[case(45_000, "45,000")]
    #[case(1_234_567, "1,234,567")]
    fn a_number_is_grouped(#[case] number: u64, #[case] expected: &str) {
        assert_eq!(grouped(number), expected);
    }

    #[rstest]
    #[case::nothing_is_done(0, 30, 0.0, "", "")]
    #[case::before_a_rate_is_known(1, 29, 0.0, "", "")]
    #[case::fast(6, 24, 3.2, ", 3 a second", ", about 8 s left")]
    #[case::slow(6, 24, 0.2, ", 12 a minute", ", about 2 min left")]
    #[case::for_hours(60, 45_000, 4.0, ", 4 a second", ", about 3 h left")]
    #[case::hardly_at_all(1, 29, 0.01, "", ", about 48 min left")]
    #[case::done(30, 0, 3.0, ", 3 a second", "")]
    fn rate_and_end_are_said_when_they_are_known(
        #[case] done: u64,
        #[case] left: u64,
        #[case] a_second: f64,
        #[case] expected_rate: &str,
        #[case] expected_end: &str,
    ) {
        assert_eq!(rate(done, a_second), expected_rate);
        assert_eq!(end(done, left, a_second), expected_end);
    }
}
