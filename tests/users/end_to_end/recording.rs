//! The command `simulate` on the recordings of a real GitLab.

use std::process::Stdio;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// The command, until it is dropped; the first line it prints.
async fn simulate(arguments: &[&str]) -> (Child, Value) {
    let mut child = Command::new(testkit::service_binary!())
        .arg("simulate")
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.next_line().await.unwrap().unwrap();
    (child, serde_json::from_str(&ready).unwrap())
}

#[tokio::test]
async fn the_command_serves_a_recording_with_its_roles_and_costs() {
    let directory = testkit::project::root().join("crates/simulator/tests/servers/recorded");
    let directory = directory.to_str().unwrap();
    let recording = ["--gitlab-recording", directory, "--without-pubsub"];
    let (_child, ready) = simulate(&[&recording[..], &["--gitlab-cost", "real"]].concat()).await;
    assert_eq!(ready["gitlab_cost"], "real");
    let url = format!("{}/api/v4/user", ready["gitlab"].as_str().unwrap());
    for (role, status) in [
        ("admin", 200),
        ("read_repo", 403),
        ("chgpw1", 403),
        ("wrong", 401),
    ] {
        let request = reqwest::Client::new()
            .get(&url)
            .header("private-token", format!("role-{role}"));
        assert_eq!(request.send().await.unwrap().status(), status, "{role}");
    }
}

#[tokio::test]
async fn the_command_listens_where_it_is_told() {
    let (_child, ready) = simulate(&["--bind", "127.0.0.2", "--users", "20"]).await;
    for server in ["gitlab", "lookup", "pubsub"] {
        let address = ready[server].as_str().unwrap();
        let address = address.trim_start_matches("http://");
        assert!(address.starts_with("127.0.0.2:"), "{server}: {address}");
        let connection = tokio::net::TcpStream::connect(address).await;
        assert!(connection.is_ok(), "{server}: {connection:?}");
        let elsewhere = address.replace("127.0.0.2", "127.0.0.1");
        let connection = tokio::net::TcpStream::connect(elsewhere).await;
        assert!(connection.is_err(), "{server} listens on 127.0.0.1 too");
    }
}
