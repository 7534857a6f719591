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

use super::CommandFailure;
use crate::app::{context::ProcessContext, signals::StopSignals};

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
    /// Ends in order on a first signal, so that leases are given back and what was done is said; at
    /// once on a second.
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        let mut signals = StopSignals::catch()?;
        let stopping = CancellationToken::new();
        let mut work = Box::pin(self.action.run(context, &stopping));
        tokio::select! {
            result = &mut work => return result,
            () = signals.next() => stopping.cancel(),
        }
        tokio::select! {
            result = work => result.and_then(|()| Err(CommandFailure::interrupted())),
            () = signals.next() => Err(CommandFailure::interrupted()),
        }
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
