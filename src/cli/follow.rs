//! `--follow`: shows what became of a tick or of resyncs, to the end.

mod bar;
mod watch;

pub use bar::Bar;
pub use watch::Watch;

use std::{io, time::Duration};

use serde::Serialize;
use tokio::time::timeout;

use super::{
    Failure,
    output::{self, Output, Row},
};
use crate::messaging::{Follow, wire::SyncOutcome};

/// How long nothing may come before what is missing is given up.
const SILENCE: Duration = Duration::from_mins(1);

/// Follows to the end and prints the summary.
///
/// On a terminal there is a bar; elsewhere each outcome is a line of JSON as it comes. `dry_run`: the command asked
/// for nothing else.
pub async fn follow(
    outcomes: Follow,
    mut watch: Watch,
    dry_run: bool,
    output: Output,
) -> Result<(), Failure> {
    let bar = Bar::when(true);
    let tell = |watch: &Watch, outcome: &SyncOutcome| {
        bar.show(watch);
        if bar.is_shown() {
            Ok(())
        } else {
            output::print(Output::Json, &[Outcome(outcome)])
        }
    };
    let ended = to_the_end(outcomes, &mut watch, tell).await;
    bar.clear();
    if watch.is_coalesced() {
        output::note("covered by a sweep that began after this tick: nothing of its own to do")?;
    }
    let output = if bar.is_shown() { output } else { Output::Json };
    output::print(output, &watch.lines())?;
    if let Some(told) = watch.dry_run(dry_run) {
        output::note(&told)?;
    }
    ended?;
    watch.verdict()
}

/// Takes in outcomes until everything has come, telling each to `tell`.
///
/// # Errors
/// When nothing came for a minute, with what is missing; or when Pub/Sub ended the stream.
pub async fn to_the_end(
    mut outcomes: Follow,
    watch: &mut Watch,
    mut tell: impl FnMut(&Watch, &SyncOutcome) -> io::Result<()>,
) -> Result<(), Failure> {
    let ended = loop {
        if watch.is_complete() {
            break Ok(());
        }
        match timeout(SILENCE, outcomes.next()).await {
            Ok(Some(outcome)) => {
                watch.see(&outcome);
                tell(watch, &outcome)?;
            }
            Ok(None) => break Err("Pub/Sub ended the stream"),
            Err(_) => break Err("nothing came for 60 s"),
        }
    };
    if let Err(error) = outcomes.close().await {
        tracing::warn!(event = "follow_not_closed", %error);
    }
    ended.map_err(|why| anyhow::anyhow!("{why}; still missing: {}", watch.missing()).into())
}

#[derive(Serialize)]
struct Outcome<'a>(&'a SyncOutcome);

impl Row for Outcome<'_> {
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
