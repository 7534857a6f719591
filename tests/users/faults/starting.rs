//! A start-up that comes to nothing: whoever could work already has not begun, and leaves no lease
//! behind.

use std::time::Duration;

use lookup_gitlab_sync::messaging::{Topology, topology::RetryDelays};
use serde_json::Value;
use simulator::{gitlab::SimulatedUser, lookup::SimulatedPerson};
use testkit::environment::ServiceEnvironment;
use tokio::net::TcpListener;

use crate::support::{connection, environment};

const STAGES: [&str; 3] = ["serve", "user-worker", "namespace-worker"];

/// With a message that the user worker could begin with at once.
async fn with_a_message() -> ServiceEnvironment {
    let scene = environment(
        vec![SimulatedUser::new(42, "spqr1")],
        vec![SimulatedPerson::cancelled("spqr1", "Gone")],
    )
    .await;
    scene.resync_person("spqr1").await;
    scene
}

fn nothing_began(scene: &ServiceEnvironment, lines: &[String]) {
    let event = |line: &String| serde_json::from_str::<Value>(line).unwrap_or_default();
    assert!(
        lines
            .iter()
            .all(|line| event(line)["event"] != "stage_started"),
        "{lines:?}"
    );
    let counts = scene.counts("user-sync-worker");
    assert_eq!(
        (
            counts.waiting,
            counts.outstanding,
            counts.acked,
            counts.nacked
        ),
        (1, 0, 0, 0)
    );
    assert_eq!(scene.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_while_another_stage_still_starts_no_message_has_been_leased() {
    let scene = with_a_message().await;
    let at_once = RetryDelays {
        minimum: Duration::ZERO,
        maximum: Duration::ZERO,
    };
    Topology::new(&connection(&scene).await)
        .with_namespaces(true)
        .with_retry_delays(at_once)
        .apply()
        .await
        .unwrap();
    // A database that takes the connection and says nothing.
    let database = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = database.local_addr().unwrap().port();
    let url = format!("postgres://user:password@127.0.0.1:{port}/ledger?sslmode=disable");
    let variables = [
        ("DATABASE_URL", url.as_str()),
        (
            "LOOKUP_GITLAB_SYNC__NAMESPACES__DATABASE__ACQUIRE_TIMEOUT",
            "60s",
        ),
        ("LOG_LEVEL", "info"),
    ];
    let running = scene.spawn(&STAGES, &variables, "json");
    let _asked = database.accept().await.unwrap();
    let lines = running.finish().await;
    assert!(
        lines
            .iter()
            .any(|line| line.contains("stopped before it served"))
    );
    nothing_began(&scene, &lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_cannot_start_keeps_the_others_from_leasing_a_message() {
    let scene = with_a_message().await;
    let output = scene
        .run(&STAGES, &[("PORT", "0"), ("LOG_LEVEL", "info")])
        .await;
    assert_eq!(
        output.status.code(),
        Some(1),
        "there is no such subscription"
    );
    let said = [output.stdout, output.stderr].concat();
    let lines: Vec<String> = String::from_utf8(said)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    nothing_began(&scene, &lines);
}
