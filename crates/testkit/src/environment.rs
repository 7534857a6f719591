//! A GitLab, a Lookup and a Pub/Sub, and the service at work on them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use pubsub_emulator::DeliveryCounts;
use serde::Serialize;
use serde_json::Value;
use simulator::{
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
    servers::{PROJECT, ServerSettings, SimulatedServers},
};
use tokio::process::{Child, Command};

use crate::{
    command::{self, Variables, isolated},
    process::ChildProcess,
    pubsub::{MessageAttributes, PubsubClient, TestMessage},
    wait::{until, until_ok},
};

/// What the two stages of users read.
const SUBSCRIPTIONS: [&str; 2] = ["sync-tick-fan-out", "user-sync-worker"];

/// The servers, and the processes on them, which are killed when this is dropped.
#[derive(Debug)]
pub struct ServiceEnvironment {
    /// The servers.
    pub servers: SimulatedServers,
    /// The test's own way to their Pub/Sub, which is empty at first: the topology is the test's to
    /// make.
    pub pubsub: PubsubClient,
    binary: PathBuf,
    serving: Vec<ServingProcess>,
}

/// A process of the service that serves.
#[derive(Debug)]
pub struct ServingProcess {
    process: ChildProcess,
    port: u16,
}

impl ServiceEnvironment {
    /// Of these accounts and people, for that binary.
    pub async fn start(
        binary: &Path,
        accounts: Vec<SimulatedUser>,
        people: Vec<SimulatedPerson>,
        settings: ServerSettings,
    ) -> Self {
        let servers = SimulatedServers::of(accounts, people, settings)
            .await
            .unwrap();
        let host = servers.broker.as_ref().unwrap().host();
        Self {
            pubsub: PubsubClient::connect(&host, PROJECT, "").await,
            servers,
            binary: binary.to_owned(),
            serving: Vec::new(),
        }
    }

    /// Where its Pub/Sub is, the form of `PUBSUB_EMULATOR_HOST`.
    pub fn pubsub_host(&self) -> String {
        self.servers.broker.as_ref().unwrap().host()
    }

    /// Starts a process and waits until it is ready.
    pub async fn serve(&mut self, stages: &[&str], variables: Variables<'_>) -> &ServingProcess {
        let url = self.launch_serve(stages, variables).await.url("/readyz");
        until_ok(&url).await;
        self.serving.last().unwrap()
    }

    /// Starts a process and waits until it serves, ready or not.
    pub async fn launch_serve(
        &mut self,
        stages: &[&str],
        variables: Variables<'_>,
    ) -> &ServingProcess {
        let arguments = [&["serve"], stages, &["--log-format=json"]].concat();
        let mut command = self.command(&arguments, variables);
        command.env("PORT", "0").env("LOG_LEVEL", "info");
        let mut process = ChildProcess::spawn(&mut command);
        let port = process.port().await;
        self.serving.push(ServingProcess { process, port });
        self.serving.last().unwrap()
    }

    /// Starts `serve` with JSON lines for the test to read, and waits until it is ready.
    pub async fn serve_logged(&self, stages: &[&str], variables: Variables<'_>) -> ChildProcess {
        let mut process = self.spawn(&[&["serve"], stages].concat(), variables, "json");
        let port = process.port().await;
        until_ok(&format!("http://127.0.0.1:{port}/readyz")).await;
        process
    }

    /// Starts a command that stays, with a log of that format.
    pub fn spawn(
        &self,
        arguments: &[&str],
        variables: Variables<'_>,
        format: &str,
    ) -> ChildProcess {
        let mut command = self.command(arguments, variables);
        ChildProcess::spawn(command.args(["--log-format", format]))
    }

