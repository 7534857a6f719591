//! `resume`: ends a pause.

use super::{
    CommandFailure,
    common::{
        output::{self, OutputFormat},
        pause_row::PauseRow,
        requester::requester,
    },
};
use crate::{
    app::{clients::connect, context::ProcessContext},
    config::MessagingConfig,
    messaging::PauseTopic,
};

/// Ends a pause, whoever began it: held messages go on within seconds
///
/// Each message looks at its account again before it writes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync resume")]
pub struct ResumeArgs {
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl ResumeArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        let requested_by = requester(context)?;
        let config: MessagingConfig = context.start(false)?;
        let topic = PauseTopic::of(&connect(&config.pubsub).await?);
        let ended = topic.resume().await?;
        let said = match &ended {
            Some(pause) => {
                tracing::info!(event = "resume_asked", requested_by);
                format!("writes were {pause}; they go on within seconds")
            }
            None => "writes are not paused".to_owned(),
        };
        output::print(self.output, &[PauseRow::running(ended)])?;
        Ok(output::note(&said)?)
    }
}
