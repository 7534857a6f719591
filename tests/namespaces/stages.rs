//! The three stages as processes, on a Pub/Sub and a `PostgreSQL`.

use std::{
    ffi::OsString,
    process::{Output, Stdio},
    time::Duration,
};

use lookup_gitlab_sync::{
    config,
    messaging::{Connection, Topology, topology::RetryDelays},
};
use pubsub_emulator::{Broker, BrokerSettings};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::port::free_port;
use testkit::wait::until;
use tokio::process::{Child, Command};

use crate::{key_files::KeyFiles, receiver::Receiver, worker_fixture::bought};

pub const TOKEN: &str = "open-sesame";

pub struct NamespaceStages {
    pub receiver: Receiver,
    pub database: String,
    pub key: KeyFiles,
    pubsub: String,
    ports: [u16; 3],
    processes: [Option<Child>; 3],
    broker: Option<Broker>,
}

/// The stages, in the order of `ports` and `processes`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Portal,
    Api,
    Worker,
}

const NAMES: [&str; 3] = ["portal", "provisioning-api", "namespace-worker"];

impl NamespaceStages {
    /// All three, with the ledger and GitLab's tables in `database`. On the broker unless
    /// `emulator` is one.
    pub async fn new(database: &str, emulator: Option<&str>) -> Self {
        let mut stages = Self::without_worker(database, emulator).await;
        stages.start(Stage::Worker).await;
        stages
    }

    /// The portal and the API.
    pub async fn without_worker(database: &str, emulator: Option<&str>) -> Self {
        let broker = match emulator {
            Some(_) => None,
            None => Some(Broker::start(BrokerSettings::default()).await.unwrap()),
        };
        let pubsub = broker
            .as_ref()
            .map_or_else(|| emulator.unwrap().to_owned(), Broker::host);
        prepare(&pubsub).await;
        let mut stages = Self {
            receiver: Receiver::start().await,
            database: database.to_owned(),
            pubsub,
            key: KeyFiles::new(),
            ports: [free_port(), free_port(), free_port()],
            processes: [None, None, None],
            broker,
        };
        stages.receiver.forward_to(&stages.address(Stage::Api));
        for stage in [Stage::Portal, Stage::Api] {
            stages.start(stage).await;
        }
        stages
    }

    /// Nothing but Pub/Sub and what the stages are told; no stage runs.
    pub async fn idle(database: &str) -> Self {
        let broker = Broker::start(BrokerSettings::default()).await.unwrap();
        let pubsub = broker.host();
        prepare(&pubsub).await;
        Self {
            receiver: Receiver::start().await,
            database: database.to_owned(),
            pubsub,
            key: KeyFiles::new(),
            ports: [free_port(), free_port(), free_port()],
            processes: [None, None, None],
            broker: Some(broker),
        }
    }

    pub fn address(&self, stage: Stage) -> String {
        format!("http://127.0.0.1:{}", self.ports[stage as usize])
    }

    /// Starts a stage and waits until it is ready.
    pub async fn start(&mut self, stage: Stage) {
        self.start_with(stage, &[]).await;
    }

    /// The same, with more variables.
    pub async fn start_with(&mut self, stage: Stage, variables: &[(&str, &str)]) {
        self.spawn(stage, variables);
        self.ready(stage).await;
    }

    /// Starts a stage that ends without warning at `place`, and does not wait: it may do so before
    /// it is ready.
    pub fn start_dying_at(&mut self, place: &str, stage: Stage) {
        self.spawn(stage, &[("LOOKUP_GITLAB_SYNC_FAIL_AT", place)]);
    }

    fn spawn(&mut self, stage: Stage, variables: &[(&str, &str)]) {
        let port = self.ports[stage as usize].to_string();
        let mut command = self.command(&["serve", NAMES[stage as usize], "--log-format=json"]);
        let health = match stage {
            Stage::Portal | Stage::Api => Some(("HEALTH_PORT", "0")),
            Stage::Worker => None,
        };
        let child = command
            .env("PORT", port)
            .envs(health)
            .envs(variables.iter().copied())
            .spawn();
        self.processes[stage as usize] = Some(child.unwrap());
    }

    /// Waits until a stage is ready.
    pub async fn ready(&mut self, stage: Stage) {
        let ready = format!("{}/readyz", self.address(stage));
        until("ready", async || {
            if let Some(status) = self.processes[stage as usize]
                .as_mut()
                .unwrap()
                .try_wait()
                .unwrap()
            {
                panic!("{} ended: {status}", NAMES[stage as usize]);
            }
            reqwest::get(&ready)
                .await
                .is_ok_and(|answer| answer.status() == 200)
        })
        .await;
    }

    /// Waits until a stage has died.
    pub async fn dead(&mut self, stage: Stage) {
        let mut child = self.processes[stage as usize].take().unwrap();
        let status = tokio::time::timeout(Duration::from_mins(1), child.wait()).await;
        let status = status
            .expect("it comes to the place where it dies")
            .unwrap();
        assert_eq!(status.code(), None, "it ended by itself");
    }

    /// Ends the leases that a killed worker left behind, which would else last for the ack
    /// deadline.
    pub async fn lapse_leases(&self) {
        let broker = self.broker.as_ref().unwrap();
        until("the broker has noticed", async || {
            broker.counts(SUBSCRIPTION).unwrap().streams == 0
        })
        .await;
        broker.lapse_leases(SUBSCRIPTION).unwrap();
    }

    /// Waits until every message that was published has been acked.
    pub async fn quiet(&self) {
        let broker = self.broker.as_ref().unwrap();
        until("every message acked", async || {
            let counts = broker.counts(SUBSCRIPTION).unwrap();
            counts.published == counts.acked && counts.outstanding == 0 && counts.waiting == 0
        })
        .await;
    }

