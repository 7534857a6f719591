//! The topics and subscriptions the service needs: made here on an emulator or the embedded broker,
//! by Terraform in production.

mod apply;
mod check;
mod settings;
mod table;

pub use apply::Applied;
pub use check::{Difference, Harm, StageRefused, Unread};
pub(super) use table::MAX_DELIVERY_ATTEMPTS;

use std::time::Duration;

use super::{Connection, Names, Stage};

/// The topics and subscriptions of one project and prefix.
///
/// `apply` makes them, `check` names what differs, `check_stage` is what a serving stage asks
/// before its first pull.
#[derive(Clone, Debug)]
pub struct Topology {
    connection: Connection,
    retry: RetryDelays,
    stages: &'static [Stage],
}

/// How long Pub/Sub waits before it delivers a nacked message again, growing from the one to the
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryDelays {
    /// 10 s.
    pub minimum: Duration,
    /// 600 s, Pub/Sub's own upper bound.
    pub maximum: Duration,
}

impl Default for RetryDelays {
    fn default() -> Self {
        Self {
            minimum: Duration::from_secs(10),
            maximum: Duration::from_mins(10),
        }
    }
}

impl Topology {
    /// The topology behind `connection`: that of the user pipeline.
    pub fn new(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
            retry: RetryDelays::default(),
            stages: &Stage::USERS,
        }
    }

    /// With the namespace pipeline's topic too, if `wanted`: an installation that provisions no
    /// namespaces has none.
    #[must_use]
    pub const fn with_namespaces(mut self, wanted: bool) -> Self {
        self.stages = if wanted { &Stage::ALL } else { &Stage::USERS };
        self
    }

    /// With other retry delays, for tests that cannot wait.
    #[must_use]
    pub const fn with_retry_delays(mut self, retry: RetryDelays) -> Self {
        self.retry = retry;
        self
    }

    const fn names(&self) -> &Names {
        self.connection.names()
    }
}
