//! The three servers together, and the environment that points the service at them.

use std::{collections::BTreeMap, io, net::IpAddr, time::Duration};

use pubsub_emulator::{Broker, BrokerError, BrokerSettings};

use super::{
    control::RateLimit,
    gitlab::{self, Cost, SimulatedGitLab},
    lookup::{self, SimulatedLookup},
    population::Population,
};

/// The Google Cloud project of the simulated Pub/Sub.
pub const PROJECT: &str = "simulated";

/// What to start. Port 0 takes a free one.
#[derive(Clone, Copy, Debug)]
pub struct ServerSettings {
    /// The address to listen on; 127.0.0.1 by default. The servers trust whoever reaches them.
    pub bind: Option<IpAddr>,
    /// The simulated GitLab's port.
    pub gitlab_port: u16,
    /// The simulated Lookup's port.
    pub lookup_port: u16,
    /// The broker's port; `None` starts none.
    pub pubsub_port: Option<u16>,
    /// Added to each answer of GitLab and Lookup.
    pub latency: Duration,
    /// GitLab's own limit, off by default as it is there.
    pub rate_limit: Option<RateLimit>,
    /// What GitLab's answers cost.
    pub cost: Cost,
    /// After so many pages GitLab ends and comes back seconds later.
    pub restarts_every: Option<u64>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            bind: None,
            gitlab_port: 0,
            lookup_port: 0,
            pubsub_port: Some(0),
            latency: Duration::ZERO,
            rate_limit: None,
            cost: Cost::Free,
            restarts_every: None,
        }
    }
}

/// Why the servers did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServersError {
    /// GitLab's or Lookup's port.
    #[error("the simulated {server} cannot listen on port {port}")]
    Listen {
        /// Which.
        server: &'static str,
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// GitLab's tokens by their secret.
type GitLabTokens = BTreeMap<String, gitlab::SimulatedToken>;

/// A GitLab, a Lookup and perhaps a Pub/Sub, at work until they are dropped.
#[derive(Debug)]
pub struct SimulatedServers {
    /// GitLab.
    pub gitlab: SimulatedGitLab,
    /// Lookup.
    pub lookup: SimulatedLookup,
    /// Pub/Sub.
    pub broker: Option<Broker>,
}

impl SimulatedServers {
    /// Starts the servers with `population` in them.
    ///
    /// # Errors
    /// When a port cannot be had.
    pub async fn start(
        population: &Population,
        settings: ServerSettings,
    ) -> Result<Self, ServersError> {
        let accounts = population.accounts().to_vec();
        let people = population.people().to_vec();
        Self::assemble(accounts, population.tokens().clone(), people, settings).await
    }

    /// Starts the servers with these accounts and people in them.
    ///
    /// # Errors
    /// When a port cannot be had.
    pub async fn of(
        accounts: Vec<gitlab::SimulatedUser>,
        people: Vec<lookup::SimulatedPerson>,
        settings: ServerSettings,
    ) -> Result<Self, ServersError> {
        Self::assemble(accounts, GitLabTokens::new(), people, settings).await
    }

    async fn assemble(
        accounts: Vec<gitlab::SimulatedUser>,
        tokens: GitLabTokens,
        people: Vec<lookup::SimulatedPerson>,
        settings: ServerSettings,
    ) -> Result<Self, ServersError> {
        let ServerSettings {
            bind,
            gitlab_port,
            lookup_port,
            pubsub_port,
            latency,
            rate_limit,
            cost,
            restarts_every,
        } = settings;
        let gitlab = gitlab::GitLabSettings {
            port: gitlab_port,
            bind,
            accounts,
            latency,
            rate_limit,
            tokens,
            cost,
            restarts_every,
        };
        let lookup = lookup::LookupSettings {
            port: lookup_port,
            bind,
            people,
            latency,
            ..lookup::LookupSettings::default()
        };
        let failed = |server, port| {
            move |source| ServersError::Listen {
                server,
                port,
                source,
            }
        };
        Ok(Self {
            gitlab: SimulatedGitLab::start(gitlab)
                .await
                .map_err(failed("GitLab", gitlab_port))?,
            lookup: SimulatedLookup::start(lookup)
                .await
                .map_err(failed("Lookup", lookup_port))?,
            broker: match pubsub_port {
                Some(port) => Some(Broker::start(BrokerSettings { port, bind }).await?),
                None => None,
            },
        })
    }

    /// The variables that point the service here, with `mode` apply.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("LOOKUP_GITLAB_SYNC__MODE", "apply".to_owned()),
            ("GITLAB_URL", self.gitlab.url().to_owned()),
            ("GITLAB_TOKEN", self.gitlab.token().to_owned()),
            ("LOOKUP_URL", self.lookup.url()),
            ("LOOKUP_TOKEN_URL", self.lookup.token_url()),
            ("LOOKUP_CLIENT_ID", lookup::CLIENT_ID.to_owned()),
            ("LOOKUP_CLIENT_SECRET", lookup::CLIENT_SECRET.to_owned()),
        ];
        if let Some(broker) = &self.broker {
            variables.push(("GOOGLE_CLOUD_PROJECT", PROJECT.to_owned()));
            variables.push(("PUBSUB_EMULATOR_HOST", broker.host()));
        }
        variables
    }
}
