//! A process that is left running, and every line it logs.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use super::scene::{PATIENCE, Scene, Variables, until};

/// A `serve` with what it has logged so far.
pub struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reading: [JoinHandle<()>; 2],
}

impl Running {
    /// Starts `serve` with JSON lines, and waits until it is ready.
    pub async fn serve(scene: &Scene, stages: &[&str], variables: Variables<'_>) -> Self {
        let arguments = [&["serve"], stages].concat();
        let running = Self::start(scene, &arguments, variables, "json");
        running.ready(scene).await;
        running
    }

    /// Starts a command that stays.
    pub fn start(
        scene: &Scene,
        arguments: &[&str],
        variables: Variables<'_>,
        format: &str,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lookup-gitlab-sync"));
        command
            .args(arguments)
            .args(["--log-format", format])
            .env_clear()
            .envs(testkit::clock::variables())
            .envs(scene.world.environment())
            .env("PORT", "0")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = Arc::default();
        let output = keep(child.stdout.take().unwrap(), &lines);
        let error = keep(child.stderr.take().unwrap(), &lines);
        Self {
            child,
            lines,
            reading: [output, error],
        }
    }

    async fn ready(&self, _: &Scene) {
        let port = self.port().await;
        let url = format!("http://127.0.0.1:{port}/readyz");
        until("ready", async || {
            reqwest::get(&url)
                .await
                .is_ok_and(|answer| answer.status() == 200)
        })
        .await;
    }

    /// The port, as it says itself in either form.
    pub async fn port(&self) -> u16 {
        let number = regex::Regex::new("serving on port ([0-9]+)").unwrap();
        let mut port = None;
        until("it serves", async || {
            let said = self.said().join("\n");
            port = number
                .captures(&said)
                .map(|found| found[1].parse().unwrap());
            port.is_some()
        })
        .await;
        port.unwrap()
    }

    /// The lines so far.
    pub fn said(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Asks it to stop, which it must do well, and gives all its lines.
    pub async fn finish(mut self) -> Vec<String> {
        let id = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(sent.unwrap().success());
        let ended = timeout(PATIENCE, self.child.wait())
            .await
            .expect("it stops");
        assert_eq!(ended.unwrap().code(), Some(0), "{:?}", self.said());
        for reading in self.reading {
            reading.await.unwrap();
        }
        self.lines.lock().unwrap().clone()
    }

    /// [`Self::finish`], with the lines as JSON.
    pub async fn stop(self) -> Vec<Value> {
        let lines = self.finish().await;
        lines
            .iter()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }
}

fn keep(
    stream: impl AsyncRead + Send + Unpin + 'static,
    lines: &Arc<Mutex<Vec<String>>>,
) -> JoinHandle<()> {
    let lines = Arc::clone(lines);
    tokio::spawn(async move {
        let mut read = BufReader::new(stream).lines();
        while let Some(line) = read.next_line().await.unwrap() {
            lines.lock().unwrap().push(line);
        }
    })
}
