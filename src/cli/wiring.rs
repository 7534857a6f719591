//! From configuration to the things that work: clients, rules, connections.

use std::sync::Arc;

use super::Failure;
use crate::{
    config::{Config, Mode, PubSubConfig},
    directory::{self, Directory, SharedLooks},
    gitlab,
    messaging::{Connection, wire::OneLine},
    users::{forecast::Forecaster, rules::Rules},
};

/// How many people's second looks share one question: what fits in a `person/list` call.
const LOOKS_TOGETHER: usize = 200;

/// Both sides and the rules between them.
pub struct Sides {
    /// GitLab for who may write.
    pub gitlab: gitlab::Client,
    /// GitLab for who only reads: no permit to write can be had of it.
    pub reader: gitlab::Client,
    /// The directory, for whole sweeps.
    pub directory: Arc<dyn Directory>,
    /// Who is who, and what is decided for them.
    pub rules: Arc<Rules>,
}

impl Sides {
    /// Both sides as `config` says, with its mode.
    pub fn new<P>(
        config: &Config<crate::config::GitLabConfig, crate::config::DirectoryConfig, P>,
    ) -> Result<Self, Failure> {
        Self::in_mode(config, config.mode)
    }

    /// Both sides for looking only, whatever the configured mode: no permit to write can be had.
    pub fn for_reading<P>(
        config: &Config<crate::config::GitLabConfig, crate::config::DirectoryConfig, P>,
    ) -> Result<Self, Failure> {
        Self::in_mode(config, Mode::DryRun)
    }

    fn in_mode<P>(
        config: &Config<crate::config::GitLabConfig, crate::config::DirectoryConfig, P>,
        mode: Mode,
    ) -> Result<Self, Failure> {
        let gitlab = gitlab::Client::new(&config.gitlab, mode)?;
        Ok(Self {
            reader: gitlab.for_reading(&config.gitlab)?,
            gitlab,
            directory: directory::open(&config.directory)?,
            rules: Arc::new(Rules::new(&config.users, &config.guard)?),
        })
    }

    /// The directory for single looks that share calls.
    pub fn shared_looks(&self) -> SharedLooks {
        SharedLooks::new(Arc::clone(&self.directory), LOOKS_TOGETHER)
    }

    /// Says what the stages would do with a message now.
    pub fn forecaster(&self) -> Forecaster {
        let directory = Arc::clone(&self.directory);
        Forecaster::new(
            self.reader.clone(),
            directory,
            self.shared_looks(),
            Arc::clone(&self.rules),
        )
    }
}

/// Pub/Sub as `config` says.
pub async fn connect(config: &PubSubConfig) -> Result<Connection, Failure> {
    Ok(Connection::open(config).await?)
}

/// Who is at the keyboard, for `requested_by`.
///
/// # Errors
/// A name that no message can carry.
pub fn requester(context: &super::Context) -> Result<Option<String>, Failure> {
    let set = |name| Some((name, context.environment().get(name)?));
    let user = ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| set(name).filter(|(_, user)| !user.is_empty()));
    match user {
        Some((name, user)) if !OneLine::NOTE.admits(user) => Err(Failure::usage(format!(
            "{name} says who asks and has to be {}: set it, or unset it",
            OneLine::NOTE
        ))),
        user => Ok(user.map(|(_, user)| user.to_owned())),
    }
}

/// A reason, as it goes into a message.
pub fn reason(text: &str) -> Result<String, String> {
    if OneLine::NOTE.admits(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("a reason is {}", OneLine::NOTE))
    }
}
