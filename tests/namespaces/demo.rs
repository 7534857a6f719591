//! `demo --namespaces` as a person or a program runs it.

use std::{
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use testkit::wait::until;
use tokio::process::Command;

/// In an environment whose settings are for other servers, none of which there are; and with a
/// folder of its own.
fn demo(arguments: &[&str], folder: &Path) -> Command {
    let mut command = testkit::command::isolated(testkit::service_binary!());
    command
        .args(["demo", "--namespaces"])
        .args(arguments)
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("TMPDIR", folder)
        .env("DATABASE_URL", "postgres://nobody:secret@127.0.0.1:1/none")
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", "1")
        .env("PGSSLMODE", "require")
        .env("PORTAL_URL", "http://127.0.0.1:1")
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// That the server's user can reach too, where the tests run as root.
fn folder() -> tempfile::TempDir {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    folder
}

fn left_behind(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

async fn run(arguments: &[&str]) -> Output {
    let folder = folder();
    let demo = demo(arguments, folder.path()).output();
    let output = tokio::time::timeout(Duration::from_mins(3), demo)
        .await
        .expect("the demo ends")
        .unwrap();
    assert_eq!(left_behind(folder.path()), 0, "it left something behind");
    output
}

#[tokio::test]
async fn the_demo_tells_every_act_and_ends_well() {
    let told = run(&[]).await;
    let text = String::from_utf8(told.stdout).unwrap();
    let errors = String::from_utf8(told.stderr).unwrap();
    assert_eq!(
        (told.status.code(), errors.as_str()),
        (Some(0), ""),
        "{text}"
    );
    for line in [
        "   portal: 201, sync 1 is new",
        "   portal: 200, sync 1 has it already",
        "   attempt 2: skipped",
        "   attempt 4: partially_failed (422): Gitlab subscription trial starts on can't be blank",
        "   parts: base_product: error, storage: success, compute_minutes: success, add_on_purchases: success",
        "   attempt 6: retrying (503): The provisioning API answered 503 (provision): it is down, overloaded or in maintenance: wait, or ask those who run it",
        "   attempt 9: completed (200)",
        "   GitLab: ultimate with 50 seats, 200 MiB, 90 minutes, Duo Enterprise for 50; rows in history: 2",
        "Everything ended as expected.",
    ] {
        assert!(
            text.lines().any(|told| told.starts_with(line)),
            "{line}\n{text}"
        );
    }
}

#[tokio::test]
async fn the_demo_is_one_json_document_for_a_program() {
    let told = run(&["--output", "json"]).await;
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let report: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(report["ok"], true);
    let acts = report["acts"].as_array().unwrap();
    let names: Vec<&str> = acts
        .iter()
        .map(|act| act["act"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "purchase",
            "unchanged",
            "change",
            "broken_rule",
            "outage",
            "dead_letter"
        ]
    );
    let broken = &acts[3]["attempts"][0];
    assert_eq!(broken["http_status"], 422);
    assert_eq!(broken["parts"]["base_product"]["status"], "error");
    assert_eq!(broken["parts"]["storage"]["status"], "success");
    assert_eq!(acts[5]["dead_letter"]["reason"], "refused");
    assert_eq!(acts[5]["gitlab"]["seats"], 5);
}

/// However it ends: a kill leaves it no time to clear up.
#[tokio::test]
async fn a_demo_that_is_stopped_or_killed_leaves_no_server_behind() {
    for signal in ["-TERM", "-KILL"] {
        let folder = folder();
        let mut demo = demo(&[], folder.path()).spawn().unwrap();
        let ready = async || {
            let state = find(folder.path(), "data/postmaster.pid");
            state.is_some_and(|state| state.contains("ready"))
        };
        until("its server", ready).await;
        let pid = demo.id().unwrap().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.await.unwrap().success());
        let ended = demo.wait().await.unwrap();
        assert_eq!(ended.code(), (signal == "-TERM").then_some(130));
        until("all to be gone", async || left_behind(folder.path()) == 0).await;
    }
}

fn find(folder: &Path, file: &str) -> Option<String> {
    let own = std::fs::read_dir(folder).unwrap().next()?.unwrap().path();
    std::fs::read_to_string(own.join(file)).ok()
}

#[tokio::test]
async fn the_demo_of_namespaces_has_no_accounts() {
    let told = demo(&["--users", "5"], Path::new("/"))
        .output()
        .await
        .unwrap();
    assert_eq!(told.status.code(), Some(2), "{told:?}");
}
