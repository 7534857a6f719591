//! `dead-letters list`.

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{filter::FilterArgs, text::DeadLetterLine};
use crate::{
    app::{clients::connect, context::ProcessContext},
    cli::{
        CommandFailure,
        common::{
            output::{self, OutputFormat},
            progress::WorkProgress,
        },
    },
    config::MessagingConfig,
    messaging::{PubSubError, dead_letters::Scan},
};

/// Shows the messages that were given up and can be seen now; somebody else may have others leased
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lookup-gitlab-sync dead-letters list --topic user-sync --newer-than 2d"
)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl ListArgs {
    pub(super) async fn run(
        self,
        context: &ProcessContext,
        stopping: &CancellationToken,
    ) -> Result<(), CommandFailure> {
        let config: MessagingConfig = context.load()?.config;
        let connection = connect(&config.pubsub).await?;
        let selection = self.filter.selection(Vec::new(), Timestamp::now());
        let mut scan = Scan::new(&connection, &selection, stopping.clone());
        let progress = WorkProgress::counted(self.output, "dead letters read:", None);
        let lines = collect(&mut scan, &progress).await;
        drop(progress);
        scan.release().await;
        let lines = lines?;
        output::print(self.output, &lines)?;
        Ok(output::note(&format!("{} seen", lines.len()))?)
    }
}

async fn collect(
    scan: &mut Scan,
    progress: &WorkProgress,
) -> Result<Vec<DeadLetterLine>, PubSubError> {
    let mut lines = Vec::new();
    while let Some(letters) = scan.next().await? {
        lines.extend(
            letters
                .into_iter()
                .map(|letter| DeadLetterLine::from(letter.seen)),
        );
        progress.reach(lines.len() as u64);
    }
    Ok(lines)
}