    /// Starts a command and waits for nothing.
    pub fn launch(&self, arguments: &[&str], variables: Variables<'_>) -> Child {
        let mut command = self.command(arguments, variables);
        command.stdout(Stdio::null()).spawn().unwrap()
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str], variables: Variables<'_>) -> Output {
        command::output(&mut self.command(arguments, variables)).await
    }

    /// A command of the service that is pointed at the servers.
    pub fn command(&self, arguments: &[&str], variables: Variables<'_>) -> Command {
        let mut command = isolated(&self.binary);
        command
            .args(arguments)
            .envs(self.servers.environment())
            .env("PORT", "0")
            .envs(variables.iter().copied());
        command
    }

    /// Publishes a tick's message.
    pub async fn tick(&self, tick: impl Serialize) -> String {
        self.publish("sync-tick", &tick).await
    }

    /// Publishes a user's message.
    pub async fn resync(&self, request: impl Serialize) -> String {
        self.publish("user-sync", &request).await
    }

    /// The same for one person.
    pub async fn resync_person(&self, crsid: &str) -> String {
        self.resync(serde_json::json!({ "crsid": crsid })).await
    }

    /// Publishes a message as the service's commands do, with a run of its own.
    pub async fn publish(&self, topic: &str, body: &impl Serialize) -> String {
        let body = serde_json::to_vec(body).unwrap();
        let run = uuid::Uuid::new_v4().simple().to_string();
        let attributes = [
            ("traceparent", format!("00-{run}-00f067aa0ba902b7-01")),
            ("run", run),
            ("kind", "test".to_owned()),
        ];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value));
        self.pubsub.publish(topic, &body, attributes.into()).await
    }

    /// Publishes bytes as they are.
    pub async fn publish_raw(&self, topic: &str, body: &[u8]) -> String {
        self.pubsub
            .publish(topic, body, MessageAttributes::new())
            .await
    }

    /// Waits until every tick and every user message that was published has been acked.
    pub async fn quiet(&self) {
        until("every message acked", async || self.is_quiet()).await;
    }

    /// Whether every tick and every user message that was published has been acked.
    pub fn is_quiet(&self) -> bool {
        SUBSCRIPTIONS.iter().all(|subscription| {
            let counts = self.counts(subscription);
            counts.published == counts.acked && counts.outstanding == 0 && counts.waiting == 0
        })
    }

    /// Ends the leases that processes left behind, which would else last for the ack deadline. None
    /// may run.
    pub async fn lapse_leases(&self) {
        let broker = self.servers.broker.as_ref().unwrap();
        for name in SUBSCRIPTIONS {
            until("the broker has noticed", async || {
                self.counts(name).streams == 0
            })
            .await;
            broker
                .lapse_leases(&self.pubsub.subscription(name))
                .unwrap();
        }
    }

    /// What became of a subscription's messages.
    pub fn counts(&self, subscription: &str) -> DeliveryCounts {
        let broker = self.servers.broker.as_ref().unwrap();
        let name = self.pubsub.subscription(subscription);
        broker.counts(&name).unwrap()
    }

    /// Makes a second subscription on the user messages, for a test to read.
    pub async fn copy_user_messages_to(&self, name: &str) {
        self.pubsub.subscribe(name, "user-sync").await;
    }

    /// The same on the records.
    pub async fn copy_outcomes_to(&self, name: &str) {
        self.pubsub.subscribe(name, "sync-outcome").await;
    }

    /// Takes some messages out of a subscription: body and attributes.
    pub async fn take(&self, name: &str) -> Vec<TestMessage> {
        self.pubsub.take(name).await
    }

    /// Takes exactly `count` dead letters out of the worker's hold subscription.
    pub async fn dead_letters(&self, hold: &str, count: u64) -> Vec<TestMessage> {
        until("all are dead-lettered", async || {
            self.counts(hold).published >= count
        })
        .await;
        let mut letters = Vec::new();
        while (letters.len() as u64) < count {
            letters.extend(self.take(hold).await);
        }
        assert_eq!(self.counts(hold).published, count);
        letters
    }

    /// How many accounts `plan` finds in scope.
    pub async fn in_scope(&self) -> u64 {
        let output = self.run(&["plan", "--output", "json"], &[]).await;
        let text = String::from_utf8(output.stdout).unwrap();
        let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        summary["in_scope"].as_u64().unwrap()
    }

    /// The state of an account.
    pub fn state(&self, id: u64) -> UserState {
        self.servers.gitlab.account(id).unwrap().state
    }

    /// Requests to GitLab that are not a GET.
    pub fn writes(&self) -> usize {
        self.servers.gitlab.control().writes()
    }

    /// How often GitLab was asked to block or unblock each account, by action and id.
    pub fn posts(&self) -> BTreeMap<(String, u64), usize> {
        let mut posts = BTreeMap::new();
        for entry in self.servers.gitlab.control().requests(0) {
            let path: Vec<&str> = entry.path.split('/').collect();
            if let ("POST", ["", "api", "v4", "users", id, action]) =
                (entry.method.as_str(), path.as_slice())
            {
                let post = ((*action).to_owned(), id.parse().unwrap());
                *posts.entry(post).or_default() += 1;
            }
        }
        posts
    }

    /// The process that was started as number `index`.
    pub fn serving(&mut self, index: usize) -> &mut ServingProcess {
        &mut self.serving[index]
    }
}

impl ServingProcess {
    /// The address of its HTTP port.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Asks it to stop and waits until it has; the exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        self.process.terminate().await
    }

    /// Kills it without warning.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }
}
