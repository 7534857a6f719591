//! The clients and rules of the user pipeline, as configured.

use std::sync::Arc;

use super::error::AppError;
use crate::{
    config::{Config, DirectoryConfig, GitLabConfig, PubSubConfig},
    directory::{self, Directory, SharedLooks},
    gitlab,
    messaging::{Connection, PubSubError},
    pause::WriteSwitch,
    users::{preview::Previewer, rules::Rules},
};

/// How many people's second looks share one question: what fits in a `person/list` call.
const LOOKS_TOGETHER: usize = 200;

/// GitLab, the directory, and the rules between them.
pub(crate) struct UserClients {
    /// GitLab for who may write.
    pub gitlab: gitlab::Client,
    /// GitLab for who only reads: no permit to write can be had of it.
    pub reader: gitlab::Client,
    /// The directory, for whole sweeps.
    pub directory: Arc<dyn Directory>,
    /// Who is who, and what is decided for them.
    pub rules: Arc<Rules>,
}

impl UserClients {
    /// For a stage, which writes as `writes_when` allows, and in dry run (`None`) never.
    pub fn new<P>(
        config: &Config<GitLabConfig, DirectoryConfig, P>,
        writes_when: Option<WriteSwitch>,
    ) -> Result<Self, AppError> {
        let gitlab = gitlab::Client::new(&config.gitlab, writes_when)?;
        Ok(Self {
            reader: gitlab.for_reading(&config.gitlab)?,
            gitlab,
            directory: directory::open(&config.directory, &config.controls)?,
            rules: Arc::new(Rules::new(&config.users, &config.guard)?),
        })
    }

    /// For reading only, whatever the configured mode: no permit to write can be had.
    pub fn for_reading<P>(
        config: &Config<GitLabConfig, DirectoryConfig, P>,
    ) -> Result<Self, AppError> {
        Self::new(config, None)
    }

    /// The directory for single looks that share calls.
    pub fn shared_looks(&self) -> SharedLooks {
        let together = LOOKS_TOGETHER.min(self.directory.people_in_one_question());
        SharedLooks::new(Arc::clone(&self.directory), together)
    }

    /// Says what the stages would do with a message now.
    pub fn previewer(&self) -> Previewer {
        let directory = Arc::clone(&self.directory);
        Previewer::new(
            self.reader.clone(),
            directory,
            self.shared_looks(),
            Arc::clone(&self.rules),
        )
    }
}

/// GitLab and the rules, for who only reads and asks the directory nothing.
pub(crate) struct GitLabReader {
    /// GitLab: no permit to write can be had of it.
    pub gitlab: gitlab::Client,
    /// Who is who.
    pub rules: Rules,
}

impl GitLabReader {
    /// As `config` says, whatever its mode.
    pub fn new<D, P>(config: &Config<GitLabConfig, D, P>) -> Result<Self, AppError> {
        let gitlab = gitlab::Client::new(&config.gitlab, None)?;
        Ok(Self {
            gitlab: gitlab.for_reading(&config.gitlab)?,
            rules: Rules::new(&config.users, &config.guard)?,
        })
    }
}

/// Pub/Sub as `config` says.
pub(crate) async fn connect(config: &PubSubConfig) -> Result<Connection, PubSubError> {
    Connection::open(config).await
}
