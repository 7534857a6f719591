//! The life of a process that serves: until it is asked to stop or a part of it ends by itself, and
//! then to its end in order.

use std::{io, time::Duration};

use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    consumers::StageConsumers,
    error::{AppError, HttpServerError},
    signals::StopSignals,
};
use crate::{
    namespaces::provisioning::ProvisioningState,
    telemetry::{causes, http::HttpServer},
};

/// What serves.
pub(super) struct RunningProcess {
    /// Those that consume.
    pub consumers: StageConsumers,
    /// The HTTP server.
    pub http: HttpTask,
    /// The provisioning API, if it is among what is answered.
    pub provisioning: Option<ProvisioningState>,
    /// How long all of it may take to stop.
    pub grace: Duration,
}

/// The HTTP server, in a task of its own.
pub(super) struct HttpTask {
    task: JoinHandle<io::Result<()>>,
    stop: CancellationToken,
    /// Whether others than the platform are answered.
    is_public: bool,
}

impl HttpTask {
    /// Lets `server` answer from now on; `is_public` if on routes of a stage too.
    pub fn start(server: HttpServer, is_public: bool) -> Self {
        let stop = CancellationToken::new();
        Self {
            task: tokio::spawn(server.serve(stop.clone())),
            stop,
            is_public,
        }
    }

    /// Waits until the server ends by itself, which it never should.
    pub async fn ended(&mut self) -> AppError {
        ended_by_itself((&mut self.task).await)
    }

    /// Lets it answer what was asked before, and ends it.
    ///
    /// # Errors
    /// When it ended by itself before.
    pub async fn stop(self) -> Result<(), AppError> {
        self.stop.cancel();
        Ok(result(self.task.await)?)
    }
}

impl RunningProcess {
    /// Serves until the first signal, and ends in order; the second ends the wait for that.
    ///
    /// # Errors
    /// When a stage or the HTTP server ended by itself, or at a second signal.
    pub async fn until_stopped(mut self, signals: &mut StopSignals) -> Result<(), AppError> {
        let mut is_answering = true;
        let ended = tokio::select! {
            () = signals.next() => Ok(()),
            () = self.consumers.ended() => Err(AppError::StageEnded),
            end = &mut self.http.task => {
                is_answering = false;
                Err(ended_by_itself(end))
            }
        };
        let HttpTask {
            task,
            stop,
            is_public,
        } = self.http;
        if is_public {
            // The stages that consume still answer for their health; these stop taking work at
            // once.
            stop.cancel();
        }
        tokio::select! {
            () = close(self.consumers, self.provisioning, self.grace) => {}
            () = signals.next() => return Err(AppError::Interrupted),
        }
        stop.cancel();
        if is_answering {
            result(task.await)?;
        }
        tracing::info!(event = "stopped", "stopped");
        ended
    }
}

async fn close(
    consumers: StageConsumers,
    provisioning: Option<ProvisioningState>,
    grace: Duration,
) {
    consumers.stop(grace).await;
    if let Some(state) = provisioning {
        let closed = tokio::time::timeout(grace, state.close()).await;
        if closed.is_err() {
            tracing::warn!(event = "calls_abandoned", "a call outlived the grace");
        }
    }
}

/// A process that nobody can ask how it is looks healthy to nobody: it ends, so that the platform
/// starts another.
fn ended_by_itself(end: Result<io::Result<()>, JoinError>) -> AppError {
    let error = AppError::HttpServerEnded {
        cause: result(end).err(),
    };
    tracing::error!(
        event = "http_server_ended",
        why = causes::on_one_line(&error)
    );
    error
}

fn result(end: Result<io::Result<()>, JoinError>) -> Result<(), HttpServerError> {
    match end {
        Ok(served) => Ok(served?),
        Err(_) => Err(HttpServerError::Panicked),
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
    use crate::telemetry::{
        HealthChecks, Metrics,
        logs::{LineFormat, LogLines, filter, subscriber},
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
    async fn end(http: HttpTask) -> (Result<(), AppError>, Vec<serde_json::Value>) {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let lines = LogLines::new(LineFormat::Json, None, jiff::Timestamp::now);
        let log = subscriber(filter("info").unwrap(), lines, move || writer.clone());
        let _log = tracing::subscriber::set_default(log);
        let serving = RunningProcess {
            consumers: StageConsumers::default(),
            http,
            provisioning: None,
            grace: Duration::from_secs(1),
        };
        let mut signals = StopSignals::catch().unwrap();
        let ended = serving.until_stopped(&mut signals).await;
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        (ended, lines.collect())
    }

    async fn server() -> HttpServer {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (metrics, _) = Metrics::local().unwrap();
        HttpServer::bind(any_port, HealthChecks::new(), metrics)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_server_that_ends_unasked_ends_the_process_with_an_error_that_names_it() {
        let http = HttpTask::start(server().await, false);
        http.stop.cancel();
        let (ended, lines) = end(http).await;
        let failure = ended.unwrap_err();
        assert!(matches!(failure, AppError::HttpServerEnded { cause: None }));
        assert_eq!(failure.to_string(), "the HTTP server ended by itself");
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
        let (ended, lines) = end(HttpTask {
            task,
            stop: CancellationToken::new(),
            is_public: true,
        })
        .await;
        let told = causes::on_one_line(&ended.unwrap_err());
        assert_eq!(told, format!("the HTTP server ended by itself: {why}"));
        assert_eq!(
            lines[0]["why"],
            format!("the HTTP server ended by itself: {why}")
        );
    }
}
