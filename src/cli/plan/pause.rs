//! Whether the run that a plan shows would have to wait.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    app::clients::connect,
    config::PubSubConfig,
    messaging::{PauseTopic, PubSubError},
    pause::PauseNotice,
};

/// How long the answer is waited for. It is read beside both sides, which take longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether writes are paused, as far as a plan can tell.
pub(super) enum PlannedPause {
    /// No Pub/Sub is configured: a plan needs none.
    NotAsked,
    Running,
    Paused(PauseNotice),
    /// Why it could not be read.
    Unknown(String),
}

impl PlannedPause {
    pub(super) async fn read(config: Option<&PubSubConfig>) -> Self {
        let Some(config) = config else {
            return Self::NotAsked;
        };
        let reading = async {
            let connection = connect(config).await?;
            PauseTopic::of(&connection).read().await
        };
        match timeout(PATIENCE, reading).await {
            Ok(Ok(None)) => Self::Running,
            Ok(Ok(Some(pause))) => Self::Paused(pause),
            Ok(Err(error)) => Self::unread(&error),
            Err(_) => Self::Unknown("Pub/Sub gave no answer".to_owned()),
        }
    }

    fn unread(error: &PubSubError) -> Self {
        Self::Unknown(error.to_string())
    }

    /// To be said after the plan, on a line of its own.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::NotAsked | Self::Running => String::new(),
            Self::Paused(pause) => {
                format!("\nwrites are {pause}: a run waits until `lookup-gitlab-sync resume`")
            }
            Self::Unknown(why) => format!("\nwhether writes are paused is not known: {why}"),
        }
    }

    /// `None` where it is not known.
    pub(super) fn is_paused(&self) -> Option<bool> {
        match self {
            Self::NotAsked | Self::Unknown(_) => None,
            Self::Running => Some(false),
            Self::Paused(_) => Some(true),
        }
    }

    /// What the pause says of itself, or why it is not known.
    pub(super) fn detail(&self) -> Option<String> {
        match self {
            Self::NotAsked | Self::Running => None,
            Self::Paused(pause) => Some(pause.to_string()),
            Self::Unknown(why) => Some(why.clone()),
        }
    }
}
