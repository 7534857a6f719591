//! What the writes of a command ask, which runs beside the service.

use crate::{
    app::clients::connect,
    cli::CommandFailure,
    config::{Mode, PubSubConfig},
    messaging::PauseTopic,
    pause::WriteSwitch,
};

/// Nothing where it makes none, or where no Pub/Sub could keep a pause.
///
/// # Errors
/// A Pub/Sub that does not tell whether writes are paused.
pub async fn writes_when(
    mode: Mode,
    pubsub: Option<&PubSubConfig>,
) -> Result<Option<WriteSwitch>, CommandFailure> {
    match (mode, pubsub) {
        (Mode::DryRun, _) => Ok(None),
        (Mode::Apply, None) => Ok(Some(WriteSwitch::unwatched())),
        (Mode::Apply, Some(pubsub)) => {
            let topic = PauseTopic::of(&connect(pubsub).await?);
            Ok(Some(topic.switch().await?))
        }
    }
}
