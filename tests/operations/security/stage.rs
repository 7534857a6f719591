//! The real binary at `LOG_LEVEL=trace`, and every byte that left it.

use std::{
    process::{Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use google_cloud_googleapis::pubsub::v1::{AcknowledgeRequest, PullRequest, Subscription};
use lookup_gitlab_sync::{
    config,
    messaging::{Connection, Topology, topology::RetryDelays},
};
use pubsub_emulator::Broker;
use serde_json::Value;
use simulator::{
    control::Fault,
    gitlab::Account,
    lookup::Person,
    world::{PROJECT, Settings, World},
};
use testkit::wait::{PATIENCE, until};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::timeout,
};

/// Variables for one process, over those that point it at the servers.
pub type Variables<'a> = &'a [(&'a str, &'a str)];

/// The servers, and what the processes on them have said.
pub struct Stage {
    pub world: World,
    pub connection: Connection,
    said: Said,
}

/// Bytes, each run of them with the name of where they came from.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<Vec<Run>>>);

/// Where bytes came from, and they.
type Run = (String, Vec<u8>);

/// A process that serves; killed when dropped.
pub struct Serving {
    child: Child,
    port: u16,
}

impl Stage {
    pub async fn of(accounts: Vec<Account>, people: Vec<Person>) -> Self {
        let world = World::of(accounts, people, Settings::default())
            .await
            .unwrap();
        let config = config::PubSubConfig {
            endpoint: None,
            project: PROJECT.to_owned(),
            emulator_host: world.broker.as_ref().map(Broker::host),
            prefix: String::new(),
        };
        let connection = Connection::open(&config).await.unwrap();
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
            said: Said::default(),
        }
    }

    /// Runs a command to its end, and keeps what it said.
    pub async fn run(&self, arguments: &[&str], variables: Variables<'_>) -> Output {
        let output = timeout(PATIENCE, self.command(arguments, variables).output())
            .await
            .expect("the command ends")
            .unwrap();
        let name = format!("{arguments:?} {variables:?}");
        self.said.add(&format!("stdout of {name}"), &output.stdout);
        self.said.add(&format!("stderr of {name}"), &output.stderr);
        output
    }

    /// Starts a process that serves, and waits until it says on which port.
    pub async fn serve(&self, variables: Variables<'_>) -> Serving {
        let mut command = self.command(&["serve", "--log-format=json"], variables);
        command.env("PORT", "0");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = Said::default();
        output.follow("stdout of serve", child.stdout.take().unwrap(), &self.said);
        Said::default().follow("stderr of serve", child.stderr.take().unwrap(), &self.said);
        let mut port = None;
        until("it serves", async || {
            port = output.lines().into_iter().find_map(|line| {
                let line: Value = serde_json::from_str(&line).ok()?;
                (line["event"] == "serving").then(|| line["port"].as_u64())?
            });
            port.is_some()
        })
        .await;
        let port = u16::try_from(port.unwrap()).unwrap();
        Serving { child, port }
    }

    fn command(&self, arguments: &[&str], variables: Variables<'_>) -> Command {
        let mut command = testkit::command::isolated(testkit::service_binary!());
        command
            .args(arguments)
            .envs(self.world.environment())
            .env("LOG_LEVEL", "trace")
            .envs(variables.iter().copied());
        command
    }

    /// What `process` shows on its HTTP port, kept as said.
    pub async fn ask(&self, process: &Serving, path: &str) -> u16 {
        let url = format!("http://127.0.0.1:{}{path}", process.port);
        let answer = reqwest::get(url).await.unwrap();
        let status = answer.status().as_u16();
        self.said.add(path, &answer.bytes().await.unwrap());
        status
    }

    /// Makes a subscription on `topic` for [`Self::take`].
    pub async fn watch(&self, topic: &str, name: &str) {
        let subscription = Subscription {
            name: format!("projects/{PROJECT}/subscriptions/{name}"),
            topic: format!("projects/{PROJECT}/topics/{topic}"),
            ack_deadline_seconds: 600,
            ..Subscription::default()
        };
        let request = self.connection.request(subscription).await.unwrap();
        let mut api = self.connection.subscriptions();
        api.create_subscription(request).await.unwrap();
    }

    /// Takes every message out of a subscription, keeps attributes and, where `whole`, bodies as said; how many.
    pub async fn take(&self, name: &str, whole: bool) -> usize {
        let subscription = format!("projects/{PROJECT}/subscriptions/{name}");
        let mut taken = 0;
        let broker = self.world.broker.as_ref().unwrap();
        while broker.counts(&subscription).unwrap().waiting > 0 {
            let pull = PullRequest {
                subscription: subscription.clone(),
                max_messages: 1_000,
                ..PullRequest::default()
            };
            let request = self.connection.request(pull).await.unwrap();
            let mut api = self.connection.subscriptions();
            let received = api.pull(request).await.unwrap().into_inner();
            let mut ack_ids = Vec::new();
            for message in received.received_messages {
                ack_ids.push(message.ack_id);
                let message = message.message.unwrap();
                self.said
                    .add(name, format!("{:?}", message.attributes).as_bytes());
                if whole {
                    self.said.add(name, &message.data);
                }
                taken += 1;
            }
            let ack = AcknowledgeRequest {
                subscription: subscription.clone(),
                ack_ids,
            };
            let request = self.connection.request(ack).await.unwrap();
            api.acknowledge(request).await.unwrap();
        }
        taken
    }

    /// Waits until every tick and every user message was acked.
    pub async fn quiet(&self) {
        let broker = self.world.broker.as_ref().unwrap();
        until("every message acked", async || {
            ["sync-tick-fan-out", "user-sync-worker"]
                .iter()
                .all(|name| {
                    let name = format!("projects/{PROJECT}/subscriptions/{name}");
                    let counts = broker.counts(&name).unwrap();
                    counts.published == counts.acked && counts.outstanding + counts.waiting == 0
                })
        })
        .await;
    }

    /// One answer of GitLab and of Lookup each way a server can fail.
    pub fn fail(&self, fault: &Fault) {
        self.world.gitlab.control().inject(fault.clone()).unwrap();
        self.world.lookup.control().inject(fault.clone()).unwrap();
    }

    pub fn heal(&self) {
        self.world.gitlab.control().clear_faults();
        self.world.lookup.control().clear_faults();
    }

    /// The log of processes that served and have ended.
    pub async fn log(&self) -> Vec<Value> {
        let last = |line: &Value| line["event"] == "stopped";
        let mut lines = Vec::new();
        until("the log is read to its end", async || {
            lines = self
                .said()
                .iter()
                .filter(|(from, _)| from == "stdout of serve")
                .flat_map(|(_, bytes)| {
                    bytes
                        .split(|byte| *byte == b'\n')
                        .filter(|line| !line.is_empty())
                        .map(|line| serde_json::from_slice(line).unwrap())
                        .collect::<Vec<Value>>()
                })
                .collect();
            lines.iter().any(last)
        })
        .await;
        lines
    }

    /// Everything that was said so far.
    pub fn said(&self) -> Vec<(String, Vec<u8>)> {
        self.said.0.lock().unwrap().clone()
    }
}

