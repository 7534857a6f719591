//! The simulated servers in a process of their own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::Stdio,
};

use jiff::{Timestamp, tz::TimeZone};
use lookup_gitlab_sync::{
    config,
    messaging::{Connection, Topic, Traceparent, attributes, wire::SyncTick},
};
use serde_json::{Value, json};
use simulator::population::{Expected, Population};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::binary;

/// The same accounts in every measurement of a size.
const SEED: u64 = 1;

/// What to start.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub users: usize,
    pub latency_ms: u64,
    pub requests_per_minute: Option<u32>,
    /// `--gitlab-cost`.
    pub cost: &'static str,
}

impl Settings {
    pub const fn of(users: usize, latency_ms: u64) -> Self {
        Self {
            users,
            latency_ms,
            requests_per_minute: None,
            cost: "free",
        }
    }
}

/// A GitLab, a Lookup and a Pub/Sub; they end when dropped.
pub struct Servers {
    _child: Child,
    _folder: TempDir,
    pub environment: Vec<(String, String)>,
    pub connection: Connection,
    gitlab: Http,
    lookup: Http,
    population: Population,
    start: BTreeMap<u64, Value>,
    cancelled_since: BTreeSet<u64>,
}

/// One request that a server was asked.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub status: Option<u16>,
    pub time: Timestamp,
}

/// One server, over its controls.
struct Http {
    url: String,
    client: reqwest::Client,
}

impl Http {
    async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await;
        answer
            .unwrap()
            .error_for_status()
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    async fn asked(&self) -> Vec<Asked> {
        serde_json::from_value(self.get("/simulate/requests").await).unwrap()
    }

    async fn delete(&self, path: &str) {
        let answer = self
            .client
            .delete(format!("{}{path}", self.url))
            .send()
            .await;
        answer.unwrap().error_for_status().unwrap();
    }
}

impl Servers {
    /// Starts them, and makes the topics and subscriptions.
    pub async fn start(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("environment");
        let mut command = Command::new(binary::service());
        command
            .args(["simulate", "--users", &settings.users.to_string()])
            .args(["--seed", &SEED.to_string()])
            .args(["--latency", &format!("{}ms", settings.latency_ms)])
            .args(["--gitlab-cost", settings.cost])
            .arg("--env-file")
            .arg(&file);
        if let Some(limit) = settings.requests_per_minute {
            command.args(["--requests-per-minute", &limit.to_string()]);
        }
        let mut child = command
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready: Value =
            serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
        let environment = environment_in(&file);
        let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
        let http = |name: &str| Http {
            url: ready[name].as_str().unwrap().to_owned(),
            client: reqwest::Client::new(),
        };
        let mut servers = Self {
            _child: child,
            _folder: folder,
            connection: connect(ready["pubsub"].as_str().unwrap()).await,
            environment,
            gitlab: http("gitlab"),
            lookup: http("lookup"),
            population: Population::generate(settings.users, SEED, today),
            start: BTreeMap::new(),
            cancelled_since: BTreeSet::new(),
        };
        binary::run(&["topology", "apply"], &servers.environment).await;
        servers.take_out_the_unclear().await;
        servers.start = servers.accounts().await;
        servers.forget().await;
        servers
    }

    /// The population has people whose `cancelled` is no boolean. The published client of the
    /// baseline takes no answer with one of them in it, so nobody has them here; to be unknown to
    /// Lookup has the same end.
    async fn take_out_the_unclear(&self) {
        for person in self.lookup.get("/simulate/state").await["people"]
            .as_array()
            .unwrap()
        {
            if !person["cancelled"].is_boolean() {
                let crsid = person["identifier"]["value"].as_str().unwrap();
                self.lookup
                    .delete(&format!("/simulate/people/{crsid}"))
                    .await;
            }
        }
    }

    /// Forgets what was asked so far.
    pub async fn forget(&self) {
        self.gitlab.delete("/simulate/requests").await;
        self.gitlab.delete("/simulate/cost").await;
        self.lookup.delete("/simulate/requests").await;
    }

    /// What GitLab was asked since the last [`Self::forget`].
    pub async fn gitlab_asked(&self) -> Vec<Asked> {
        self.gitlab.asked().await
    }

