//! How long is waited for Pub/Sub.

use std::time::Duration;

/// How long answers are waited for before a connection is taken for dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PubSubTimeouts {
    /// One attempt of an administrative call; the next one goes over a new connection. 20 s.
    pub call: Duration,
    /// All attempts of an administrative call together. 1 min.
    pub calls: Duration,
    /// One attempt to publish; the next one is a new client's. 20 s.
    pub publish: Duration,
    /// All attempts to publish a message together. 2 min.
    pub publishes: Duration,
}

impl Default for PubSubTimeouts {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(20),
            calls: Duration::from_mins(1),
            publish: Duration::from_secs(20),
            publishes: Duration::from_mins(2),
        }
    }
}
