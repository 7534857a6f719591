//! `pgbench`, which is installed with the server's programs.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use testkit::postgres::program;
use tokio::process::Command;
use url::Url;

/// A script against a database.
pub struct PgBench {
    url: Url,
    program: PathBuf,
    script: PathBuf,
}

impl PgBench {
    /// `script` at `url`.
    pub fn new(url: &str, script: &Path) -> Self {
        Self {
            url: url.parse().unwrap(),
            program: program("pgbench"),
            script: script.to_owned(),
        }
    }

    /// Transactions a second, that is passages of the whole script, its statements prepared as the
    /// service's are.
    pub async fn run(&self, clients: u32, seconds: u64) -> f64 {
        let output = Command::new(&self.program)
            .args(["--no-vacuum", "--protocol=prepared", "--file"])
            .arg(&self.script)
            .args([
                format!("--client={clients}"),
                format!("--jobs={}", clients.min(2)),
            ])
            .arg(format!("--time={seconds}"))
            .arg(self.url.as_str())
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}{complaints}");
        assert!(
            said.contains("number of failed transactions: 0 "),
            "{said}{complaints}"
        );
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
        rate.and_then(|rate| rate.split(' ').next()?.parse().ok())
            .expect("a rate")
    }
}
