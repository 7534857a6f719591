//! What an operator sees: the log events of a gate, and the metrics.

use std::{sync::Arc, time::Duration};

use lookup_gitlab_sync::gate::{CallKind, ErrorKind, Gate, GateFailure, UpstreamId};
use metrics_exporter_prometheus::PrometheusBuilder;
use rstest::rstest;
use testkit::logs::LogBuffer;
use tokio::time::Instant;
use tracing::subscriber::DefaultGuard;

use super::memory::{CURRENT_USER, Memory, Scripted, calls};

#[tokio::test(start_paused = true)]
async fn a_gate_logs_one_warning_when_it_closes_and_one_line_when_it_opens_and_is_a_metric() {
    let lines = LogBuffer::default();
    let _logs = log_to(&lines);
    let recorder = PrometheusBuilder::new().build_recorder();
    let scrape = recorder.handle();
    let _metrics = metrics::set_default_local_recorder(&recorder);

    let memory = Memory::new(|_, number| match number {
        1..=3 => Scripted::Answers(503, "{}"),
        _ => Scripted::Answers(200, CURRENT_USER),
    });
    let mut calls = calls();
    calls.read_attempts = 1;
    let client = memory.gitlab(calls);
    let open =
        |gate: &str| format!(r#"sync_upstream_gate_open{{upstream="gitlab",gate="{gate}"}}"#);
    for _ in 0..5 {
        client.current_user().await.unwrap_err();
    }
    let metrics = scrape.render();
    assert!(
        metrics.contains(&format!("{} 0", open("read"))),
        "{metrics}"
    );
    assert!(
        metrics.contains(&format!("{} 1", open("write"))),
        "{metrics}"
    );
    let passage = client.read_gate().passable().await;
    client.current_user().await.unwrap();
    drop(passage);

    let metrics = scrape.render();
    assert!(
        metrics.contains(&format!("{} 1", open("read"))),
        "{metrics}"
    );
    let requests = r#"sync_upstream_requests_total{upstream="gitlab",operation="current_user",status="503"} 3"#;
    assert!(metrics.contains(requests), "{metrics}");
    assert!(
        metrics.contains("sync_upstream_request_seconds"),
        "{metrics}"
    );

    let (text, events) = (lines.text(), lines.json());
    assert_eq!(events.len(), 2, "{text}");
    let field = |event: usize, name: &str| events[event]["fields"][name].clone();
    assert_eq!(
        (&events[0]["level"], field(0, "event")),
        (&"WARN".into(), "gate_closed".into())
    );
    assert_eq!(
        (field(0, "upstream"), field(0, "gate")),
        ("gitlab".into(), "read".into())
    );
    assert!(
        field(0, "why")
            .as_str()
            .unwrap()
            .starts_with("GitLab answered 503 (current_user)"),
        "{text}"
    );
    assert_eq!(
        (&events[1]["level"], field(1, "event")),
        (&"INFO".into(), "gate_opened".into())
    );
    assert!(field(1, "closed_seconds").is_u64(), "{text}");
}

/// Fifteen minutes after it closed, and an hour where the upstream says that it is in maintenance.
#[rstest]
#[case::of_an_outage(ErrorKind::Unavailable, 900)]
#[case::of_refused_credentials(ErrorKind::Unauthenticated, 900)]
#[case::of_maintenance(ErrorKind::Maintenance, 3_600)]
#[tokio::test(start_paused = true)]
async fn a_gate_that_stays_closed_is_one_error_however_long_that_lasts(
    #[case] kind: ErrorKind,
    #[case] alarm_after: u64,
) {
    let lines = LogBuffer::default();
    let _logs = log_to(&lines);
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Read);
    stays_closed(&gate, kind, Duration::from_hours(3)).await;
    assert_eq!(told(&lines), [CLOSED, STAYS_CLOSED], "{}", lines.text());
    let alarm = &lines.json()[1]["fields"];
    let seconds = alarm["closed_seconds"].as_u64().unwrap();
    assert!(
        (alarm_after..alarm_after + 70).contains(&seconds),
        "{alarm}"
    );
    assert_eq!(alarm["reason"], kind.as_str());
}

#[tokio::test(start_paused = true)]
async fn maintenance_that_turns_into_an_outage_is_an_error_a_quarter_of_an_hour_later() {
    let lines = LogBuffer::default();
    let _logs = log_to(&lines);
    let gate = Gate::new(UpstreamId::GitLab, CallKind::Read);
    stays_closed(&gate, ErrorKind::Maintenance, Duration::from_mins(30)).await;
    stays_closed(&gate, ErrorKind::Unavailable, Duration::from_mins(10)).await;
    assert_eq!(told(&lines), [CLOSED, CLOSED], "{}", lines.text());
    stays_closed(&gate, ErrorKind::Unavailable, Duration::from_mins(10)).await;
    assert_eq!(told(&lines), [CLOSED, CLOSED, STAYS_CLOSED]);
}

const CLOSED: (&str, &str) = ("WARN", "gate_closed");
const STAYS_CLOSED: (&str, &str) = ("ERROR", "gate_stays_closed");

fn log_to(lines: &LogBuffer) -> DefaultGuard {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::set_default(subscriber)
}

/// Every probe fails for so long.
async fn stays_closed(gate: &Arc<Gate>, kind: ErrorKind, lasts: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < lasts {
        let _permit = gate.passable().await;
        let failure = GateFailure::new(kind, "GitLab does not work");
        gate.enter().unwrap().failed(&failure);
    }
}

fn told(lines: &LogBuffer) -> Vec<(&'static str, &'static str)> {
    let name = |event: &serde_json::Value| {
        let known = [CLOSED, STAYS_CLOSED];
        let is = |(level, name): &(&str, &str)| {
            event["level"] == *level && event["fields"]["event"] == *name
        };
        known.into_iter().find(is).unwrap_or(("?", "?"))
    };
    lines.json().iter().map(name).collect()
}
