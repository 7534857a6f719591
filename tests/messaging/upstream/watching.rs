//! What an operator sees: two log events of a gate, and the metrics.

use metrics_exporter_prometheus::PrometheusBuilder;
use testkit::logs::LogBuffer;

use super::memory::{CURRENT_USER, Memory, Scripted, calls};

#[tokio::test(start_paused = true)]
async fn a_gate_logs_one_error_when_it_closes_and_one_line_when_it_opens_and_is_a_metric() {
    let lines = LogBuffer::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(lines.clone())
        .finish();
    let _logs = tracing::subscriber::set_default(subscriber);
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
        (&"ERROR".into(), "gate_closed".into())
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