    /// What Lookup was asked, the token included.
    pub async fn lookup_asked(&self) -> Vec<Asked> {
        self.lookup.asked().await
    }

    /// Seconds of GitLab's processors since the last [`Self::forget`], or what its answers would
    /// have cost.
    pub async fn gitlab_spent(&self) -> f64 {
        let spent = self.gitlab.get("/simulate/cost").await;
        spent["seconds"].as_f64().unwrap()
    }

    pub fn gitlab_url(&self) -> &str {
        &self.gitlab.url
    }

    pub fn population(&self) -> &Population {
        &self.population
    }

    /// GitLab's rows by id.
    async fn accounts(&self) -> BTreeMap<u64, Value> {
        let mut state = self.gitlab.get("/simulate/state").await;
        let Value::Array(rows) = state["users"].take() else {
            panic!("no users in the state");
        };
        rows.into_iter()
            .map(|row| (row["id"].as_u64().unwrap(), row))
            .collect()
    }

    /// Cancels so many members who can sign in and are to be left alone so far.
    pub async fn cancel(&mut self, members: usize) {
        let open: Vec<(u64, String)> = self
            .population
            .accounts()
            .iter()
            .filter(|account| self.population.origins()[&account.id].case == "bulk_member")
            .map(|account| (account.id, account.username.clone()))
            .filter(|(id, _)| !self.cancelled_since.contains(id))
            .take(members)
            .collect();
        assert_eq!(open.len(), members, "too few members to cancel");
        for (id, crsid) in open {
            let url = format!("{}/simulate/people/{crsid}", self.lookup.url);
            let answer = self
                .lookup
                .client
                .put(url)
                .json(&json!({"cancelled": true}))
                .send()
                .await;
            answer.unwrap().error_for_status().unwrap();
            self.cancelled_since.insert(id);
        }
    }

    /// Asserts that each account is as it has to be.
    ///
    /// # Panics
    /// If one is not: then the measurement says nothing.
    pub async fn check_end(&self) {
        let end = self.accounts().await;
        assert_eq!(end.len(), self.start.len());
        for (id, after) in &end {
            let before = &self.start[id];
            let expected = self.population.expected().get(id);
            let cancelled = self.cancelled_since.contains(id);
            let as_expected = match expected {
                _ if cancelled => is_blocked(after, "cancelled_in_lookup"),
                Some(Expected::Blocked { reason } | Expected::Contested { reason }) => {
                    is_blocked(after, reason.as_str())
                }
                Some(Expected::Unblocked) => after["state"] == "active",
                Some(Expected::Untouched | Expected::Refused) | None => {
                    after["state"] == before["state"]
                        && after["custom_attributes"] == before["custom_attributes"]
                }
            };
            assert!(
                as_expected,
                "expected {expected:?}\nbefore {before}\nafter {after}"
            );
        }
    }

    /// Publishes a tick that may block any share.
    pub async fn tick(&self) {
        let tick = SyncTick {
            max_block_percent: Some(100.0),
            max_unblock_percent: Some(100.0),
            reason: Some("measurement".to_owned()),
            ..SyncTick::default()
        };
        let run = lookup_gitlab_sync::messaging::RunId::new();
        let attributes = attributes::for_message(run.as_str(), "sync_tick", &Traceparent::new());
        let publisher = self.connection.publisher(Topic::SyncTick).await.unwrap();
        publisher.publish(&tick, attributes).await.unwrap();
    }
}

fn is_blocked(row: &Value, reason: &str) -> bool {
    let marker = row["custom_attributes"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|attribute| attribute["key"] == "lookup_gitlab_sync")
        .and_then(|attribute| serde_json::from_str::<Value>(attribute["value"].as_str()?).ok());
    row["state"] == "blocked" && marker.is_some_and(|marker| marker["reason"] == reason)
}

/// `export NAME='value'`, a line each; no value has a quote in it.
fn environment_in(file: &PathBuf) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(file).unwrap();
    let pair = |line: &str| {
        let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
        Some((name.to_owned(), value.trim_matches('\'').to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

async fn connect(host: &str) -> Connection {
    let config = config::PubSubConfig {
        project: simulator::servers::PROJECT.to_owned(),
        emulator_host: Some(host.to_owned()),
        endpoint: None,
        prefix: String::new(),
    };
    Connection::open(&config).await.unwrap()
}
