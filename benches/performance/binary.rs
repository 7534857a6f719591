//! The program that is measured: built for release, without the tests' fail points.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// Names another binary to be measured, such as that of an earlier commit.
const ANOTHER: &str = "LOOKUP_GITLAB_SYNC_BINARY";

/// The binary, built at the first call.
pub fn service() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(another) = std::env::var_os(ANOTHER) {
            return another.into();
        }
        cargo(&[
            "build",
            "--release",
            "--locked",
            "--bin",
            "lookup-gitlab-sync",
        ]);
        target().join("release/lookup-gitlab-sync")
    })
}

/// Runs cargo in this project to its end.
pub fn cargo(arguments: &[&str]) {
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(testkit::project::root())
        .env("CARGO_TARGET_DIR", target())
        .status()
        .unwrap();
    assert!(status.success(), "cargo {arguments:?}: {status}");
}

/// Where cargo builds: this program lies in `<target>/release/deps`.
pub fn target() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    here.ancestors().nth(3).unwrap().to_owned()
}

/// A file of the project.
pub fn project(path: &str) -> PathBuf {
    testkit::project::root().join(path)
}

/// Runs a command of the service to its end; what it printed.
pub async fn run(arguments: &[&str], environment: &[(String, String)]) -> Vec<u8> {
    let output = tokio::process::Command::new(service())
        .args(arguments)
        .env_clear()
        .envs(environment.iter().cloned())
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    output.stdout
}
