//! The service on an emulator: its topics and subscriptions as `topology apply` makes them, and
//! `serve` at work.

use lookup_gitlab_sync::{
    config,
    messaging::{Connection, RunId},
};
use serde_json::Value;
use simulator::{
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
    servers::{ServerSettings, SimulatedServers},
};
use tempfile::TempDir;
use testkit::{
    command::{self, isolated},
    process::ChildProcess,
    wait::until,
};
use tokio::process::Command;

pub struct Service {
    pub servers: SimulatedServers,
    pub connection: Connection,
    variables: Vec<(&'static str, String)>,
    serving: ChildProcess,
    folder: TempDir,
}

impl Service {
    /// Everything, from a project in which there is nothing.
    pub async fn start(
        host: &str,
        accounts: Vec<SimulatedUser>,
        people: Vec<SimulatedPerson>,
    ) -> Self {
        let settings = ServerSettings {
            pubsub_port: None,
            ..ServerSettings::default()
        };
        let servers = SimulatedServers::of(accounts, people, settings)
            .await
            .unwrap();
        let unique = RunId::new();
        let project = format!("p-{unique}");
        let prefix = format!("t{unique}-");
        let mut variables = servers.environment();
        variables.extend([
            ("PUBSUB_EMULATOR_HOST", host.to_owned()),
            ("GOOGLE_CLOUD_PROJECT", project.clone()),
            ("LOOKUP_GITLAB_SYNC__PUBSUB__PREFIX", prefix.clone()),
        ]);
        let folder = tempfile::tempdir().unwrap();
        succeed(&variables, &folder, &["topology", "apply"]).await;
        succeed(&variables, &folder, &["topology", "check"]).await;
        let connection = Connection::open(&config::PubSubConfig {
            project,
            emulator_host: Some(host.to_owned()),
            endpoint: None,
            prefix,
        })
        .await
        .unwrap();
        let mut serve = command(&variables, &folder, &["serve"]);
        let serving = ChildProcess::spawn(serve.env("PORT", "0"));
        Self {
            servers,
            connection,
            variables,
            serving,
            folder,
        }
    }

    /// Runs a command that must succeed; its lines of JSON.
    pub async fn succeed(&self, arguments: &[&str]) -> Vec<Value> {
        succeed(&self.variables, &self.folder, arguments).await
    }

    /// Runs a command that must fail; its lines of JSON.
    pub async fn fail(&self, arguments: &[&str]) -> Vec<Value> {
        let output = command::output(&mut command(&self.variables, &self.folder, arguments)).await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        rows(&String::from_utf8(output.stdout).unwrap())
    }

    /// The dead letters, once there are so many.
    pub async fn dead_letters(&self, count: usize) -> Vec<Value> {
        let list = [
            "dead-letters",
            "list",
            "--topic",
            "user-sync",
            "--output=json",
        ];
        let mut listed = Vec::new();
        until(format_args!("{count} dead letters"), async || {
            listed = self.succeed(&list).await;
            listed.len() == count
        })
        .await;
        listed
    }

    pub fn state(&self, id: u64) -> UserState {
        self.servers.gitlab.account(id).unwrap().state
    }

    /// Requests to GitLab that are not a GET.
    pub fn writes(&self) -> usize {
        self.servers.gitlab.control().writes()
    }

    /// Asks `serve` to stop, which it must do well.
    pub async fn stop(self) {
        self.serving.finish().await;
    }
}

fn command(variables: &[(&'static str, String)], folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = isolated(testkit::service_binary!());
    command
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(folder.path());
    command
}

async fn succeed(
    variables: &[(&'static str, String)],
    folder: &TempDir,
    arguments: &[&str],
) -> Vec<Value> {
    rows(&command::succeed(&mut command(variables, folder, arguments)).await)
}

fn rows(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}
