//! One request and its response, with a deadline and metrics.

use std::{sync::Arc, time::Duration};

use reqwest::Request;
use tokio::time::{Instant, timeout};

use super::{
    Fault, Transport, TransportError, UpstreamResponse,
    obstacle::{Obstacle, innermost},
    proxy::BehindProxy,
};
use crate::gate::{ErrorKind, UpstreamId};

/// One exchange with an upstream: a deadline, and the metrics of it. No retry, no gate, no budget.
#[derive(Clone, Debug)]
pub struct Exchange {
    name: UpstreamId,
    transport: Arc<dyn Transport>,
    deadline: Duration,
}

impl Exchange {
    /// An exchange with `name`; `deadline` bounds one exchange, its body included.
    pub fn new(name: UpstreamId, transport: Arc<dyn Transport>, deadline: Duration) -> Self {
        Self {
            name,
            transport,
            deadline,
        }
    }

    /// How long an exchange may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Which upstream this leads to.
    pub fn name(&self) -> UpstreamId {
        self.name
    }

    /// Sends `request` once and waits for the whole answer. `operation` is a label of the metrics:
    /// a closed set.
    ///
    /// # Errors
    /// No whole answer within the deadline and the bounds. An answer with any status is an answer.
    pub async fn send(
        &self,
        operation: &'static str,
        request: Request,
    ) -> Result<UpstreamResponse, Fault> {
        self.send_within(self.deadline, operation, request).await
    }

    /// [`Self::send`] with a deadline of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn send_within(
        &self,
        deadline: Duration,
        operation: &'static str,
        request: Request,
    ) -> Result<UpstreamResponse, Fault> {
        let begun = Instant::now();
        let outcome = timeout(deadline, self.transport.send(request)).await;
        let status = match &outcome {
            Ok(Ok(answer)) => status_label(answer.status.as_u16()),
            Ok(Err(TransportError::Connect(_))) => "no_connection",
            Ok(Err(TransportError::Broken(_))) => "broken_connection",
            Ok(Err(TransportError::TooLarge(_))) => "too_large",
            Err(_) => "timeout",
        };
        self.measure(operation, status, begun.elapsed());
        match outcome {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(fault(error)),
            Err(_) => Err(Fault::new(
                ErrorKind::TimedOut,
                format!("gave no complete answer within {deadline:?}"),
            )),
        }
    }

    fn measure(&self, operation: &'static str, status: &'static str, took: Duration) {
        let upstream = self.name.as_str();
        metrics::counter!("sync_upstream_requests_total",
            "upstream" => upstream, "operation" => operation, "status" => status)
        .increment(1);
        metrics::histogram!("sync_upstream_request_seconds",
            "upstream" => upstream, "operation" => operation)
        .record(took.as_secs_f64());
    }
}

fn fault(error: TransportError) -> Fault {
    let (kind, what) = match &error {
        TransportError::Connect(source) => {
            let proxy = source.downcast_ref::<BehindProxy>();
            let proxy = proxy.map(|proxy| format!(" ({proxy})"));
            (
                ErrorKind::Unreachable,
                format!(
                    "cannot be reached: {}{}",
                    innermost(&error),
                    proxy.unwrap_or_default()
                ),
            )
        }
        TransportError::Broken(_) => (
            ErrorKind::Unreachable,
            format!(
                "closed the connection before its answer was complete: {}",
                innermost(&error)
            ),
        ),
        TransportError::TooLarge(bytes) => (
            ErrorKind::TooLarge,
            format!("answered with more than {bytes} bytes"),
        ),
    };
    let obstacle = Obstacle::of(&error);
    Fault::new(kind, what).stopped_by(obstacle).caused_by(error)
}

/// A closed set: an upstream that sends odd statuses must not grow the metrics.
fn status_label(status: u16) -> &'static str {
    match status {
        200 => "200",
        201 => "201",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        408 => "408",
        422 => "422",
        429 => "429",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        202..=299 => "2xx",
        300..=399 => "3xx",
        402..=499 => "4xx",
        501..=599 => "5xx",
        _ => "other",
    }
}
