//! What topics and subscriptions are called.

use super::Stage;

/// The subscription that holds the changes and refusals of `sync-outcome` for `history`, without
/// prefix. Nobody acks there.
pub const OUTCOME_HISTORY: &str = "sync-outcome-history";

/// The topics. Names take the configured prefix; see [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// `sync-tick`, read by `sync-tick-fan-out`, dead letters in `sync-tick-dead`, held by
    /// `sync-tick-dead-hold`.
    SyncTick,
    /// `user-sync`, read by `user-sync-worker`, dead letters in `user-sync-dead`, held by
    /// `user-sync-dead-hold`.
    UserSync,
    /// `namespace-sync`, read by `namespace-sync-worker`, dead letters in `namespace-sync-dead`,
    /// held by `namespace-sync-dead-hold`. There only where namespaces are provisioned.
    NamespaceSync,
    /// `sync-outcome`: held by [`OUTCOME_HISTORY`], no dead letters.
    SyncOutcome,
}

impl Topic {
    /// The name without prefix.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SyncTick => "sync-tick",
            Self::UserSync => "user-sync",
            Self::NamespaceSync => "namespace-sync",
            Self::SyncOutcome => "sync-outcome",
        }
    }
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 3] = [Self::FanOut, Self::UserWorker, Self::NamespaceWorker];

    /// The stages of the user pipeline, which every installation has.
    pub const USERS: [Self; 2] = [Self::FanOut, Self::UserWorker];

    /// The topic whose messages it handles.
    pub const fn topic(self) -> Topic {
        match self {
            Self::FanOut => Topic::SyncTick,
            Self::UserWorker => Topic::UserSync,
            Self::NamespaceWorker => Topic::NamespaceSync,
        }
    }

    /// The topic it publishes to, its outcomes aside.
    pub const fn publishes_to(self) -> Option<Self> {
        match self {
            Self::FanOut => Some(Self::UserWorker),
            Self::UserWorker | Self::NamespaceWorker => None,
        }
    }

    /// Its subscription, without prefix.
    pub const fn subscription(self) -> &'static str {
        match self {
            Self::FanOut => "sync-tick-fan-out",
            Self::UserWorker => "user-sync-worker",
            Self::NamespaceWorker => "namespace-sync-worker",
        }
    }

    /// The topic of its dead letters, without prefix.
    pub const fn dead_letter_topic(self) -> &'static str {
        match self {
            Self::FanOut => "sync-tick-dead",
            Self::UserWorker => "user-sync-dead",
            Self::NamespaceWorker => "namespace-sync-dead",
        }
    }

    /// The subscription that holds its dead letters, without prefix.
    pub const fn hold_subscription(self) -> &'static str {
        match self {
            Self::FanOut => "sync-tick-dead-hold",
            Self::UserWorker => "user-sync-dead-hold",
            Self::NamespaceWorker => "namespace-sync-dead-hold",
        }
    }
}

/// Makes full resource names in one project, with the configured prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    project: String,
    prefix: String,
}

impl Names {
    /// Names in `project`; `prefix` goes before every topic and subscription.
    pub fn new(project: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            project: project.into(),
            prefix: prefix.into(),
        }
    }

    /// `name` with the prefix, as people see it.
    pub fn id(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The full name of a topic.
    pub fn topic(&self, name: &str) -> String {
        format!("projects/{}/topics/{}", self.project, self.id(name))
    }

    /// The full name of a subscription.
    pub fn subscription(&self, name: &str) -> String {
        format!("projects/{}/subscriptions/{}", self.project, self.id(name))
    }
}
