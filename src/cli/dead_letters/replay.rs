//! `dead-letters replay`.

mod preview_line;
mod progress;

use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use self::{preview_line::preview, progress::ReplayBar};
use super::{filter::SelectionArgs, preview::LetterPreviewer};
use crate::{
    app::{clients::connect, context::ProcessContext},
    cli::{
        CommandFailure,
        common::output::{self, OutputFormat, OutputRow},
    },
    config::MessagingConfig,
    messaging::dead_letters::{ReplayEvent, ReplayOptions, Scan, Selection, Skip, Summary, replay},
};

/// Previews under way at once.
const AT_ONCE: usize = 8;

/// Publishes dead letters again, each to the topic it came from
///
/// Exit code 1 unless every selected dead letter has been replayed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lookup-gitlab-sync dead-letters replay --reason attempts_exhausted --rate 5/s"
)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    chosen: SelectionArgs,
    /// Publish nothing; say what the service would do with each now
    #[arg(long)]
    dry_run: bool,
    /// At most this many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max: Option<u64>,
    /// No faster than this, such as 10/s or 30/m
    #[arg(long, value_name = "N/s", value_parser = rate)]
    rate: Option<Duration>,
    /// Even those that were replayed three times or more
    #[arg(long)]
    force: bool,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl ReplayArgs {
    pub(super) async fn run(
        self,
        context: &ProcessContext,
        stopping: &CancellationToken,
    ) -> Result<(), CommandFailure> {
        let selection = self.chosen.selection("replay", Timestamp::now())?;
        let options = ReplayOptions {
            max: self.max,
            pause: self.rate,
            force: self.force,
            ..ReplayOptions::new()
        };
        if self.dry_run {
            return self.preview(context, &selection, &options, stopping).await;
        }
        let config: MessagingConfig = context.load()?.config;
        let connection = connect(&config.pubsub).await?;
        let bar = ReplayBar::new(
            self.output,
            self.max.or_else(|| {
                u64::try_from(selection.ids.len())
                    .ok()
                    .filter(|ids| *ids > 0)
            }),
        );
        let progress = |event: ReplayEvent<'_>| bar.show(event, self.output);
        let summary = replay(&connection, &selection, &options, stopping, &progress).await;
        drop(bar);
        output::print(self.output, &[ReplaySummaryLine::of(&summary, &options)])?;
        verdict(summary)
    }

    /// Each letter's preview; JSON as they come, a table at the end.
    async fn preview(
        &self,
        context: &ProcessContext,
        selection: &Selection,
        options: &ReplayOptions,
        stopping: &CancellationToken,
    ) -> Result<(), CommandFailure> {
        let config: MessagingConfig = context.load()?.config;
        let previewer = LetterPreviewer::new(context, &config.namespaces);
        let connection = connect(&config.pubsub).await?;
        let mut scan = Scan::new(&connection, selection, stopping.clone());
        let preview = self.preview_all(&mut scan, &previewer, options).await;
        let missing: Vec<String> = scan.missing().iter().cloned().collect();
        scan.release().await;
        output::note(&format!("{} seen, nothing published", preview?))?;
        not_seen(&missing)
    }

    async fn preview_all(
        &self,
        scan: &mut Scan,
        previewer: &LetterPreviewer<'_>,
        options: &ReplayOptions,
    ) -> Result<u64, CommandFailure> {
        let mut table = Vec::new();
        let mut seen = 0;
        let room = |seen: u64| options.max.map_or(u64::MAX, |max| max.saturating_sub(seen));
        while room(seen) > 0
            && let Some(mut letters) = scan.next().await?
        {
            letters.truncate(usize::try_from(room(seen)).unwrap_or(usize::MAX));
            seen += letters.len() as u64;
            for some in letters.chunks(AT_ONCE) {
                let lines = join_all(
                    some.iter()
                        .map(|letter| preview(letter, previewer, options)),
                )
                .await;
                let lines = lines.into_iter().collect::<Result<Vec<_>, _>>()?;
                match self.output {
                    OutputFormat::Json => output::print(self.output, &lines)?,
                    OutputFormat::Table | OutputFormat::Csv => table.extend(lines),
                }
            }
        }
        if self.output != OutputFormat::Json {
            output::print(self.output, &table)?;
        }
        Ok(seen)
    }
}

fn words(skip: Skip) -> &'static str {
    match skip {
        Skip::DiedAgain => "it died again after this replay",
        Skip::ReplayedTooOften => "it was replayed too often: --force",
    }
}

fn verdict(summary: Summary) -> Result<(), CommandFailure> {
    if let Some(error) = summary.broken {
        return Err(error.into());
    }
    if summary.stopped {
        return Err(CommandFailure::interrupted());
    }
    not_seen(&summary.missing)?;
    if summary.is_complete() {
        return Ok(());
    }
    let Summary {
        failed,
        replayed_too_often,
        ..
    } = summary;
    Err(anyhow::anyhow!(
        "{failed} could not be replayed and {replayed_too_often} were replayed too often (--force replays those): \
         they remain dead letters"
    )
    .into())
}

fn not_seen(missing: &[String]) -> Result<(), CommandFailure> {
    if missing.is_empty() {
        Ok(())
    } else {
        Err(anyhow::anyhow!("not seen: {}", missing.join(", ")).into())
    }
}

#[derive(Serialize)]
struct ReplaySummaryLine {
    kind: &'static str,
    replay_id: String,
    replayed: u64,
    skipped: u64,
    died_again: u64,
    replayed_too_often: u64,
    failed: u64,
}

impl ReplaySummaryLine {
    fn of(summary: &Summary, options: &ReplayOptions) -> Self {
        Self {
            kind: "summary",
            replay_id: options.replay_id.clone(),
            replayed: summary.replayed,
            skipped: summary.died_again + summary.replayed_too_often,
            died_again: summary.died_again,
            replayed_too_often: summary.replayed_too_often,
            failed: summary.failed,
        }
    }
}

impl OutputRow for ReplaySummaryLine {
    const COLUMNS: &'static [&'static str] = &[
        "replayed",
        "skipped",
        "of these died again",
        "of these replayed too often",
        "failed",
        "replay_id",
    ];

    fn cells(&self) -> Vec<String> {
        let counts = [
            self.replayed,
            self.skipped,
            self.died_again,
            self.replayed_too_often,
            self.failed,
        ];
        counts
            .iter()
            .map(ToString::to_string)
            .chain([self.replay_id.clone()])
            .collect()
    }
}

/// Such as `10/s`, `30/m` or `10`, which is a second's: the time from one to the next.
fn rate(text: &str) -> Result<Duration, String> {
    let (count, seconds) = match text.split_once('/') {
        None => (text, 1.0),
        Some((count, "s")) => (count, 1.0),
        Some((count, "m")) => (count, 60.0),
        Some(_) => ("", 0.0),
    };
    let count: Option<u32> = count.parse().ok().filter(|count| *count > 0);
    let count = count.ok_or_else(|| "a rate such as 10/s or 30/m".to_owned())?;
    Ok(Duration::from_secs_f64(seconds / f64::from(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_second_or_a_minute() {
        assert_eq!(rate("10/s"), Ok(Duration::from_millis(100)));
        assert_eq!(rate("4"), Ok(Duration::from_millis(250)));
        assert_eq!(rate("30/m"), Ok(Duration::from_secs(2)));
        for text in ["", "0/s", "/s", "-1/s", "10/h", "10/s/s", "fast"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
