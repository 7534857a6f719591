//! The real binary at `LOG_LEVEL=trace`, and every byte that left it.

use std::{ops::Deref, process::Output, sync::Mutex};

use serde_json::Value;
use simulator::{control::InjectedFault, gitlab::SimulatedUser, lookup::SimulatedPerson};
use testkit::{
    command::Variables,
    environment::ServiceEnvironment,
    process::{ChildProcess, Transcript},
    wait::until,
};

use crate::support::environment;

/// The servers, and what the processes on them have said.
pub struct RecordedEnvironment {
    environment: ServiceEnvironment,
    said: Mutex<Vec<Said>>,
    serving: Mutex<Vec<Transcript>>,
}

/// Where bytes came from, and they.
type Said = (String, Vec<u8>);

/// A process that serves; killed when dropped.
pub struct RecordedProcess {
    process: ChildProcess,
    port: u16,
}

impl Deref for RecordedEnvironment {
    type Target = ServiceEnvironment;

    fn deref(&self) -> &ServiceEnvironment {
        &self.environment
    }
}

impl RecordedEnvironment {
    pub async fn of(accounts: Vec<SimulatedUser>, people: Vec<SimulatedPerson>) -> Self {
        Self {
            environment: environment(accounts, people).await,
            said: Mutex::default(),
            serving: Mutex::default(),
        }
    }

    /// Runs a command to its end, and keeps what it said.
    pub async fn run(&self, arguments: &[&str], variables: Variables<'_>) -> Output {
        let traced = [&[("LOG_LEVEL", "trace")], variables].concat();
        let output = self.environment.run(arguments, &traced).await;
        let name = format!("{arguments:?} {variables:?}");
        self.keep(format!("stdout of {name}"), &output.stdout);
        self.keep(format!("stderr of {name}"), &output.stderr);
        output
    }

    /// Starts a process that serves, and waits until it says on which port.
    pub async fn serve(&self, variables: Variables<'_>) -> RecordedProcess {
        let traced = [&[("LOG_LEVEL", "trace")], variables].concat();
        let mut process = self.environment.spawn(&["serve"], &traced, "json");
        self.serving.lock().unwrap().push(process.transcript());
        let port = process.port().await;
        RecordedProcess { process, port }
    }

    /// What `process` shows on its HTTP port, kept as said.
    pub async fn ask(&self, process: &RecordedProcess, path: &str) -> u16 {
        let url = format!("http://127.0.0.1:{}{path}", process.port);
        let answer = reqwest::get(url).await.unwrap();
        let status = answer.status().as_u16();
        self.keep(path.to_owned(), &answer.bytes().await.unwrap());
        status
    }

    /// Takes every message out of a subscription, keeps attributes and, where `whole`, bodies as
    /// said; how many.
    pub async fn take(&self, name: &str, whole: bool) -> usize {
        let mut taken = 0;
        while self.counts(name).waiting > 0 {
            for (body, attributes) in self.pubsub.take(name).await {
                self.keep(name.to_owned(), format!("{attributes:?}").as_bytes());
                if whole {
                    self.keep(name.to_owned(), &body);
                }
                taken += 1;
            }
        }
        taken
    }

    /// One answer of GitLab and of Lookup each way a server can fail.
    pub fn fail(&self, fault: &InjectedFault) {
        self.servers.gitlab.control().inject(fault.clone()).unwrap();
        self.servers.lookup.control().inject(fault.clone()).unwrap();
    }

    pub fn heal(&self) {
        self.servers.gitlab.control().clear_faults();
        self.servers.lookup.control().clear_faults();
    }

    /// The log of processes that served and have ended.
    pub async fn log(&self) -> Vec<Value> {
        let last = |line: &Value| line["event"] == "stopped";
        let mut lines = Vec::new();
        until("the log is read to its end", async || {
            let said = self.said().into_iter();
            lines = said
                .filter(|(from, _)| from == "stdout of serve")
                .map(|(_, line)| serde_json::from_slice(&line).unwrap())
                .collect();
            lines.iter().any(last)
        })
        .await;
        lines
    }

    /// Everything that was said so far; of what served, line by line.
    pub fn said(&self) -> Vec<Said> {
        let mut said = self.said.lock().unwrap().clone();
        for transcript in self.serving.lock().unwrap().iter() {
            said.extend(transcript.lines().into_iter().map(|line| {
                let stream = if line.is_error { "stderr" } else { "stdout" };
                (format!("{stream} of serve"), line.bytes)
            }));
        }
        said
    }

    fn keep(&self, from: String, bytes: &[u8]) {
        self.said.lock().unwrap().push((from, bytes.to_vec()));
    }
}

impl RecordedProcess {
    /// Asks it to stop and waits until it has; the exit code.
    pub async fn terminate(mut self) -> Option<i32> {
        self.process.terminate().await
    }
}
