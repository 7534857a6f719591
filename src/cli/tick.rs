//! `tick`: asks for one run over all accounts.

use super::{
    CommandFailure,
    common::{
        follow::{RequestedMessage, RunWatch},
        output::{self, OutputFormat},
        percent::percent,
        requested_run::RequestedRun,
        requester::{reason, requester},
    },
};
use crate::{
    app::{clients::connect, context::ProcessContext},
    config::MessagingConfig,
    messaging::{Topic, Traceparent, attributes, wire::SyncTick},
};

/// Publishes a tick, and with --follow shows the run to its end
///
/// Exit code 3 where the guard refused the run, 1 where messages were dead-lettered.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync tick --dry-run --follow")]
pub struct TickArgs {
    /// Decide and report, write nothing
    #[arg(long)]
    dry_run: bool,
    /// This run's own share of blocks; lapses an hour after it is published
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_hyphen_values = true)]
    max_block_percent: Option<f64>,
    /// This run's own share of unblocks; lapses an hour after it is published
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_hyphen_values = true)]
    max_unblock_percent: Option<f64>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// Show the run to its end
    #[arg(long)]
    follow: bool,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl TickArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        let tick = self.tick(requester(context)?);
        tick.check().map_err(CommandFailure::usage)?;
        let config: MessagingConfig = context.start(false)?;
        let connection = connect(&config.pubsub).await?;
        let ticks = connection.publisher(Topic::SyncTick).await?;
        let run = RequestedRun::open(&connection, self.follow).await?;
        let attributes = attributes::for_message(run.id.as_str(), "sync_tick", &Traceparent::new());
        let message_id = ticks.publish(&tick, attributes).await?;
        output::note(&format!("tick {message_id} published, run {}", run.id))?;
        let published = [RequestedMessage {
            id: message_id,
            about: "everybody".to_owned(),
        }];
        run.finish(&published, RunWatch::run(), self.dry_run, self.output)
            .await
    }

    fn tick(&self, requested_by: Option<String>) -> SyncTick {
        SyncTick {
            dry_run: self.dry_run.then_some(true),
            max_block_percent: self.max_block_percent,
            max_unblock_percent: self.max_unblock_percent,
            reason: self.reason.clone(),
            requested_by,
        }
    }
}
