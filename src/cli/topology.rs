//! `topology`: what Pub/Sub must have.

use clap::Subcommand;
use serde::Serialize;

use super::{
    CommandFailure,
    common::output::{self, OutputFormat, OutputRow},
};
use crate::{
    app::{clients::connect, context::ProcessContext},
    config::MessagingConfig,
    messaging::Topology,
};

/// Makes the topics and subscriptions, or compares what exists with what the service needs
///
/// Those of the namespace pipeline are among them where `namespaces.portal_url` (`PORTAL_URL`) is
/// set.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync topology check")]
pub struct TopologyArgs {
    #[command(subcommand)]
    action: TopologyAction,
}

#[derive(Debug, Subcommand)]
enum TopologyAction {
    /// Makes what is missing, on an emulator or the simulated Pub/Sub; on Google Cloud that is
    /// Terraform's
    ///
    /// Exit code 1 if something is left that cannot be corrected on a subscription that exists,
    /// such as its topic.
    #[command(
        after_help = "Example:\n  PUBSUB_EMULATOR_HOST=localhost:8085 lookup-gitlab-sync topology apply"
    )]
    Apply {
        /// How it is printed
        #[arg(long, value_enum, default_value_t)]
        output: OutputFormat,
    },
    /// Names each difference; exit code 1 if there is any
    #[command(after_help = "Example:\n  lookup-gitlab-sync topology check --output json")]
    Check {
        /// How it is printed
        #[arg(long, value_enum, default_value_t)]
        output: OutputFormat,
    },
}

impl TopologyArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        let config: MessagingConfig = context.start(false)?;
        let topology = Topology::new(&connect(&config.pubsub).await?)
            .with_namespaces(config.namespaces.are_wanted());
        match self.action {
            TopologyAction::Apply { output } => apply(&topology, output).await,
            TopologyAction::Check { output } => check(&topology, output).await,
        }
    }
}

async fn apply(topology: &Topology, output: OutputFormat) -> Result<(), CommandFailure> {
    let applied = topology.apply().await?;
    let line = |change, subject: &String| TopologyLine {
        change,
        subject: subject.clone(),
    };
    let created = applied.created.iter().map(|id| line("created", id));
    let updated = applied.updated.iter().map(|id| line("updated", id));
    let remaining = applied.remaining.iter().map(|difference| TopologyLine {
        change: "differs",
        subject: difference.to_string(),
    });
    let lines: Vec<TopologyLine> = created.chain(updated).chain(remaining).collect();
    if lines.is_empty() {
        output::note("everything was there already")?;
    }
    output::print(output, &lines)?;
    let differences = match applied.remaining.len() {
        0 => return Ok(()),
        1 => "1 difference".to_owned(),
        many => format!("{many} differences"),
    };
    Err(anyhow::anyhow!(
        "{differences} cannot be changed on a subscription that exists: delete the subscription, and with it what waits \
         there, and run `topology apply` again"
    )
    .into())
}

async fn check(topology: &Topology, output: OutputFormat) -> Result<(), CommandFailure> {
    let differences = topology.check().await?;
    let line = |difference: &crate::messaging::topology::Difference| TopologyLine {
        change: "differs",
        subject: difference.to_string(),
    };
    output::print(output, &differences.iter().map(line).collect::<Vec<_>>())?;
    if differences.is_empty() {
        return Ok(output::note("everything is as the service needs it")?);
    }
    Err(anyhow::anyhow!(
        "{} differences: apply the Terraform module, or `topology apply` on an emulator",
        differences.len()
    )
    .into())
}

#[derive(Serialize)]
struct TopologyLine {
    change: &'static str,
    subject: String,
}

impl OutputRow for TopologyLine {
    const COLUMNS: &'static [&'static str] = &["change", "what"];
    const SENTENCES: &'static [&'static str] = &["what"];

    fn cells(&self) -> Vec<String> {
        vec![self.change.to_owned(), self.subject.clone()]
    }
}
