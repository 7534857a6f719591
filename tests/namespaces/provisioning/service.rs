//! The real `serve provisioning-api`, as a process.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// Starts it on the database and for the portal at these addresses; it ends with the child. Its own address.
pub async fn serve(database: &str, portal: &str) -> (Child, String) {
    let mut service = Command::new(env!("CARGO_BIN_EXE_lookup-gitlab-sync"))
        .args(["serve", "provisioning-api", "--log-format=json"])
        .env_clear()
        .envs(testkit::clock::variables())
        .env("PORT", "0")
        .env("DATABASE_URL", database)
        .env("PORTAL_URL", portal)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(service.stdout.take().unwrap()).lines();
    let port = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["event"] == "serving" {
                return line["port"].as_u64().unwrap();
            }
        }
        panic!("it does not serve");
    };
    let port = timeout(Duration::from_mins(3), port)
        .await
        .expect("it serves");
    // Read on, so that it never waits for us.
    tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
    (service, format!("http://127.0.0.1:{port}"))
}
