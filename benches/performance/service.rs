//! The service at work, as its process and its metrics show it.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::{binary, process::Process, servers::Servers};

/// How often a condition is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// The longest a measurement may take.
const PATIENCE: Duration = Duration::from_mins(20);
/// Reasons to keep an account that no message is published for.
const OUT_OF_SCOPE: [&str; 3] = ["exempt", "not_human", "out_of_scope"];

/// A process of the service; it is killed when dropped.
pub struct Service {
    _child: Child,
    pub process: Process,
    url: String,
    client: reqwest::Client,
}

/// Counters as `/metrics` tells them, by the whole name with its labels.
pub struct Counters(BTreeMap<String, f64>);

impl Service {
    /// Starts `serve` with these stages, and returns when it is ready, with the time that took.
    pub async fn start(
        servers: &Servers,
        stages: &[&str],
        extra: &[(&str, &str)],
    ) -> (Self, Duration) {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut command = Command::new(binary::service());
        command
            .arg("serve")
            .args(stages)
            .arg("--log-format=json")
            .env_clear()
            .envs(servers.environment.iter().cloned())
            .envs(extra.iter().copied())
            .env("PORT", port.to_string())
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let began = Instant::now();
        let child = command.spawn().unwrap();
        let service = Self {
            process: Process::of(child.id().unwrap()),
            _child: child,
            url: format!("http://127.0.0.1:{port}"),
            client: reqwest::Client::new(),
        };
        while !service.is_ready().await {
            assert!(began.elapsed() < PATIENCE, "it does not get ready");
            sleep(Duration::from_millis(1)).await;
        }
        (service, began.elapsed())
    }

    async fn is_ready(&self) -> bool {
        let answer = self.client.get(format!("{}/readyz", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    pub async fn counters(&self) -> Counters {
        let answer = self
            .client
            .get(format!("{}/metrics", self.url))
            .send()
            .await;
        Counters::read(&answer.unwrap().text().await.unwrap())
    }

    /// Publishes a tick and waits until each of its messages is done; how long that took.
    pub async fn run(&self, servers: &Servers) -> Duration {
        let before = self.counters().await;
        let began = Instant::now();
        servers.tick().await;
        loop {
            let now = self.counters().await;
            assert!(
                now.dead_letters() <= before.dead_letters(),
                "a message was given up"
            );
            let swept = now.done("fan-out") > before.done("fan-out");
            let published = now.in_scope() - before.in_scope();
            if swept && now.done("user-worker") - before.done("user-worker") >= published {
                return began.elapsed();
            }
            assert!(began.elapsed() < PATIENCE, "the run does not end");
            sleep(LOOK_AGAIN).await;
        }
    }
}

impl Counters {
    fn read(text: &str) -> Self {
        let counters = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let (name, value) = line.rsplit_once(' ')?;
                Some((name.to_owned(), value.parse().ok()?))
            });
        Self(counters.collect())
    }

    fn sum(&self, metric: &str, keep: impl Fn(&str) -> bool) -> f64 {
        let of_metric = self
            .0
            .iter()
            .filter(|(name, _)| name.starts_with(metric) && keep(name));
        of_metric.map(|(_, value)| value).sum()
    }

    /// Messages that a stage has done.
    pub fn done(&self, stage: &str) -> f64 {
        let stage = format!("stage=\"{stage}\"");
        self.sum("sync_messages_total{", |name| {
            name.contains(&stage) && name.contains("disposition=\"done\"")
        })
    }

    fn dead_letters(&self) -> f64 {
        self.sum("sync_dead_letters_total{", |_| true)
    }

    /// Decisions about accounts that have messages.
    fn in_scope(&self) -> f64 {
        self.sum("sync_decisions_total{", |name| {
            !OUT_OF_SCOPE
                .iter()
                .any(|reason| name.contains(&format!("reason=\"{reason}\"")))
        })
    }
}
