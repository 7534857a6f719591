//! Google's Pub/Sub emulator, where it is installed.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use google_cloud_googleapis::pubsub::v1::{ListTopicsRequest, publisher_client::PublisherClient};

use crate::{port::free_port, wait::until};

const SDK_PLACES: [&str; 5] = ["/usr/lib", "/usr/local", "/usr/share", "/opt", "/snap"];
const JAR_FOLDER: &str = "google-cloud-sdk/platform/pubsub-emulator/lib";

/// A running emulator; dropping it ends it, also when a test panics.
#[derive(Debug)]
pub struct GoogleEmulator {
    process: Child,
    host: String,
}

impl GoogleEmulator {
    /// Starts the emulator on a free port. `None` where it is not installed; a line says so.
    ///
    /// # Panics
    /// If it is installed and does not come up.
    pub async fn start() -> Option<Self> {
        let Some(jar) = jar() else {
            eprintln!(
                "Google's Pub/Sub emulator is not installed here: its part of the suite is not run"
            );
            return None;
        };
        for _ in 0..3 {
            if let Some(emulator) = Self::launch(&jar).await {
                return Some(emulator);
            }
        }
        panic!("{} does not come up", jar.display());
    }

    /// `127.0.0.1:port`, the form of `PUBSUB_EMULATOR_HOST`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// `None` if the process ended, as it does when somebody else took the port meanwhile.
    async fn launch(jar: &Path) -> Option<Self> {
        let port = free_port();
        let process = Command::new("java")
            .args(["-Xmx1g", "-jar"])
            .arg(jar)
            .args(["--host=127.0.0.1", &format!("--port={port}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the emulator is installed, so java is");
        let mut emulator = Self {
            process,
            host: format!("127.0.0.1:{port}"),
        };
        let mut ended = false;
        until("the emulator answers", async || {
            ended = emulator.process.try_wait().unwrap().is_some();
            ended || emulator.answers().await
        })
        .await;
        (!ended).then_some(emulator)
    }

    async fn answers(&self) -> bool {
        let Ok(mut publisher) = PublisherClient::connect(format!("http://{}", self.host)).await
        else {
            return false;
        };
        let question = ListTopicsRequest {
            project: "projects/readiness".to_owned(),
            ..ListTopicsRequest::default()
        };
        publisher.list_topics(question).await.is_ok()
    }
}

impl Drop for GoogleEmulator {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn jar() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("PUBSUB_EMULATOR_JAR") {
        return Some(PathBuf::from(named));
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    SDK_PLACES
        .iter()
        .map(PathBuf::from)
        .chain(home)
        .find_map(|place| jar_in(&place.join(JAR_FOLDER)))
}

fn jar_in(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?;
    files
        .filter_map(Result::ok)
        .map(|file| file.path())
        .find(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| {
                    name.starts_with("cloud-pubsub-emulator-") && name.ends_with("-all.jar")
                })
        })
}
