//! What is said after a history: how much it is, and what each source could not tell.

use std::{error::Error, io};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    cli::common::output::{self, OutputFormat, OutputRow},
    telemetry::causes,
    users::history::{HistoryEntry, HistorySource},
};

/// What became of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceReport {
    pub(super) source: HistorySource,
    /// What it told, before the same from several was made one.
    pub(super) found: usize,
    /// What has to be said of it.
    pub(super) notes: Vec<String>,
}

/// For people on standard error, so that the list can be piped; for programs as the last line of
/// JSON.
pub(super) fn summarise(
    output: OutputFormat,
    entries: &[HistoryEntry],
    since: Option<Timestamp>,
    reports: Vec<SourceReport>,
) -> io::Result<()> {
    match output {
        OutputFormat::Json => {
            let summary = HistorySummary {
                kind: "summary",
                entries: entries.len(),
                since: since.map(|since| since.to_string()),
                sources: reports.into_iter().map(SourceSummary::from).collect(),
            };
            output::print(output, &[summary])
        }
        OutputFormat::Table | OutputFormat::Csv => {
            output::note(&in_words(entries.len(), since, &reports))
        }
    }
}

fn in_words(entries: usize, since: Option<Timestamp>, reports: &[SourceReport]) -> String {
    let since = since.map_or_else(String::new, |since| {
        format!(" since {} UTC", since.strftime("%Y-%m-%d %H:%M"))
    });
    let notes = reports.iter().flat_map(|report| {
        let source = report.source.as_str();
        let note = move |note: &String| format!("\n{source}: {note}");
        report.notes.iter().map(note)
    });
    format!("{entries} on record{since}{}", notes.collect::<String>())
}

/// Why a source could not be read.
pub(super) fn reported_error(error: &(dyn Error + 'static)) -> String {
    format!("none: {}", causes::on_one_line(error))
}

#[derive(Serialize)]
struct HistorySummary {
    kind: &'static str,
    entries: usize,
    since: Option<String>,
    sources: Vec<SourceSummary>,
}

#[derive(Serialize)]
struct SourceSummary {
    source: &'static str,
    found: usize,
    notes: Vec<String>,
}

impl From<SourceReport> for SourceSummary {
    fn from(report: SourceReport) -> Self {
        Self {
            source: report.source.as_str(),
            found: report.found,
            notes: report.notes,
        }
    }
}

impl OutputRow for HistorySummary {
    const COLUMNS: &'static [&'static str] = &["entries", "since"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.entries.to_string(),
            self.since.clone().unwrap_or_default(),
        ]
    }
}
