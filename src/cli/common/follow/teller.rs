//! Tells what comes of a followed run as it comes.

use std::{collections::BTreeMap, io};

use serde::Serialize;

use super::{FollowBar, RunWatch, progress::RunProgress};
use crate::{
    cli::common::output::{self, OutputFormat, OutputRow},
    messaging::wire::SyncOutcome,
};

/// Tells what comes as it comes.
pub(super) struct OutcomeTeller {
    output: OutputFormat,
    bar: FollowBar,
    /// What was told last, without a bar.
    told: Option<RunProgress>,
    /// Of single messages, those that wait for one that was asked for earlier.
    waiting: BTreeMap<usize, SyncOutcome>,
    /// The place of the next to be printed.
    next: usize,
}

impl OutcomeTeller {
    pub(super) fn new(output: OutputFormat, watch: &RunWatch) -> Self {
        Self {
            output,
            bar: FollowBar::new(output, watch),
            told: None,
            waiting: BTreeMap::new(),
            next: 0,
        }
    }

    pub(super) fn tell(&mut self, watch: &RunWatch, outcome: &SyncOutcome) -> io::Result<()> {
        self.bar.show(watch);
        if self.output == OutputFormat::Json {
            return self.print(watch, outcome);
        }
        match watch.progress() {
            Some(progress) if !self.bar.is_shown() && !self.has_told(progress) => {
                self.told = Some(progress.clone());
                output::note(&progress.to_string())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Takes the bar away, and prints what waited for an outcome that did not come.
    pub(super) fn finish(self) -> io::Result<()> {
        let Self {
            output,
            bar,
            waiting,
            ..
        } = self;
        drop(bar);
        let mut waiting = waiting.values();
        waiting.try_for_each(|outcome| output::print(output, &[OutcomeRow(outcome)]))
    }

    /// Prints what comes of a run at once, and what comes of single messages in their order.
    fn print(&mut self, watch: &RunWatch, outcome: &SyncOutcome) -> io::Result<()> {
        match watch.place(outcome) {
            Some(place) if place > self.next => {
                self.waiting.insert(place, outcome.clone());
                return Ok(());
            }
            Some(place) if place == self.next => self.next += 1,
            Some(_) | None => {}
        }
        output::print(self.output, &[OutcomeRow(outcome)])?;
        while let Some(outcome) = self.waiting.remove(&self.next) {
            self.next += 1;
            output::print(self.output, &[OutcomeRow(&outcome)])?;
        }
        Ok(())
    }

    fn has_told(&self, progress: &RunProgress) -> bool {
        self.told
            .as_ref()
            .is_some_and(|told| told.is_like(progress))
    }
}

#[derive(Serialize)]
struct OutcomeRow<'a>(&'a SyncOutcome);

impl OutputRow for OutcomeRow<'_> {
    const COLUMNS: &'static [&'static str] = &["kind", "username", "decision", "reason", "result"];

    fn cells(&self) -> Vec<String> {
        let Self(outcome) = self;
        [
            &outcome.kind,
            &outcome.username,
            &outcome.decision,
            &outcome.reason,
            &outcome.result,
        ]
        .map(|cell| cell.clone().unwrap_or_default())
        .to_vec()
    }
}
