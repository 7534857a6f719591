//! `namespaces`: the ledger of what was to be sent for a namespace.

mod bought;
mod syncs;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;

use self::syncs::show;
use super::{
    CommandFailure,
    common::{
        follow::{RequestedMessage, RunWatch, to_the_end},
        output::{self, OutputFormat},
        progress::WorkProgress,
        requested_run::{RequestedRun, print_published},
        requester::requester,
    },
};
use crate::{
    app::{
        clients::connect,
        context::ProcessContext,
        namespace_clients::{ledger, recorder},
    },
    config::{AnyConfig, MessagingConfig, objection},
    namespaces::{
        contract::document::{Document, MAX_BYTES},
        ledger::{LedgerError, attempt_state::AttemptState, history::SyncHistory},
        portal::recorder::{RecordError, RequestedSync},
    },
};

/// A document with all four parts, as `record --example` prints it.
const EXAMPLE: &str = include_str!("namespaces/example.json");

/// Records what a namespace has bought, sends it again, or shows what became of it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync namespaces history 42")]
pub struct NamespacesArgs {
    #[command(subcommand)]
    action: NamespacesAction,
}

#[derive(Debug, Subcommand)]
enum NamespacesAction {
    /// Records a document and asks a worker to send it; a new sync only if the content has changed
    #[command(
        after_help = "Example:\n  lookup-gitlab-sync namespaces record --example > bought.json\n  lookup-gitlab-sync namespaces record 42 --file bought.json --follow"
    )]
    Record {
        /// GitLab's namespace id
        #[arg(value_parser = id, required_unless_present = "example")]
        id: Option<i64>,
        /// The document, {"provision": {...}}; - is standard input
        #[arg(long, value_name = "FILE", required_unless_present = "example")]
        file: Option<PathBuf>,
        /// Print a document to start from, and record nothing
        #[arg(long, exclusive = true)]
        example: bool,
        #[command(flatten)]
        asking: FollowArgs,
    },
    /// Sends the newest recorded sync again, even if it arrived
    #[command(after_help = "Example:\n  lookup-gitlab-sync namespaces resync 42 --follow")]
    Resync {
        /// GitLab's namespace id
        #[arg(value_parser = id)]
        id: i64,
        #[command(flatten)]
        asking: FollowArgs,
    },
    /// Shows what was recorded and every attempt to send it, the newest first
    #[command(after_help = "Example:\n  lookup-gitlab-sync namespaces history 42 --output json")]
    History {
        /// GitLab's namespace id
        #[arg(value_parser = id)]
        id: i64,
        /// How many syncs
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: u32,
        /// How it is printed
        #[arg(long, value_enum, default_value_t)]
        output: OutputFormat,
    },
}

#[derive(Debug, clap::Args)]
struct FollowArgs {
    /// Wait for the worker and show what became of it; exit code 1 unless all of it was applied
    #[arg(long)]
    follow: bool,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl NamespacesArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        match self.action {
            NamespacesAction::Record {
                id: Some(id),
                file: Some(file),
                asking,
                example: false,
            } => {
                let document = read(&file)?;
                ask(context, id, Some(&document), &asking).await
            }
            // Without `--example` the parser asks for both.
            NamespacesAction::Record { .. } => Ok(output::say(EXAMPLE.trim_end())?),
            NamespacesAction::Resync { id, asking } => ask(context, id, None, &asking).await,
            NamespacesAction::History { id, limit, output } => {
                history(context, id, limit, output).await
            }
        }
    }
}

