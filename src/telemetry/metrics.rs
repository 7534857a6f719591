//! What is counted, and the page on which Prometheus reads it.

use std::{fmt, time::Duration};

use metrics::{Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use tokio_util::sync::CancellationToken;

/// What kind of number it is.
enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// Every metric of the service. Labels are closed sets: never a user.
const METRICS: [(&str, MetricKind, Unit, &str); 13] = [
    (
        "sync_messages_total",
        MetricKind::Counter,
        Unit::Count,
        "Deliveries by stage and disposition",
    ),
    (
        "sync_decisions_total",
        MetricKind::Counter,
        Unit::Count,
        "Decisions by decision, reason and mode",
    ),
    (
        "sync_changes_applied_total",
        MetricKind::Counter,
        Unit::Count,
        "Changes made in GitLab by action",
    ),
    (
        "sync_upstream_requests_total",
        MetricKind::Counter,
        Unit::Count,
        "Requests by upstream, operation and status",
    ),
    (
        UPSTREAM_SECONDS,
        MetricKind::Histogram,
        Unit::Seconds,
        "Time an upstream took to answer, by upstream and operation",
    ),
    (
        "sync_upstream_gate_open",
        MetricKind::Gauge,
        Unit::Count,
        "1 while calls to the upstream pass, 0 while its gate is closed",
    ),
    (
        "sync_paused",
        MetricKind::Gauge,
        Unit::Count,
        "1 while writes are paused, as this process read it last; 0 while they are not",
    ),
    (
        "sync_gitlab_token_expiry_timestamp_seconds",
        MetricKind::Gauge,
        Unit::Seconds,
        "When a token of GitLab expires, in seconds since 1970; +Inf for never",
    ),
    (
        "sync_dead_letters_total",
        MetricKind::Counter,
        Unit::Count,
        "Messages dead-lettered by stage and reason",
    ),
    (
        "sync_guard_refusals_total",
        MetricKind::Counter,
        Unit::Count,
        "Runs that the guard refused",
    ),
    (
        "sync_last_successful_run_timestamp_seconds",
        MetricKind::Gauge,
        Unit::Seconds,
        "When a run last published all of its messages, in seconds since 1970",
    ),
    (
        "sync_namespace_attempts_total",
        MetricKind::Counter,
        Unit::Count,
        "Attempts to send a namespace's sync by their state",
    ),
    (
        "sync_namespace_parts_total",
        MetricKind::Counter,
        Unit::Count,
        "Parts of namespaces' syncs by part and status",
    ),
];

const UPSTREAM_SECONDS: &str = "sync_upstream_request_seconds";
/// Around what GitLab and Lookup take, up to the deadline of a call.
const UPSTREAM_BUCKETS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The numbers counted so far. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Counts from now on what this process tells the `metrics` macros.
    ///
    /// # Errors
    /// When another recorder was installed before.
    pub fn install() -> Result<Self, MetricsError> {
        let (metrics, recorder) = Self::local()?;
        metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Installed)?;
        Ok(metrics)
    }

    /// With a recorder that the caller puts in place, for tests that count apart from each other.
    ///
    /// # Errors
    /// When the buckets are not accepted.
    pub fn local() -> Result<(Self, PrometheusRecorder), MetricsError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(
                Matcher::Full(UPSTREAM_SECONDS.to_owned()),
                &UPSTREAM_BUCKETS,
            )?
            .build_recorder();
        for (name, kind, unit, help) in METRICS {
            let (name, unit, help) = (name.into(), Some(unit), SharedString::const_str(help));
            match kind {
                MetricKind::Counter => recorder.describe_counter(name, unit, help),
                MetricKind::Gauge => recorder.describe_gauge(name, unit, help),
                MetricKind::Histogram => recorder.describe_histogram(name, unit, help),
            }
        }
        Ok((
            Self {
                handle: recorder.handle(),
            },
            recorder,
        ))
    }

    /// The page, in Prometheus' text format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Until `stop`: folds samples together, which otherwise pile up while nobody reads the page.
    pub(super) async fn keep_up(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(Duration::from_secs(5));
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.handle.run_upkeep();
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Why nothing is counted.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The recorder was not accepted as built.
    #[error("the metrics recorder cannot be built")]
    Build(#[from] BuildError),
    /// There was one already.
    #[error("a metrics recorder is installed already")]
    Installed,
}
