//! `serve`: the stages, until they are asked to stop.

use clap::{ValueEnum, builder::PossibleValue};

use super::CommandFailure;
use crate::{
    app::{self, AppError, ServedStage, context::ProcessContext},
    messaging::Stage,
};

/// Runs stages until SIGTERM or SIGINT; without a name fan-out and user-worker
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync serve user-worker")]
pub struct ServeArgs {
    /// Which stages
    #[arg(value_enum, value_name = "STAGE")]
    stages: Vec<ServedStage>,
}

impl ValueEnum for ServedStage {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Consumer(Stage::FanOut) => "Turns a tick into one message a user",
            Self::Consumer(Stage::UserWorker) => "Looks again, decides and applies",
            Self::Consumer(Stage::NamespaceWorker) => {
                "Sends the newest recorded sync of a namespace"
            }
            Self::Portal => "Records syncs over HTTP and publishes the keys",
            Self::ProvisioningApi => "GitLab's internal endpoint that provisions a namespace",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

impl ServeArgs {
    /// Stages that consume wait for other servers nearly all the time: one thread does, and wakes
    /// no second one for each message. Those that answer HTTP have as many as there are processors.
    pub(super) fn threads(&self) -> Option<usize> {
        let is_public = self.stages().iter().any(|stage| stage.is_public());
        (!is_public).then_some(1)
    }

    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        let Err(error) = app::serve(context, self.stages()).await else {
            return Ok(());
        };
        // Whoever asked twice for the end knows of it.
        let is_heard = !matches!(error, AppError::Interrupted);
        let failure = CommandFailure::from(error);
        if is_heard && context.logs_json() {
            tell(&failure, self.stages());
        }
        Err(failure)
    }

    fn stages(&self) -> &[ServedStage] {
        if self.stages.is_empty() {
            &ServedStage::USERS
        } else {
            &self.stages
        }
    }
}

/// Nobody reads standard error of a process that a platform runs; its log is read, and watched. In a
/// log of text, which goes to standard error, it would be the same said twice.
fn tell(failure: &CommandFailure, stages: &[ServedStage]) {
    let stages: Vec<_> = stages.iter().map(|stage| stage.as_str()).collect();
    let why = failure.on_one_line();
    tracing::error!(
        event = "process_failed",
        stages = stages.join(" "),
        exit_code = failure.exit().code(),
        why,
        "the process ends with an error: {why}"
    );
}
