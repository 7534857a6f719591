//! The sync as it is usually written, in Python on the published clients.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::process::Command;

use crate::{binary, servers::Servers};

/// Runs it to its end: `one` or `lists`. What it took begins at its first call and leaves out how
/// long Python starts.
pub async fn run(python: &Path, way: &str, servers: &Servers) -> Duration {
    let output = Command::new(python)
        .arg(binary::project("benches/baseline/sync.py"))
        .arg(way)
        .env_clear()
        .envs(servers.environment.iter().cloned())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    Duration::from_secs_f64(report["seconds"].as_f64().unwrap())
}
