//! `token`: the service's own tokens of GitLab.

mod file;
mod place;
mod rotate;

use clap::Subcommand;

use super::CommandFailure;
use crate::app::context::ProcessContext;

/// Replaces the service's token of GitLab by a new one
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Example:\n  lookup-gitlab-sync token rotate --print --yes >new-token"
)]
pub struct TokenArgs {
    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    Rotate(rotate::RotateArgs),
}

impl TokenArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        match self.action {
            TokenAction::Rotate(args) => args.run(context).await,
        }
    }
}
