//! A Pub/Sub server for one test.

use std::time::Duration;

use lookup_gitlab_sync::{
    config,
    messaging::{Connection, Topology, topology::RetryDelays},
};
use pubsub_emulator::{Broker, BrokerSettings};

/// A server that lives as long as this does.
pub struct PubSub {
    host: String,
    pub broker: Broker,
}

/// Starts one.
pub async fn pubsub_host() -> PubSub {
    let broker = Broker::start(BrokerSettings::default()).await.unwrap();
    PubSub {
        host: broker.host(),
        broker,
    }
}

impl PubSub {
    /// `127.0.0.1:port`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The configuration that leads here.
    pub fn config(&self) -> config::PubSubConfig {
        config_of(&self.host)
    }

    /// A connection.
    pub async fn connect(&self) -> Connection {
        Connection::open(&self.config()).await.unwrap()
    }

    /// A connection to a server that has all topics and subscriptions, and redelivers without long
    /// pauses.
    pub async fn connect_prepared(&self) -> Connection {
        let connection = self.connect().await;
        quick(&connection).apply().await.unwrap();
        connection
    }
}

/// The configuration that leads to `host`.
pub fn config_of(host: &str) -> config::PubSubConfig {
    config::PubSubConfig {
        project: "test-project".to_owned(),
        emulator_host: Some(host.to_owned()),
        endpoint: None,
        prefix: "t1-".to_owned(),
    }
}

/// The topology with the shortest pause before a redelivery.
pub fn quick(connection: &Connection) -> Topology {
    Topology::new(connection).with_retry_delays(RetryDelays {
        minimum: Duration::ZERO,
        maximum: Duration::from_secs(1),
    })
}
