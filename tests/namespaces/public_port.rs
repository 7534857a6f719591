//! The public port of the portal: what strangers may learn there, and how much of it they can hold.

use std::time::Duration;

use testkit::{postgres::PostgresServer, process::ChildProcess, wait::until};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::stages::{NamespaceStages, Stage};

/// `serve portal` under a shell that allows it so many files; it, its public port and the one of
/// its health.
async fn portal(stages: &NamespaceStages, database: &str, files: u32) -> (ChildProcess, [u64; 2]) {
    let mut command = testkit::command::isolated("sh");
    command
        .args([
            "-c",
            &format!("ulimit -n {files}; exec \"$0\" serve portal --log-format=json"),
        ])
        .arg(testkit::service_binary!())
        .envs(stages.variables())
        .env("DATABASE_URL", database)
        .env("PORT", "0")
        .env("LOG_LEVEL", "info");
    let mut portal = ChildProcess::spawn(&mut command);
    let serving = portal.event("serving").await;
    let ports = ["port", "health_port"].map(|port| serving[port].as_u64().unwrap());
    (portal, ports)
}

async fn get(port: u64, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}"))
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_portal_whose_database_is_away_at_its_start_is_alive_and_serves_once_it_is_back() {
    let mut server = PostgresServer::start(|_| Vec::new());
    let stages = NamespaceStages::idle(server.url().as_str()).await;
    server.stop();
    let mut command = testkit::command::isolated(testkit::service_binary!());
    command
        .args(["serve", "portal", "--log-format=json"])
        .envs(stages.variables())
        .env(
            "LOOKUP_GITLAB_SYNC__NAMESPACES__DATABASE__ACQUIRE_TIMEOUT",
            "500ms",
        )
        .envs([("PORT", "0"), ("HEALTH_PORT", "0"), ("LOG_LEVEL", "info")]);
    let mut portal = ChildProcess::spawn(&mut command);
    let starting = portal.event("starting").await;
    let [public, health] = ["port", "health_port"].map(|port| starting[port].as_u64().unwrap());
    for port in [public, health] {
        assert_eq!(get(port, "/livez").await.0, 200);
        assert_eq!(get(port, "/readyz").await.0, 503);
    }
    let told = portal.event("start_waits").await;
    assert_eq!(told["waits_for"], "ledger-database");
    let (_, told) = get(health, "/readyz").await;
    assert!(told.contains("waits for ledger-database"), "{told}");
    server.resume();
    portal.event("serving").await;
    until("it is ready", async || {
        get(public, "/readyz").await.0 == 200
    })
    .await;
    assert_eq!(portal.terminate().await, Some(0));
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_not_waited_for() {
    let server = PostgresServer::start(|_| Vec::new());
    let mut absent = server.url();
    absent.set_path("/absent");
    let stages = NamespaceStages::idle(absent.as_str()).await;
    let ports = [("PORT", "0"), ("HEALTH_PORT", "0")];
    let ended = stages.run_as(&["serve", "portal"], &ports).await;
    let told = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(!told.contains("start_waits"), "{told}");
}

#[tokio::test]
async fn half_sent_requests_leave_the_portal_alive_and_answering() {
    let server = PostgresServer::start(|_| Vec::new());
    let stages = NamespaceStages::idle(server.url().as_str()).await;
    let (_portal, [public, health]) = portal(&stages, server.url().as_str(), 200).await;
    let mut halves = Vec::new();
    for _ in 0..300 {
        let mut half = TcpStream::connect(("127.0.0.1", u16::try_from(public).unwrap()))
            .await
            .unwrap();
        half.write_all(b"POST /api/v1/namespaces/42/syncs HTTP/1.1\r\nHost: x")
            .await
            .unwrap();
        halves.push(half);
    }
    for path in ["/livez", "/readyz"] {
        let asked = timeout(Duration::from_mins(1), get(health, path)).await;
        assert_eq!(asked.expect("it answers").0, 200, "{path}");
    }
    // Those before it lose their places when their headers are late.
    let asked = timeout(Duration::from_mins(2), get(public, "/livez")).await;
    assert_eq!(
        asked.expect("it answers"),
        (200, r#"{"ok":true}"#.to_owned())
    );
}

#[tokio::test]
async fn a_stranger_learns_neither_reasons_nor_metrics_nor_where_the_database_is() {
    let mut server = PostgresServer::start(|_| Vec::new());
    let stages = NamespaceStages::idle(server.url().as_str()).await;
    let (_portal, [public, health]) = portal(&stages, server.url().as_str(), 1024).await;
    assert_eq!(get(public, "/metrics").await.0, 404);
    assert_eq!(get(health, "/metrics").await.0, 200);
    assert_eq!(get(public, "/.well-known/jwks.json").await.0, 200);
    server.stop();
    until("it is not ready", async || {
        get(health, "/readyz").await.0 == 503
    })
    .await;
    let (_, told) = get(health, "/readyz").await;
    assert!(told.contains("ledger-database"), "{told}");
    assert_eq!(
        get(public, "/readyz").await,
        (503, r#"{"ok":false}"#.to_owned())
    );
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/jwks.json",
    ] {
        assert_eq!(get(public, path).await.0, 200, "{path} needs no database");
    }
}

#[tokio::test]
async fn a_worker_whose_settings_do_not_go_together_does_not_start() {
    let server = PostgresServer::start(|_| Vec::new());
    let stages = NamespaceStages::idle(server.url().as_str()).await;
    for (name, value, said) in [
        (
            "LOOKUP_GITLAB_SYNC__NAMESPACES__CONCURRENCY",
            "10",
            "namespaces.concurrency is 10",
        ),
        (
            "LOOKUP_GITLAB_SYNC__NAMESPACES__SETTLE",
            "9s",
            "namespaces.settle is 9s",
        ),
    ] {
        let ended = stages
            .run_as(
                &["serve", "namespace-worker"],
                &[(name, value), ("PORT", "0")],
            )
            .await;
        let told = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
        assert_eq!(ended.status.code(), Some(78), "{told}");
        assert!(told.contains(said), "{told}");
    }
    let taken = stages.address(Stage::Portal);
    let port = taken.rsplit(':').next().unwrap().to_owned();
    let _held = tokio::net::TcpListener::bind(format!("0.0.0.0:{port}"))
        .await
        .unwrap();
    for (stage, variable) in [
        ("portal", "PORT"),
        ("portal", "HEALTH_PORT"),
        ("namespace-worker", "PORT"),
    ] {
        let ports = [("PORT", "0"), ("HEALTH_PORT", "0"), (variable, &port)];
        let ended = stages
            .run_as(
                &["serve", stage],
                if stage == "portal" {
                    &ports
                } else {
                    &ports[2..]
                },
            )
            .await;
        let told = String::from_utf8(ended.stderr).unwrap();
        let said = format!("cannot listen on port {port}: set {variable} (serve.");
        assert!(told.contains(&said), "{stage} {variable}: {told}");
    }
}
