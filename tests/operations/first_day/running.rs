//! A process that is left running, and every line it logs.

use serde_json::Value;
use testkit::{
    command::{Variables, isolated},
    process::Process,
    wait::{until, until_ok},
};

use super::scene::Scene;

/// A `serve` with what it has logged so far.
pub struct Running(Process);

impl Running {
    /// Starts `serve` with JSON lines, and waits until it is ready.
    pub async fn serve(scene: &Scene, stages: &[&str], variables: Variables<'_>) -> Self {
        let arguments = [&["serve"], stages].concat();
        let running = Self::start(scene, &arguments, variables, "json");
        let port = running.port().await;
        until_ok(&format!("http://127.0.0.1:{port}/readyz")).await;
        running
    }

    /// Starts a command that stays.
    pub fn start(
        scene: &Scene,
        arguments: &[&str],
        variables: Variables<'_>,
        format: &str,
    ) -> Self {
        let mut command = isolated(testkit::service_binary!());
        command
            .args(arguments)
            .args(["--log-format", format])
            .envs(scene.world.environment())
            .env("PORT", "0")
            .envs(variables.iter().copied());
        Self(Process::spawn(&mut command))
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
        self.0.lines()
    }

    /// Asks it to stop, which it must do well, and gives all its lines.
    pub async fn finish(mut self) -> Vec<String> {
        assert_eq!(self.0.terminate().await, Some(0), "{:?}", self.said());
        self.0.lines()
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
