//! `pause`: stops every write at once, everywhere, and says when that holds.

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::{
    CommandFailure,
    common::{
        output::{self, OutputFormat},
        pause_row::PauseRow,
        progress::WorkProgress,
        requester::{reason, requester},
    },
};
use crate::{
    app::{clients::connect, context::ProcessContext},
    config::MessagingConfig,
    messaging::PauseTopic,
    pause::{GOOD_FOR, PauseNotice, READ_EVERY},
};

/// Stops every write at once, in every process, and says when that holds
///
/// It takes ten seconds: from then on no write to GitLab and no call of the provisioning API
/// begins. A call that is under way ends within its timeout. Messages are held and lose no attempt,
/// dry runs go on. Interrupted, the command leaves the pause in place.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lookup-gitlab-sync pause --reason \"the directory shows wrong people\""
)]
pub struct PauseArgs {
    /// Why, for whoever meets the pause
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl PauseArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        let requested_by = requester(context)?;
        let config: MessagingConfig = context.start(false)?;
        let topic = PauseTopic::of(&connect(&config.pubsub).await?);
        let reason = self.reason.as_deref();
        let asked = PauseNotice::new(Timestamp::now(), requested_by.as_deref(), reason);
        let (pause, changed) = topic.pause(asked).await?;
        if changed {
            // Everybody else sees what a label has room for.
            tracing::info!(event = "pause_asked", reason, requested_by);
            output::note(&format!("writes are {pause}"))?;
        } else {
            output::note(&format!("writes are already {pause}"))?;
        }
        let pause = until_it_holds(&topic, self.output).await?;
        output::print(self.output, &[PauseRow::paused(pause, changed)])?;
        Ok(output::note(
            "no write begins from now on, until `lookup-gitlab-sync resume`",
        )?)
    }
}

/// Waits until every reading that said otherwise is too old to write by. By this machine's
/// monotonic clock: asleep it waits longer.
async fn until_it_holds(
    topic: &PauseTopic,
    output: OutputFormat,
) -> Result<PauseNotice, CommandFailure> {
    let until = Instant::now() + GOOD_FOR;
    let progress = WorkProgress::told(output, "waiting until the pause holds");
    loop {
        let left = until.saturating_duration_since(Instant::now());
        progress.tell(format!(
            "no write begins after {} s more",
            left.as_secs_f32().ceil()
        ));
        sleep(left.min(READ_EVERY)).await;
        let read = topic.read().await;
        let is_over = Instant::now() >= until;
        match read {
            Ok(Some(pause)) if is_over => {
                return Ok(pause);
            }
            Ok(None) => {
                return Err(anyhow::anyhow!(
                    "writes are not paused: somebody resumed meanwhile, or this Pub/Sub keeps no labels of topics"
                )
                .into());
            }
            Err(error) if is_over => return Err(error.into()),
            Ok(Some(_)) | Err(_) => {}
        }
    }
}
