//! A process that serves: until it is asked to stop or a part of it ends by itself, and then to its end in order.

use std::{io, time::Duration};

use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Failure, signals::Signals, stages::Stages};
use crate::{namespaces::provisioning::ProvisioningState, telemetry::http::Server};

/// What serves.
pub(super) struct Serving {
    /// Those that consume.
    pub stages: Stages,
    /// The HTTP server.
    pub answering: Answering,
    /// The provisioning API, if it is among what is answered.
    pub provisioning: Option<ProvisioningState>,
    /// How long all of it may take to stop.
    pub grace: Duration,
}

/// The HTTP server, in a task of its own.
pub(super) struct Answering {
    task: JoinHandle<io::Result<()>>,
    stop: CancellationToken,
    /// Whether others than the platform are answered.
    asked: bool,
}

impl Answering {
    /// Lets `server` answer from now on; `asked` if on routes of a stage too.
    pub fn start(server: Server, asked: bool) -> Self {
        let stop = CancellationToken::new();
        Self {
            task: tokio::spawn(server.serve(stop.clone())),
            stop,
            asked,
        }
    }
}

impl Serving {
    /// Serves until the first signal, and ends in order; the second ends the wait for that.
    ///
    /// # Errors
    /// When a stage or the HTTP server ended by itself, or at a second signal.
    pub async fn until_stopped(mut self, signals: &mut Signals) -> Result<(), Failure> {
        let mut is_answering = true;
        let ended = tokio::select! {
            () = signals.next() => Ok(()),
            () = self.stages.ended() => Err(anyhow::anyhow!("a stage ended by itself: see the log")),
            end = &mut self.answering.task => {
                is_answering = false;
                Err(ended_by_itself(end))
            }
        };
        let Answering { task, stop, asked } = self.answering;
        if asked {
            // The stages that consume go on answering how they are; these stop taking work at once.
            stop.cancel();
        }
        tokio::select! {
            () = close(self.stages, self.provisioning, self.grace) => {}
            () = signals.next() => return Err(Failure::interrupted()),
        }
        stop.cancel();
        if is_answering {
            result(task.await)?;
        }
        tracing::info!(event = "stopped", "stopped");
        Ok(ended?)
    }
}

async fn close(stages: Stages, provisioning: Option<ProvisioningState>, grace: Duration) {
    stages.stop(grace).await;
    if let Some(state) = provisioning {
        let closed = tokio::time::timeout(grace, state.close()).await;
        if closed.is_err() {
            tracing::warn!(event = "calls_abandoned", "a call outlived the grace");
        }
    }
}

/// A process that nobody can ask how it is looks healthy to nobody: it ends, so that the platform starts another.
fn ended_by_itself(end: Result<io::Result<()>, JoinError>) -> anyhow::Error {
    let ended = "the HTTP server ended by itself";
    let error = match result(end) {
        Ok(()) => anyhow::anyhow!(ended),
        Err(why) => why.context(ended),
    };
    tracing::error!(event = "http_server_ended", why = format!("{error:#}"));
    error
}

/// A panic has been logged, and what it met is not repeated.
fn result(end: Result<io::Result<()>, JoinError>) -> anyhow::Result<()> {
    match end {
        Ok(served) => Ok(served?),
        Err(_) => Err(anyhow::anyhow!("a bug: see the log")),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, SocketAddr},
        sync::{Arc, Mutex, PoisonError},
    };

    use rstest::rstest;

    use super::*;
    use crate::{
        cli::Exit,
        telemetry::{
            Health, Metrics,
            logs::{Form, Lines, filter, subscriber},
        },
    };

    /// What a log holds in memory.
    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// How a process ends that only answers, and what it logs.
    async fn end(answering: Answering) -> (Result<(), Failure>, Vec<serde_json::Value>) {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let lines = Lines::new(Form::Json, None, jiff::Timestamp::now);
        let log = subscriber(filter("info").unwrap(), lines, move || writer.clone());
        let _log = tracing::subscriber::set_default(log);
        let serving = Serving {
            stages: Stages::none(),
            answering,
            provisioning: None,
            grace: Duration::from_secs(1),
        };
        let mut signals = Signals::catch().unwrap();
        let ended = serving.until_stopped(&mut signals).await;
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        (ended, lines.collect())
    }

    async fn server() -> Server {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (metrics, _) = Metrics::local().unwrap();
        Server::bind(any_port, Health::new(), metrics)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_server_that_ends_unasked_ends_the_process_with_an_error_that_names_it() {
        let answering = Answering::start(server().await, false);
        answering.stop.cancel();
        let (ended, lines) = end(answering).await;
        let failure = ended.unwrap_err();
        assert_eq!(failure.exit(), Exit::Failed);
        assert_eq!(
            failure.to_string(),
            "error: the HTTP server ended by itself"
        );
        assert_eq!(lines[0]["severity"], "ERROR");
        assert_eq!(lines[0]["event"], "http_server_ended");
        assert_eq!(lines[1]["event"], "stopped", "in order all the same");
    }

    #[rstest]
    #[case::with_an_error(false, "too many open files")]
    #[case::with_a_panic(true, "a bug: see the log")]
    #[tokio::test]
    async fn why_it_ended_is_told_without_what_a_panic_met(
        #[case] panics: bool,
        #[case] why: &str,
    ) {
        let task = tokio::spawn(async move {
            assert!(!panics, "somebody's secret");
            Err(io::Error::other("too many open files"))
        });
        let (ended, lines) = end(Answering {
            task,
            stop: CancellationToken::new(),
            asked: true,
        })
        .await;
        let told = ended.unwrap_err().to_string();
        assert_eq!(
            told,
            format!("error: the HTTP server ended by itself\n  caused by: {why}")
        );
        assert_eq!(
            lines[0]["why"],
            format!("the HTTP server ended by itself: {why}")
        );
    }
}
