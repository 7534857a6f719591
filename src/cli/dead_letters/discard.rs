//! `dead-letters discard`.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::filter::SelectionArgs;
use crate::{
    app::{clients::connect, context::ProcessContext},
    cli::{
        CommandFailure,
        common::output::{self, OutputFormat, OutputRow},
    },
    config::MessagingConfig,
    messaging::dead_letters::{Discarded, discard},
};

/// Deletes dead letters, after writing them to a new file
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lookup-gitlab-sync dead-letters discard --reason undecodable --older-than 7d --yes"
)]
pub(super) struct DiscardArgs {
    #[command(flatten)]
    chosen: SelectionArgs,
    /// Confirms that they are discarded
    #[arg(long)]
    yes: bool,
    /// The file, one JSON object a line [default: dead-letters-TIME.jsonl]
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl DiscardArgs {
    pub(super) async fn run(
        self,
        context: &ProcessContext,
        stopping: &CancellationToken,
    ) -> Result<(), CommandFailure> {
        let now = Timestamp::now();
        let selection = self.chosen.selection("discard", now)?;
        if !self.yes {
            return Err(CommandFailure::usage(
                "discarding cannot be undone: give --yes, after `dead-letters list` with the same filter",
            ));
        }
        let config: MessagingConfig = context.load()?.config;
        let connection = connect(&config.pubsub).await?;
        let path = self.file.unwrap_or_else(|| {
            now.strftime("dead-letters-%Y%m%dT%H%M%SZ.jsonl")
                .to_string()
                .into()
        });
        let discarded = discard(&connection, &selection, &path, stopping, &|_| ()).await;
        let file = (discarded.discarded > 0).then(|| path.display().to_string());
        output::print(
            self.output,
            &[DiscardSummaryLine {
                kind: "summary",
                discarded: discarded.discarded,
                file,
            }],
        )?;
        verdict(discarded)
    }
}

fn verdict(discarded: Discarded) -> Result<(), CommandFailure> {
    if let Some(error) = discarded.broken {
        return Err(error.into());
    }
    if discarded.stopped {
        return Err(CommandFailure::interrupted());
    }
    if discarded.missing.is_empty() {
        return Ok(());
    }
    Err(anyhow::anyhow!("not seen: {}", discarded.missing.join(", ")).into())
}

#[derive(Serialize)]
struct DiscardSummaryLine {
    kind: &'static str,
    discarded: u64,
    file: Option<String>,
}

impl OutputRow for DiscardSummaryLine {
    const COLUMNS: &'static [&'static str] = &["discarded", "file"];
    const SENTENCES: &'static [&'static str] = &["file"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.discarded.to_string(),
            self.file.clone().unwrap_or_default(),
        ]
    }
}
