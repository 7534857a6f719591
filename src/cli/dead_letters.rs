//! `dead-letters`: see what was given up, publish it again, or put it away.

mod discard;
mod filter;
mod ledger_view;
mod list;
mod preview;
mod replay;
mod show;
mod text;

use clap::Subcommand;
use tokio_util::sync::CancellationToken;

use super::{CommandFailure, common::stopping::stopping_in_order};
use crate::app::context::ProcessContext;

/// Lists, shows, replays or discards messages that were given up
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Example:\n  lookup-gitlab-sync dead-letters list --reason guard_refused"
)]
pub struct DeadLettersArgs {
    #[command(subcommand)]
    action: DeadLettersAction,
}

#[derive(Debug, Subcommand)]
enum DeadLettersAction {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Replay(replay::ReplayArgs),
    Discard(discard::DiscardArgs),
}

impl DeadLettersArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        stopping_in_order(async |stopping| self.action.run(context, stopping).await).await
    }
}

impl DeadLettersAction {
    async fn run(
        self,
        context: &ProcessContext,
        stopping: &CancellationToken,
    ) -> Result<(), CommandFailure> {
        match self {
            Self::List(args) => args.run(context, stopping).await,
            Self::Show(args) => args.run(context, stopping).await,
            Self::Replay(args) => args.run(context, stopping).await,
            Self::Discard(args) => args.run(context, stopping).await,
        }
    }
}
