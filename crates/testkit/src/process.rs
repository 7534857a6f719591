//! A child that is left running, and all that it writes.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
};

use regex::Regex;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

use crate::wait::{until, within};

/// A running child, whose lines are read on so that it never waits for anybody. It is killed when
/// this is dropped, if its command says so, as [`crate::command::isolated`] does.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    transcript: Transcript,
    reading: [JoinHandle<()>; 2],
}

/// What a child has written so far; its copies share it.
#[derive(Clone, Debug, Default)]
pub struct Transcript(Arc<Mutex<Vec<WrittenLine>>>);

/// A line without its end.
#[derive(Clone, Debug)]
pub struct WrittenLine {
    /// Whether it was written to standard error.
    pub is_error: bool,
    /// The bytes as they came.
    pub bytes: Vec<u8>,
}

impl Transcript {
    /// Its lines, of both streams.
    pub fn lines(&self) -> Vec<WrittenLine> {
        self.0.lock().unwrap().clone()
    }

    fn texts(&self) -> Vec<String> {
        let lines = self.lines().into_iter();
        lines
            .map(|line| String::from_utf8_lossy(&line.bytes).into_owned())
            .collect()
    }
}

impl ChildProcess {
    /// Starts it.
    pub fn spawn(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let transcript = Transcript::default();
        let reading = [
            keep(child.stdout.take().unwrap(), false, &transcript),
            keep(child.stderr.take().unwrap(), true, &transcript),
        ];
        Self {
            child,
            transcript,
            reading,
        }
    }

    /// The lines so far, of both of its streams.
    pub fn lines(&self) -> Vec<String> {
        self.transcript.texts()
    }

    /// What it writes, for those who outlive it.
    pub fn transcript(&self) -> Transcript {
        self.transcript.clone()
    }

    /// The event of that name in its JSON lines, once it is there.
    pub async fn event(&mut self, name: &str) -> Value {
        let named = |line: &str| {
            let event: Value = serde_json::from_str(line).ok()?;
            (event["event"] == name).then_some(event)
        };
        self.find(name, named).await
    }

    /// The port that it serves on, as it says itself in either form of its log.
    pub async fn port(&mut self) -> u16 {
        let number = Regex::new("serving on port ([0-9]+)").unwrap();
        let port = |line: &str| number.captures(line)?[1].parse().ok();
        self.find("serving", port).await
    }

    async fn find<T>(&mut self, what: &str, found: impl Fn(&str) -> Option<T>) -> T {
        let mut sought = None;
        until(format_args!("a line with {what}"), async || {
            let ended = self.has_ended();
            let lines = self.lines();
            sought = lines.iter().find_map(|line| found(line));
            assert!(
                sought.is_some() || !ended,
                "it ended before it said {what}: {}",
                lines.join("\n")
            );
            sought.is_some()
        })
        .await;
        sought.unwrap()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it still runs")
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Whether it has ended, and all that it wrote has been read.
    fn has_ended(&mut self) -> bool {
        !self.is_running() && self.reading.iter().all(JoinHandle::is_finished)
    }

    /// Waits until it has ended; the exit code, `None` if a signal ended it.
    pub async fn ended(&mut self) -> Option<i32> {
        let status = within("it ends", self.child.wait()).await.unwrap();
        until("its last lines", async || self.has_ended()).await;
        status.code()
    }

    /// Asks it to stop and waits until it has; the exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        signal(&self.child, "TERM").await;
        self.ended().await
    }

    /// Asks it to stop, which it must do well, and gives all its lines.
    pub async fn finish(mut self) -> Vec<String> {
        assert_eq!(self.terminate().await, Some(0), "{:?}", self.lines());
        self.lines()
    }

    /// [`Self::finish`], with the lines as JSON.
    pub async fn finish_json(self) -> Vec<Value> {
        let lines = self.finish().await;
        let json = |line: &String| serde_json::from_str(line).expect(line);
        lines.iter().map(json).collect()
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

fn keep(
    stream: impl AsyncRead + Send + Unpin + 'static,
    is_error: bool,
    transcript: &Transcript,
) -> JoinHandle<()> {
    let transcript = transcript.clone();
    tokio::spawn(async move {
        let mut stream = BufReader::new(stream);
        loop {
            let mut bytes = Vec::new();
            if stream.read_until(b'\n', &mut bytes).await.unwrap() == 0 {
                return;
            }
            if bytes.last() == Some(&b'\n') {
                bytes.pop();
            }
            let line = WrittenLine { is_error, bytes };
            transcript.0.lock().unwrap().push(line);
        }
    })
}
