//! A start-up that comes to nothing: whoever could work already has not begun, and leaves no lease
//! behind.

use std::{process::Output, time::Duration};

use lookup_gitlab_sync::messaging::{Topology, topology::RetryDelays};
use rstest::rstest;
use serde_json::Value;
use simulator::{gitlab::SimulatedUser, lookup::SimulatedPerson};
use testkit::{
    command::Variables,
    environment::ServiceEnvironment,
    proxy::FaultProxy,
    wait::{until, until_ok},
};
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
async fn a_process_is_alive_while_pubsub_never_answers_and_serves_once_it_does() {
    let scene = with_a_message().await;
    let proxy = FaultProxy::to(scene.pubsub_host()).await;
    proxy.hush();
    let variables = [
        ("PUBSUB_EMULATOR_HOST", proxy.host()),
        ("LOG_LEVEL", "info"),
    ];
    let mut running = scene.spawn(&["serve"], &variables, "json");
    let starting = running.event("starting").await;
    let url = |path| format!("http://127.0.0.1:{}{path}", starting["port"]);
    let alive = reqwest::get(url("/livez")).await.unwrap();
    assert_eq!(alive.status(), 200);
    let ready = reqwest::get(url("/readyz")).await.unwrap();
    assert_eq!(ready.status(), 503);
    let told = ready.text().await.unwrap();
    assert!(told.contains("waits for pubsub"), "{told}");
    let told = running.event("start_waits").await;
    assert_eq!(told["severity"], "WARNING");
    assert_eq!(told["waits_for"], "pubsub");
    assert!(running.is_running());
    proxy.speak();
    let serving = running.event("serving").await;
    assert_eq!(serving["port"], starting["port"]);
    until_ok(&url("/readyz")).await;
    until("the message is done", async || {
        scene.counts("user-sync-worker").acked == 1
    })
    .await;
    let lines = running.finish_json().await;
    assert_eq!(events(&lines, "process_failed"), [&Value::Null; 0]);
}

fn events<'l>(lines: &'l [Value], name: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["event"] == name).collect()
}

/// The lines on standard output, each of them JSON.
fn log(output: &Output) -> Vec<Value> {
    let text = str::from_utf8(&output.stdout).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[rstest]
#[case::of_the_configuration(&[("GITLAB_URL", "ftp://gitlab")], 78, "gitlab.url has an unknown scheme")]
#[case::of_two_settings(&[("PORT", "none"), ("GITLAB_URL", "")], 78, "serve.port is text")]
#[case::of_the_topology(&[("LOOKUP_GITLAB_SYNC__PUBSUB__PREFIX", "other-")], 1, "topic other-sync-tick: missing")]
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_cannot_start_is_one_error_in_its_log(
    #[case] variables: Variables<'_>,
    #[case] code: i32,
    #[case] said: &str,
) {
    let scene = with_a_message().await;
    let stages = ["serve", "fan-out", "--log-format=json"];
    let output = scene.run(&stages, variables).await;
    assert_eq!(output.status.code(), Some(code));
    let lines = log(&output);
    let errors: Vec<_> = lines
        .iter()
        .filter(|line| line["severity"] == "ERROR")
        .collect();
    assert_eq!(errors.len(), 1, "{lines:?}");
    assert_eq!(errors[0]["event"], "process_failed");
    assert_eq!(errors[0]["exit_code"], code);
    assert_eq!(errors[0]["stages"], "fan-out");
    let why = errors[0]["why"].as_str().unwrap();
    assert!(why.contains(said), "{why}");
    let person = String::from_utf8(output.stderr).unwrap();
    assert!(person.starts_with("error: "), "{person}");
    let text = ["serve", "fan-out", "--log-format=text"];
    let output = scene.run(&text, variables).await;
    let person = String::from_utf8(output.stderr).unwrap();
    assert!(!person.contains("process_failed"), "said once: {person}");
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