/// Records `document`, or asks for what is recorded again.
async fn ask(
    context: &ProcessContext,
    id: i64,
    document: Option<&Document>,
    asking: &FollowArgs,
) -> Result<(), CommandFailure> {
    let by = requester(context)?;
    let config: MessagingConfig = context.start(false)?;
    let connection = connect(&config.pubsub).await?;
    let recorder = recorder(&config.namespaces, &connection).await?;
    let run = RequestedRun::open(&connection, asking.follow).await?;
    let requested = match document {
        Some(document) => recorder.record(id, document, by.as_deref(), &run.id).await,
        None => recorder.resync(id, by.as_deref(), &run.id).await.map(Some),
    };
    let Some(requested) = requested.map_err(explained)? else {
        let nothing = "the document says nothing: nothing is recorded and nothing is sent";
        output::note(&format!("namespace {id}: {nothing}"))?;
        return Ok(());
    };
    output::note(&said(id, document.is_some(), &requested))?;
    let published = vec![RequestedMessage {
        id: requested.message_id,
        about: format!("namespace {id}"),
    }];
    let run_id = run.id.clone();
    let Some(outcomes) = run.into_outcomes() else {
        return print_published(&published, &run_id, asking.output);
    };
    let mut watch = RunWatch::messages(published);
    let progress = WorkProgress::told(asking.output, "waiting for the worker");
    to_the_end(outcomes, &mut watch, |_, _| Ok(())).await?;
    drop(progress);
    let syncs = recorder
        .ledger()
        .history(id, 1, config.namespaces.settle)
        .await?;
    show(&syncs, asking.output)?;
    watch.verdict()?;
    verdict(&syncs)
}

fn explained(error: RecordError) -> CommandFailure {
    match error {
        RecordError::NothingRecorded(_)
        | RecordError::Ledger(LedgerError::Refused(_) | LedgerError::RefusedBefore(_)) => {
            CommandFailure::usage(error)
        }
        RecordError::Ledger(_) | RecordError::Publish(_) => error.into(),
    }
}

fn said(id: i64, recorded: bool, requested: &RequestedSync) -> String {
    let sync = requested.recorded.sync_id;
    let what = match (recorded, requested.recorded.changed) {
        (true, true) => "recorded",
        (true, false) => "unchanged",
        (false, _) => "asked for again",
    };
    format!(
        "namespace {id}: sync {sync} {what}, message {} published",
        requested.message_id
    )
}

/// Whether the newest sync arrived whole.
fn verdict(syncs: &[SyncHistory]) -> Result<(), CommandFailure> {
    let last = syncs.first().and_then(|sync| sync.attempts.last());
    match last.map(|attempt| attempt.state) {
        Some(AttemptState::Completed | AttemptState::Skipped) => Ok(()),
        Some(
            state @ (AttemptState::Started
            | AttemptState::PartiallyFailed
            | AttemptState::Retrying
            | AttemptState::Failed
            | AttemptState::Abandoned),
        ) => Err(anyhow::anyhow!("the sync is {state}").into()),
        None => Err(anyhow::anyhow!("no attempt is on record").into()),
    }
}

async fn history(
    context: &ProcessContext,
    id: i64,
    limit: u32,
    output: OutputFormat,
) -> Result<(), CommandFailure> {
    let config: AnyConfig = context.start(false)?;
    let ledger = ledger(&config.namespaces).await?;
    let syncs = ledger.history(id, limit, config.namespaces.settle).await?;
    if syncs.is_empty() {
        output::note(&format!("namespace {id} has no recorded sync"))?;
    }
    Ok(show(&syncs, output)?)
}

/// A document in a file or on standard input.
fn read(file: &PathBuf) -> Result<Document, CommandFailure> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    let result = if file.as_os_str() == "-" {
        std::io::stdin().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    result.with_context(|| format!("{} cannot be read", file.display()))?;
    if let Some(objection) = objection(&bytes) {
        return Err(CommandFailure::usage(format!(
            "{} {objection}",
            file.display()
        )));
    }
    Document::parse(&bytes)
        .map_err(|why| CommandFailure::usage(format!("{}: {}", file.display(), why.explained())))
}

/// GitLab's id of a namespace.
fn id(text: &str) -> Result<i64, String> {
    text.parse()
        .ok()
        .filter(|id| *id > 0)
        .ok_or_else(|| "a namespace id, a whole number from 1".to_owned())
}
