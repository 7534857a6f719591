//! What the harness has to know of the service: its binary, and the topology that it works on.

use std::time::Duration;

use lookup_gitlab_sync::{
    config,
    messaging::{Connection, Topology, topology::RetryDelays},
};
use simulator::{
    gitlab::SimulatedUser,
    lookup::SimulatedPerson,
    population::Population,
    servers::{PROJECT, ServerSettings, SimulatedServers},
};
use testkit::environment::ServiceEnvironment;

/// Of a made-up population. Redeliveries come at once.
pub async fn environment_of(population: &Population) -> ServiceEnvironment {
    let (accounts, people) = (population.accounts(), population.people());
    environment(accounts.to_vec(), people.to_vec()).await
}

/// Of these accounts and people. Redeliveries come at once.
pub async fn environment(
    accounts: Vec<SimulatedUser>,
    people: Vec<SimulatedPerson>,
) -> ServiceEnvironment {
    environment_with(accounts, people, ServerSettings::default()).await
}

/// The same on servers that are set otherwise.
pub async fn environment_with(
    accounts: Vec<SimulatedUser>,
    people: Vec<SimulatedPerson>,
    settings: ServerSettings,
) -> ServiceEnvironment {
    let binary = testkit::service_binary!();
    let environment = ServiceEnvironment::start(binary, accounts, people, settings).await;
    let at_once = RetryDelays {
        minimum: Duration::ZERO,
        maximum: Duration::ZERO,
    };
    Topology::new(&connection(&environment).await)
        .with_retry_delays(at_once)
        .apply()
        .await
        .unwrap();
    environment
}

/// What a command that only reads is told of these servers.
#[allow(dead_code, reason = "one of the two test binaries asks for it")]
pub fn reading_config(servers: &SimulatedServers) -> config::ReadingConfig {
    let sources = config::Sources {
        environment: servers.environment().into_iter().collect(),
        ..config::Sources::default()
    };
    config::ReadingConfig::load(&sources).unwrap().config
}

/// The service's own way to the Pub/Sub of an environment.
pub async fn connection(environment: &ServiceEnvironment) -> Connection {
    let config = config::PubSubConfig {
        project: PROJECT.to_owned(),
        emulator_host: Some(environment.pubsub_host()),
        endpoint: None,
        prefix: String::new(),
    };
    Connection::open(&config).await.unwrap()
}
