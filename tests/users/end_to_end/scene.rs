//! A GitLab, a Lookup and a Pub/Sub, and the service at work on them.

use std::{
    collections::BTreeMap,
    process::{Output, Stdio},
    time::Duration,
};

use google_cloud_googleapis::pubsub::v1::{
    AcknowledgeRequest, PullRequest, ReceivedMessage, Subscription,
};
use lookup_gitlab_sync::{
    config,
    messaging::{
        Connection, Topic, Topology, Traceparent, attributes,
        topology::RetryDelays,
        wire::{SyncTick, UserSync},
    },
};
use pubsub_emulator::DeliveryCounts;
use serde_json::Value;
use simulator::{
    gitlab::{Account, State},
    lookup::Person,
    population::Population,
    world::{PROJECT, Settings, World},
};
use testkit::wait::{PATIENCE, until};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// The servers, and who is connected to their Pub/Sub.
pub struct Scene {
    pub world: World,
    pub connection: Connection,
    serving: Vec<Serving>,
}

/// A process of the service.
pub struct Serving {
    child: Child,
    port: u16,
}

/// Variables for one process, over those that point it at the servers.
pub type Variables<'a> = &'a [(&'a str, &'a str)];

impl Scene {
    /// Of a made-up population.
    pub async fn of_population(population: &Population) -> Self {
        Self::of(population.accounts().to_vec(), population.people().to_vec()).await
    }

    /// Of these accounts and people. Redeliveries come at once.
    pub async fn of(accounts: Vec<Account>, people: Vec<Person>) -> Self {
        Self::with(accounts, people, Settings::default()).await
    }

    pub async fn with(accounts: Vec<Account>, people: Vec<Person>, settings: Settings) -> Self {
        let world = World::of(accounts, people, settings).await.unwrap();
        let connection = connect(&world).await;
        let at_once = RetryDelays {
            minimum: Duration::ZERO,
            maximum: Duration::ZERO,
        };
        Topology::new(&connection)
            .with_retry_delays(at_once)
            .apply()
            .await
            .unwrap();
        Self {
            world,
            connection,
            serving: Vec::new(),
        }
    }

