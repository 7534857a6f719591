//! `serve`: the stages, until they are asked to stop.

use clap::{ValueEnum, builder::PossibleValue};

use super::CommandFailure;
use crate::{
    app::{self, ServedStage, context::ProcessContext},
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
        Ok(app::serve(context, self.stages()).await?)
    }

    fn stages(&self) -> &[ServedStage] {
        if self.stages.is_empty() {
            &ServedStage::USERS
        } else {
            &self.stages
        }
    }
}
