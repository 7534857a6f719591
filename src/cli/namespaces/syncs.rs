//! The recorded syncs of a namespace, as they are printed: the newest first, and of each its newest
//! attempt first.

use std::io;

use serde::Serialize;

use super::bought;
use crate::{
    cli::common::{
        attempt_text::state,
        output::{self, OutputFormat, OutputRow},
    },
    namespaces::ledger::history::{SyncAttempt, SyncHistory},
};

/// A table has a line for each attempt; JSON a line for each sync with all that belongs to it.
pub(super) fn show(syncs: &[SyncHistory], output: OutputFormat) -> io::Result<()> {
    match output {
        OutputFormat::Json => {
            output::print(output, &syncs.iter().map(SyncDocument).collect::<Vec<_>>())
        }
        OutputFormat::Table | OutputFormat::Csv => {
            output::print(output, &syncs.iter().flat_map(lines).collect::<Vec<_>>())
        }
    }
}

#[derive(Serialize)]
struct SyncDocument<'a>(&'a SyncHistory);

impl OutputRow for SyncDocument<'_> {
    const COLUMNS: &'static [&'static str] = &["sync"];

    fn cells(&self) -> Vec<String> {
        vec![self.0.id.to_string()]
    }
}

#[derive(Serialize)]
struct SyncLine {
    cells: Vec<String>,
    /// What was bought, below the newest attempt.
    bought: Option<String>,
}

impl OutputRow for SyncLine {
    const COLUMNS: &'static [&'static str] = &[
        "sync", "recorded", "requests", "attempt", "state", "answer", "started", "detail",
    ];
    const SENTENCES: &'static [&'static str] = &["detail"];
    const YIELDING: &'static [&'static str] = &["detail", "requests", "recorded"];

    fn cells(&self) -> Vec<String> {
        self.cells.clone()
    }

    fn detail(&self) -> Option<String> {
        self.bought.clone()
    }
}

fn lines(sync: &SyncHistory) -> Vec<SyncLine> {
    let head = || {
        vec![
            sync.id.to_string(),
            format!("{:.0}", sync.recorded_at),
            sync.requests.len().to_string(),
        ]
    };
    let unsent = ["-", "not sent yet", "-", "-", "-"];
    let newest = sync.attempts.last();
    let newest = newest.map_or_else(|| unsent.map(str::to_owned).to_vec(), attempt);
    let older = sync.attempts.iter().rev().skip(1).map(attempt);
    let mut bought = Some(format!("has {}", bought::in_words(&sync.document)));
    std::iter::once(newest)
        .chain(older)
        .map(|cells| SyncLine {
            cells: head().into_iter().chain(cells).collect(),
            bought: bought.take(),
        })
        .collect()
}

fn attempt(attempt: &SyncAttempt) -> Vec<String> {
    vec![
        attempt.id.to_string(),
        state(attempt),
        attempt
            .http_status
            .map_or_else(|| "-".to_owned(), |status| status.to_string()),
        format!("{:.0}", attempt.started_at),
        attempt.detail.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}