impl Said {
    fn add(&self, from: &str, bytes: &[u8]) {
        self.0
            .lock()
            .unwrap()
            .push((from.to_owned(), bytes.to_vec()));
    }

    /// Reads `stream` to its end, into this and into `all`.
    fn follow(
        &self,
        from: &'static str,
        mut stream: impl AsyncRead + Unpin + Send + 'static,
        all: &Self,
    ) {
        let (own, all) = (self.clone(), all.clone());
        tokio::spawn(async move {
            let mut buffer = vec![0; 1 << 16];
            let mut kept: Vec<u8> = Vec::new();
            while let Ok(count) = stream.read(&mut buffer).await {
                kept.extend_from_slice(&buffer[..count]);
                // Whole lines only, so that nothing looked for is cut in two.
                let end = kept.iter().rposition(|byte| *byte == b'\n');
                let whole: Vec<u8> = match end {
                    Some(end) => kept.drain(..=end).collect(),
                    None if count == 0 => std::mem::take(&mut kept),
                    None => continue,
                };
                own.add(from, &whole);
                all.add(from, &whole);
                if count == 0 {
                    break;
                }
            }
        });
    }

    fn lines(&self) -> Vec<String> {
        let runs = self.0.lock().unwrap();
        runs.iter()
            .flat_map(|(_, bytes)| {
                String::from_utf8_lossy(bytes)
                    .lines()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

impl Serving {
    /// Asks it to stop and waits until it has; the exit code.
    pub async fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().unwrap().to_string();
        let mut kill = Command::new("kill");
        assert!(kill.args(["-TERM", &id]).status().await.unwrap().success());
        let ended = timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it stops").unwrap().code()
    }
}