    /// Kills a stage without warning.
    pub async fn kill(&mut self, stage: Stage) {
        self.processes[stage as usize]
            .take()
            .unwrap()
            .kill()
            .await
            .unwrap();
    }

    /// Asks a stage to stop; its exit code.
    pub async fn stop(&mut self, stage: Stage) -> Option<i32> {
        let mut child = self.processes[stage as usize].take().unwrap();
        testkit::process::terminate(&mut child).await
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(Some(&self.database), arguments).await
    }

    /// Runs a command with another database, or with none.
    pub async fn run_with(&self, database: Option<&str>, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        command.env_remove("DATABASE_URL");
        command.envs(database.map(|url| ("DATABASE_URL", url)));
        testkit::command::output(&mut command).await
    }

    /// Runs a command to its end, with more variables.
    pub async fn run_as(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        testkit::command::output(&mut command).await
    }

    /// What every process is told.
    pub fn variables(&self) -> Vec<(OsString, OsString)> {
        let command = self.command(&[]);
        let told = command.as_std().get_envs();
        told.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = testkit::command::isolated(testkit::service_binary!());
        command
            .args(arguments)
            .env("GOOGLE_CLOUD_PROJECT", PROJECT)
            .env("PUBSUB_EMULATOR_HOST", &self.pubsub)
            .env("DATABASE_URL", &self.database)
            .env("PORTAL_URL", self.address(Stage::Portal))
            .env("PORTAL_TOKEN", TOKEN)
            .env("PORTAL_SIGNING_KEY_FILE", self.key.private())
            .env("GITLAB_URL", &self.receiver.address)
            .env("LOOKUP_GITLAB_SYNC__NAMESPACES__SETTLE", "10s")
            .env("LOOKUP_GITLAB_SYNC__NAMESPACES__CALLS__TIMEOUT", "10s")
            .env(
                "LOOKUP_GITLAB_SYNC__NAMESPACES__DATABASE__ACQUIRE_TIMEOUT",
                "10s",
            )
            .env("LOG_LEVEL", "error")
            .env("USER", "tests")
            .stdout(Stdio::null());
        command
    }

    /// Posts a sync to the portal; the status.
    pub async fn buy(&self, id: i64, document: &Value) -> u16 {
        self.try_to_buy(id, document).await.expect("an answer")
    }

    /// Posts a sync to a portal that may go away; the status, if it answers.
    pub async fn try_to_buy(&self, id: i64, document: &Value) -> Option<u16> {
        let url = format!(
            "{}/api/v1/namespaces/{id}/syncs",
            self.address(Stage::Portal)
        );
        let request = reqwest::Client::new()
            .post(url)
            .bearer_auth(TOKEN)
            .body(document.to_string());
        let answer = request.send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// Posts a sync to the portal; the status, and what it says.
    pub async fn posted(&self, id: i64, document: &Value) -> (u16, Value) {
        self.posted_text(id, &document.to_string()).await
    }

    pub async fn posted_text(&self, id: i64, document: &str) -> (u16, Value) {
        let portal = self.address(Stage::Portal);
        let request = reqwest::Client::new()
            .post(format!("{portal}/api/v1/namespaces/{id}/syncs"))
            .bearer_auth(TOKEN)
            .body(document.to_owned());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub async fn pool(&self) -> PgPool {
        PgPool::connect(&self.database).await.unwrap()
    }

    /// Makes a group.
    pub async fn group(&self, id: i64) {
        sqlx::query("INSERT INTO namespaces (id, name, path, type, organization_id) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $2, 'Group', 7)")
            .bind(id)
            .bind(format!("group-{id}"))
            .execute(&self.pool().await)
            .await
            .unwrap();
    }

    /// Waits until the newest sync of a namespace has this many attempts that were not skipped, all
    /// closed; their states.
    pub async fn attempts(&self, id: i64, count: usize) -> Vec<String> {
        let pool = self.pool().await;
        let states = async || -> Vec<String> {
            sqlx::query_scalar(
                "SELECT state FROM namespace_sync_attempts WHERE state <> 'skipped' AND namespace_sync_id =
                     (SELECT max(id) FROM namespace_syncs WHERE namespace_id = $1) ORDER BY id",
            )
            .bind(id)
            .fetch_all(&pool)
            .await
            .unwrap_or_default()
        };
        until("the attempts", async || {
            let states = states().await;
            states.len() >= count && states.iter().all(|state| state != "started")
        })
        .await;
        states().await
    }
}

pub const PROJECT: &str = "test-project";
const SUBSCRIPTION: &str = "projects/test-project/subscriptions/namespace-sync-worker";

async fn prepare(host: &str) {
    let pubsub = config::PubSubConfig {
        project: PROJECT.to_owned(),
        emulator_host: Some(host.to_owned()),
        endpoint: None,
        prefix: String::new(),
    };
    let connection = Connection::open(&pubsub).await.unwrap();
    let soon = RetryDelays {
        minimum: Duration::from_millis(100),
        maximum: Duration::from_secs(1),
    };
    Topology::new(&connection)
        .with_namespaces(true)
        .with_retry_delays(soon)
        .apply()
        .await
        .unwrap();
}

/// A trial whose dates stand nowhere, with storage that is right.
pub fn trial_without_dates(size: i64) -> Value {
    let mut document = bought(30);
    document["provision"]["base_product"]["trial"] = json!(true);
    document["provision"]["storage"]["additional_purchased_storage_size"] = json!(size);
    document
}
