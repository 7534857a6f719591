//! `resync`: asks for single users.

use super::{
    CommandFailure,
    common::{
        follow::{RequestedMessage, RunWatch},
        output::{self, OutputFormat},
        requested_run::RequestedRun,
        requester::{reason, requester},
        target,
    },
};
use crate::{
    app::{clients::connect, context::ProcessContext},
    config::MessagingConfig,
    messaging::{
        Topic, Traceparent, attributes,
        wire::{Cause, UserRequest, UserSync, Who},
    },
};

/// Publishes a message for each user named; a worker looks, decides and applies
///
/// With --follow exit code 1 where GitLab has no account of that name, or a message was
/// dead-lettered.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync resync spqr1 external-partner 42 --follow")]
pub struct ResyncArgs {
    /// A CRSid, a username or a GitLab id, each
    #[arg(required = true, value_parser = target::parse)]
    who: Vec<Who>,
    /// Decide and report, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// Show what became of each, in this order
    #[arg(long)]
    follow: bool,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl ResyncArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        let bodies = self.bodies(requester(context)?.as_deref())?;
        let config: MessagingConfig = context.start(false)?;
        let connection = connect(&config.pubsub).await?;
        let users = connection.publisher(Topic::UserSync).await?;
        let run = RequestedRun::open(&connection, self.follow).await?;
        let mut published = Vec::new();
        for (who, body) in &bodies {
            let attributes =
                attributes::for_message(run.id.as_str(), "user_sync", &Traceparent::new());
            published.push(RequestedMessage {
                id: users.publish(body, attributes).await?,
                about: target::show(who),
            });
        }
        output::note(&format!("{} published, run {}", published.len(), run.id))?;
        let watch = RunWatch::messages(published.clone());
        run.finish(&published, watch, self.dry_run, self.output)
            .await
    }

    /// A body for each, all of them such that the stage takes them.
    fn bodies(&self, requested_by: Option<&str>) -> Result<Vec<(&Who, UserSync)>, CommandFailure> {
        let body = |who: &Who| UserRequest {
            who: who.clone(),
            cause: Cause::Resync,
            dry_run: self.dry_run,
            requested_by: requested_by.map(str::to_owned),
            reason: self.reason.clone(),
        };
        let checked = |who| {
            let body = body(who).to_wire();
            body.check().map_err(CommandFailure::usage)?;
            Ok((who, body))
        };
        self.who.iter().map(checked).collect()
    }
}