    /// Starts a process and waits until it is ready.
    pub async fn serve(&mut self, stages: &[&str], variables: Variables<'_>) -> &Serving {
        let url = self.start(stages, variables).await.url("/readyz");
        until("ready", async || {
            reqwest::get(&url)
                .await
                .is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        self.serving.last().unwrap()
    }

    /// Starts a process and waits until it serves, ready or not.
    pub async fn start(&mut self, stages: &[&str], variables: Variables<'_>) -> &Serving {
        let mut command = self.command(&[&["serve"], stages].concat(), variables);
        command
            .env("PORT", "0")
            .env("LOG_LEVEL", "info")
            .stdout(Stdio::piped());
        let mut child = command.arg("--log-format=json").spawn().unwrap();
        let port = port_of(&mut child).await;
        self.serving.push(Serving { child, port });
        self.serving.last().unwrap()
    }

    /// Starts a command and waits for nothing.
    pub fn launch(&self, arguments: &[&str], variables: Variables<'_>) -> Child {
        let mut command = self.command(arguments, variables);
        command.stdout(Stdio::null()).spawn().unwrap()
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str], variables: Variables<'_>) -> Output {
        timeout(PATIENCE, self.command(arguments, variables).output())
            .await
            .expect("the command ends")
            .unwrap()
    }

    fn command(&self, arguments: &[&str], variables: Variables<'_>) -> Command {
        let mut command = testkit::command::isolated(testkit::service_binary!());
        command
            .args(arguments)
            .envs(self.world.environment())
            .env("PORT", "0")
            .envs(variables.iter().copied());
        command
    }

    pub async fn tick(&self, tick: SyncTick) -> String {
        self.publish(Topic::SyncTick, &tick).await
    }

    pub async fn resync(&self, request: UserSync) -> String {
        self.publish(Topic::UserSync, &request).await
    }

    pub async fn resync_person(&self, crsid: &str) -> String {
        self.resync(UserSync {
            crsid: Some(crsid.to_owned()),
            ..UserSync::default()
        })
        .await
    }

    async fn publish(&self, topic: Topic, body: &impl serde::Serialize) -> String {
        let attributes = attributes::for_message(&unique(), "test", &Traceparent::new());
        self.connection
            .publisher(topic)
            .await
            .unwrap()
            .publish(body, attributes)
            .await
            .unwrap()
    }

    /// Publishes bytes as they are.
    pub async fn publish_raw(&self, topic: Topic, body: &[u8]) -> String {
        let publisher = self.connection.publisher(topic).await.unwrap();
        publisher
            .publish_raw(body.to_vec().into(), BTreeMap::new())
            .await
            .unwrap()
    }

    /// Waits until every tick and every user message that was published has been acked.
    pub async fn quiet(&self) {
        until("every message acked", async || self.is_quiet()).await;
    }

    /// Whether every tick and every user message that was published has been acked.
    pub fn is_quiet(&self) -> bool {
        ["sync-tick-fan-out", "user-sync-worker"]
            .iter()
            .all(|subscription| {
                let counts = self.counts(subscription);
                counts.published == counts.acked && counts.outstanding == 0 && counts.waiting == 0
            })
    }

    /// Ends the leases that processes left behind, which would else last for the ack deadline. None may run.
    pub async fn lapse_leases(&self) {
        let broker = self.world.broker.as_ref().unwrap();
        for name in ["sync-tick-fan-out", "user-sync-worker"] {
            until("the broker has noticed", async || {
                self.counts(name).streams == 0
            })
            .await;
            broker.lapse_leases(&subscription(name)).unwrap();
        }
    }

    pub fn counts(&self, subscription: &str) -> DeliveryCounts {
        let broker = self.world.broker.as_ref().unwrap();
        broker.counts(&self::subscription(subscription)).unwrap()
    }

    /// Makes a second subscription on the user messages, for a test to read.
    pub async fn copy_user_messages_to(&self, name: &str) {
        self.copy_to(name, "user-sync").await;
    }

    /// The same on the records.
    pub async fn copy_outcomes_to(&self, name: &str) {
        self.copy_to(name, "sync-outcome").await;
    }

    async fn copy_to(&self, name: &str, topic: &str) {
        let subscription = Subscription {
            name: subscription(name),
            topic: format!("projects/{PROJECT}/topics/{topic}"),
            ack_deadline_seconds: 600,
            ..Subscription::default()
        };
        let request = self.connection.request(subscription).await.unwrap();
        self.connection
            .subscriptions()
            .create_subscription(request)
            .await
            .unwrap();
    }

    /// Takes some messages out of a subscription: body and attributes.
    pub async fn take(&self, name: &str) -> Vec<Message> {
        let request = PullRequest {
            subscription: subscription(name),
            max_messages: 1_000,
            ..PullRequest::default()
        };
        let request = self.connection.request(request).await.unwrap();
        let answer = self
            .connection
            .subscriptions()
            .pull(request)
            .await
            .unwrap()
            .into_inner();
        let ack_ids = answer
            .received_messages
            .iter()
            .map(|received| received.ack_id.clone())
            .collect();
        let acks = AcknowledgeRequest {
            subscription: subscription(name),
            ack_ids,
        };
        let acks = self.connection.request(acks).await.unwrap();
        self.connection
            .subscriptions()
            .acknowledge(acks)
            .await
            .unwrap();
        answer.received_messages.into_iter().map(message).collect()
    }

    /// Takes exactly `count` dead letters out of the worker's hold subscription.
    pub async fn dead_letters(&self, hold: &str, count: u64) -> Vec<Message> {
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
        let last = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .last()
            .unwrap()
            .to_owned();
        let summary: Value = serde_json::from_str(&last).unwrap();
        summary["in_scope"].as_u64().unwrap()
    }

    pub fn state(&self, id: u64) -> State {
        self.world.gitlab.account(id).unwrap().state
    }

    /// Requests to GitLab that are not a GET.
    pub fn writes(&self) -> usize {
        let control = self.world.gitlab.control();
        control.count("*", "*") - control.count("GET", "*")
    }

    /// How often GitLab was asked to block or unblock each account, by action and id.
    pub fn posts(&self) -> BTreeMap<(String, u64), usize> {
        let mut posts = BTreeMap::new();
        for entry in self.world.gitlab.control().requests(0) {
            let path: Vec<&str> = entry.path.split('/').collect();
            if let ("POST", ["", "api", "v4", "users", id, action]) =
                (entry.method.as_str(), path.as_slice())
            {
                *posts
                    .entry(((*action).to_owned(), id.parse().unwrap()))
                    .or_default() += 1;
            }
        }
        posts
    }

    /// The process that was started as number `index`.
    pub fn serving(&mut self, index: usize) -> &mut Serving {
        &mut self.serving[index]
    }
}

impl Serving {
    /// The address of its HTTP port.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks it to stop and waits until it has; the exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        let id = self.child.id().unwrap().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .await
                .unwrap()
                .success()
        );
        timeout(PATIENCE, self.child.wait())
            .await
            .expect("it stops")
            .unwrap()
            .code()
    }

    /// Kills it without warning.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A message as published: body and attributes.
pub type Message = (Vec<u8>, BTreeMap<String, String>);

fn message(received: ReceivedMessage) -> Message {
    let message = received.message.unwrap();
    (
        message.data.to_vec(),
        message.attributes.into_iter().collect(),
    )
}

fn subscription(name: &str) -> String {
    format!("projects/{PROJECT}/subscriptions/{name}")
}

/// A word that no other test uses.
pub fn unique() -> String {
    lookup_gitlab_sync::messaging::RunId::new().to_string()
}

async fn connect(world: &World) -> Connection {
    let config = config::PubSubConfig {
        project: PROJECT.to_owned(),
        emulator_host: world.broker.as_ref().map(pubsub_emulator::Broker::host),
        endpoint: None,
        prefix: String::new(),
    };
    Connection::open(&config).await.unwrap()
}

/// Reads the log until it says on which port it serves; the rest is read on, so that the process never waits for us.
async fn port_of(child: &mut Child) -> u16 {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    let port = timeout(PATIENCE, async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if event["event"] == "serving" {
                return event["port"].as_u64().unwrap().try_into().unwrap();
            }
            seen.push(line);
        }
        panic!("it ended before it served: {}", seen.join("\n"));
    });
    let port = port.await.expect("it serves");
    tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
    port
}
