//! The service on an emulator: its topics and subscriptions as `topology apply` makes them, and
//! `serve` at work.

use std::{process::Stdio, time::Duration};

use lookup_gitlab_sync::{
    config,
    messaging::{Connection, RunId},
};
use serde_json::Value;
use simulator::{
    gitlab::{Account, State},
    lookup::Person,
    world::{Settings, World},
};
use tempfile::TempDir;
use testkit::wait::PATIENCE;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

pub struct Service {
    pub world: World,
    pub connection: Connection,
    variables: Vec<(&'static str, String)>,
    serving: Child,
    folder: TempDir,
}

impl Service {
    /// Everything, from a project in which there is nothing.
    pub async fn start(host: &str, accounts: Vec<Account>, people: Vec<Person>) -> Self {
        let settings = Settings {
            pubsub_port: None,
            ..Settings::default()
        };
        let world = World::of(accounts, people, settings).await.unwrap();
        let unique = RunId::new();
        let project = format!("p-{unique}");
        let prefix = format!("t{unique}-");
        let mut variables = world.environment();
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
        let serving = command(&variables, &folder, &["serve"])
            .env("PORT", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            world,
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

    /// The dead letters, once there are so many.
    pub async fn dead_letters(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let listed = self
                .succeed(&[
                    "dead-letters",
                    "list",
                    "--topic",
                    "user-sync",
                    "--output",
                    "json",
                ])
                .await;
            if listed.len() == count {
                return listed;
            }
            assert!(Instant::now() < deadline, "{listed:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    pub fn state(&self, id: u64) -> State {
        self.world.gitlab.account(id).unwrap().state
    }

    /// Requests to GitLab that are not a GET.
    pub fn writes(&self) -> usize {
        let control = self.world.gitlab.control();
        control.count("*", "*") - control.count("GET", "*")
    }

    /// Asks `serve` to stop, which it must do well.
    pub async fn stop(mut self) {
        let id = self.serving.id().expect("it still runs").to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(sent.unwrap().success());
        let ended = timeout(PATIENCE, self.serving.wait())
            .await
            .expect("it stops");
        assert_eq!(ended.unwrap().code(), Some(0));
    }
}

fn command(variables: &[(&'static str, String)], folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = testkit::command::isolated(testkit::service_binary!());
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
    let output = timeout(PATIENCE, command(variables, folder, arguments).output())
        .await
        .expect("the command ends")
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}
