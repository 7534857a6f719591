//! `--follow`: shows what became of a tick or of resyncs, to the end.

mod bar;
mod named;
mod progress;
mod teller;
mod watch;

pub use bar::FollowBar;
pub use watch::{RequestedMessage, RunWatch};

use std::io;

use tokio::time::timeout;

use self::teller::OutcomeTeller;
use super::{
    failure::CommandFailure,
    output::{self, OutputFormat},
};
use crate::messaging::{Follow, wire::SyncOutcome};

/// Follows to the end and prints what came of it: for people and spreadsheets who was changed, and
/// beside it how many ended how; for programs each outcome as it comes, those of single messages in the
/// order in which they were asked for, and the counts at the end.
///
/// `dry_run`: the command asked for nothing else.
pub async fn follow(
    outcomes: Follow,
    mut watch: RunWatch,
    dry_run: bool,
    output: OutputFormat,
) -> Result<(), CommandFailure> {
    let mut teller = OutcomeTeller::new(output, &watch);
    let ended = to_the_end(outcomes, &mut watch, |watch, outcome| {
        teller.tell(watch, outcome)
    })
    .await;
    teller.finish()?;
    if watch.is_coalesced() {
        output::note("covered by a sweep that began after this tick: nothing of its own to do")?;
    }
    match output {
        OutputFormat::Json => output::print(output, &watch.lines())?,
        OutputFormat::Table | OutputFormat::Csv => {
            output::print(output, &watch.named())?;
            output::note(&watch.in_words())?;
        }
    }
    if let Some(told) = watch.dry_run(dry_run) {
        output::note(&told)?;
    }
    ended?;
    watch.verdict()
}

/// Takes in outcomes until everything has come, telling each to `tell`.
///
/// # Errors
/// When nothing came for as long as [`RunWatch::longest_silence`] says, with what is missing; or when
/// Pub/Sub ended the stream.
pub async fn to_the_end(
    mut outcomes: Follow,
    watch: &mut RunWatch,
    tell: impl FnMut(&RunWatch, &SyncOutcome) -> io::Result<()>,
) -> Result<(), CommandFailure> {
    let ended = take_in(async || outcomes.next().await, watch, tell).await;
    if let Err(error) = outcomes.close().await {
        tracing::warn!(event = "follow_not_closed", %error);
    }
    ended
}

async fn take_in(
    mut next: impl AsyncFnMut() -> Option<SyncOutcome>,
    watch: &mut RunWatch,
    mut tell: impl FnMut(&RunWatch, &SyncOutcome) -> io::Result<()>,
) -> Result<(), CommandFailure> {
    while !watch.is_complete() {
        let silence = watch.longest_silence();
        match timeout(silence, next()).await {
            Ok(Some(outcome)) => {
                watch.see(&outcome);
                tell(watch, &outcome)?;
            }
            Ok(None) => return Err(given_up("Pub/Sub ended the stream", watch)),
            Err(_) => {
                let why = format!("nothing arrived for {} s", silence.as_secs());
                return Err(given_up(&why, watch));
            }
        }
    }
    Ok(())
}

fn given_up(why: &str, watch: &RunWatch) -> CommandFailure {
    let last = watch
        .progress()
        .map(|progress| format!("; last progress: {progress}"));
    anyhow::anyhow!(
        "{why}; still missing: {}{}",
        watch.missing(),
        last.unwrap_or_default()
    )
    .into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::messaging::wire::OutcomeKind;

    fn outcome(kind: OutcomeKind) -> SyncOutcome {
        SyncOutcome {
            kind: Some(kind.as_str().to_owned()),
            stage: Some("fan-out".to_owned()),
            ..SyncOutcome::default()
        }
    }

    fn reading(pages: u64) -> SyncOutcome {
        SyncOutcome {
            pages: Some(pages),
            accounts: Some(pages * 100),
            people: Some(pages * 40),
            ..outcome(OutcomeKind::RunReading)
        }
    }

    fn held() -> SyncOutcome {
        SyncOutcome {
            detail: Some("GitLab answered 502".to_owned()),
            ..outcome(OutcomeKind::RunHeld)
        }
    }

    fn started() -> SyncOutcome {
        SyncOutcome {
            messages: Some(0),
            ..outcome(OutcomeKind::RunStarted)
        }
    }

    /// Follows outcomes that come after so many seconds each; the stream stays open.
    async fn followed(script: Vec<(u64, SyncOutcome)>) -> (Result<(), CommandFailure>, RunWatch) {
        let mut script = script.into_iter();
        let mut watch = RunWatch::run();
        let next = async || match script.next() {
            Some((seconds, outcome)) => {
                sleep(Duration::from_secs(seconds)).await;
                Some(outcome)
            }
            None => std::future::pending().await,
        };
        let ended = take_in(next, &mut watch, |_, _| Ok(())).await;
        (ended, watch)
    }

    #[tokio::test(start_paused = true)]
    async fn a_sweep_of_minutes_and_a_hold_of_hours_are_waited_for_as_long_as_the_run_says_so() {
        let mut script = vec![(50, reading(1)), (200, reading(80)), (200, reading(120))];
        script.extend((0..240).map(|_| (30, held())));
        script.extend([(200, reading(200)), (100, started())]);
        let (ended, watch) = followed(script).await;
        assert!(ended.is_ok() && watch.is_complete());
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_says_nothing_at_all_is_given_up_after_a_minute_with_the_question_what_serves()
     {
        let begun = tokio::time::Instant::now();
        let (ended, _) = followed(Vec::new()).await;
        assert_eq!(begun.elapsed().as_secs(), 60);
        insta::assert_snapshot!(ended.unwrap_err().to_string(), @"error: nothing arrived for 60 s; still missing: the run itself: is a fan-out running?");
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_falls_silent_while_it_reads_is_told_with_how_far_it_came() {
        let (ended, _) = followed(vec![(1, reading(34))]).await;
        insta::assert_snapshot!(ended.unwrap_err().to_string(), @"error: nothing arrived for 300 s; still missing: the rest of the run; last progress: the run reads: 3400 accounts on 34 pages, 1360 people so far");
    }
}
