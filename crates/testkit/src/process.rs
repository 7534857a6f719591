//! A child that is left running, and every line that it has written.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

use crate::wait::{until, within};

/// A running child, whose lines are read on so that it never waits for anybody. It is killed when this is dropped, if its
/// command says so, as [`crate::command::isolated`] does.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Lines,
    reading: [JoinHandle<()>; 2],
}

type Lines = Arc<Mutex<Vec<String>>>;

impl Process {
    /// Starts it.
    pub fn spawn(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = Lines::default();
        let reading = [
            keep(child.stdout.take().unwrap(), &lines),
            keep(child.stderr.take().unwrap(), &lines),
        ];
        Self {
            child,
            lines,
            reading,
        }
    }

    /// The lines so far, of both of its streams.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The event of that name in its JSON lines, once it is there.
    pub async fn event(&mut self, name: &str) -> Value {
        let mut found = None;
        until(format_args!("the event {name}"), async || {
            let ended = self.has_ended();
            let lines = self.lines();
            found = lines
                .iter()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .find(|line| line["event"] == name);
            assert!(
                found.is_some() || !ended,
                "it ended before it said {name}: {}",
                lines.join("\n")
            );
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// The port that it serves on, as its JSON lines say.
    pub async fn port(&mut self) -> u16 {
        let serving = self.event("serving").await;
        serving["port"].as_u64().unwrap().try_into().unwrap()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it still runs")
    }

    /// Whether it has ended, and all that it wrote has been read.
    pub fn has_ended(&mut self) -> bool {
        let ended = self.child.try_wait().unwrap().is_some();
        ended && self.reading.iter().all(JoinHandle::is_finished)
    }

    /// Waits until it has ended; the exit code, `None` if a signal ended it.
    pub async fn ended(&mut self) -> Option<i32> {
        let status = within("it ends", self.child.wait()).await.unwrap();
        for reading in &mut self.reading {
            if !reading.is_finished() {
                within("its last lines", reading).await.unwrap();
            }
        }
        status.code()
    }

    /// Asks it to stop and waits until it has; the exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        signal(&self.child, "TERM").await;
        self.ended().await
    }

    /// Kills it without warning.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}

/// Sends a running child a signal, such as `TERM`.
pub async fn signal(child: &Child, name: &str) {
    let id = child.id().expect("it still runs").to_string();
    let mut kill = Command::new("kill");
    let sent = kill.arg(format!("-{name}")).arg(id).status().await;
    assert!(sent.unwrap().success(), "the signal {name} was not sent");
}

/// Asks a child to stop and waits until it has; the exit code.
pub async fn terminate(child: &mut Child) -> Option<i32> {
    signal(child, "TERM").await;
    within("it stops", child.wait()).await.unwrap().code()
}

fn keep(stream: impl AsyncRead + Send + Unpin + 'static, lines: &Lines) -> JoinHandle<()> {
    let lines = Arc::clone(lines);
    tokio::spawn(async move {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).await.unwrap() > 0 {
            let text = String::from_utf8_lossy(&line);
            lines
                .lock()
                .unwrap()
                .push(text.trim_end_matches(['\r', '\n']).to_owned());
            line.clear();
        }
    })
}
