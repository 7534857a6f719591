//! From configuration to the things that work: clients, rules, connections.

use std::sync::Arc;

use super::Failure;
use crate::{
    config::{Config, Mode, PubSub},
    directory::{self, Directory, SharedLooks},
    gitlab,
    messaging::Connection,
    users::{forecast::Forecaster, rules::Rules},
};

/// How many people's second looks share one question: what fits in a `person/list` call.
const LOOKS_TOGETHER: usize = 200;

/// Both sides and the rules between them.
pub struct Sides {
    /// GitLab, as the configured token sees it.
    pub gitlab: gitlab::Client,
    /// The directory, for whole sweeps.
    pub directory: Arc<dyn Directory>,
    /// Who is who, and what is decided for them.
    pub rules: Arc<Rules>,
}

impl Sides {
    /// Both sides as `config` says, with its mode.
    pub fn new<P>(
        config: &Config<crate::config::GitLab, crate::config::Directory, P>,
    ) -> Result<Self, Failure> {
        Self::in_mode(config, config.mode)
    }

    /// Both sides for looking only, whatever the configured mode: no permit to write can be had.
    pub fn for_reading<P>(
        config: &Config<crate::config::GitLab, crate::config::Directory, P>,
    ) -> Result<Self, Failure> {
        Self::in_mode(config, Mode::DryRun)
    }

    fn in_mode<P>(
        config: &Config<crate::config::GitLab, crate::config::Directory, P>,
        mode: Mode,
    ) -> Result<Self, Failure> {
        Ok(Self {
            gitlab: gitlab::Client::new(&config.gitlab, mode)?,
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
            self.gitlab.clone(),
            directory,
            self.shared_looks(),
            Arc::clone(&self.rules),
        )
    }
}

/// Pub/Sub as `config` says.
pub async fn connect(config: &PubSub) -> Result<Connection, Failure> {
    Ok(Connection::open(config).await?)
}

/// Who is at the keyboard, for `requested_by`.
pub fn requester(context: &super::Context) -> Option<String> {
    let user = ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| context.environment().get(name))?;
    Some(user.to_owned()).filter(|user| !user.is_empty())
}
