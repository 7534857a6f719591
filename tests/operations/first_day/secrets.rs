//! Secrets in files, replaced under a process that runs.

use std::path::Path;

use lookup_gitlab_sync::messaging::wire::SyncTick;
use serde_json::Value;
use simulator::{
    gitlab::{REDUCED_TOKEN, SimulatedUser, TokenChange, UserState},
    lookup::{CLIENT_SECRET, SimulatedPerson},
};
use testkit::wait::until;

use crate::support::environment;

/// As an orchestrator does: a finished file, renamed over the old one.
fn put(file: &Path, text: &str) {
    let next = file.with_extension("next");
    std::fs::write(&next, text).unwrap();
    std::fs::rename(next, file).unwrap();
}

fn events<'l>(lines: &'l [Value], event: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_replaced_in_its_file_is_taken_up_at_the_first_refusal_and_closes_no_gate()
{
    let accounts = vec![
        SimulatedUser::new(42, "spqr1"),
        SimulatedUser::new(43, "spqr2"),
    ];
    let people = vec![
        SimulatedPerson::cancelled("spqr1", "Gone"),
        SimulatedPerson::current("spqr2", "Here"),
    ];
    let scene = environment(accounts, people).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let token = scene.servers.gitlab.token();
    put(&file, token);
    let variables = [
        ("GITLAB_TOKEN", ""),
        ("GITLAB_TOKEN_FILE", file.to_str().unwrap()),
    ];
    let serving = scene.serve_logged(&[], &variables).await;
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
    assert_eq!(scene.state(42), UserState::Blocked);

    let successor = TokenChange {
        admin: Some(true),
        scopes: Some(vec!["api".to_owned(), "admin_mode".to_owned()]),
        ..TokenChange::default()
    };
    scene.servers.gitlab.change_token(REDUCED_TOKEN, successor);
    let revoked = TokenChange {
        revoked: Some(true),
        ..TokenChange::default()
    };
    put(&file, REDUCED_TOKEN);
    scene.servers.gitlab.change_token(token, revoked);
    scene.servers.lookup.set_cancelled("spqr2", true);
    scene.resync_person("spqr2").await;
    scene.quiet().await;
    assert_eq!(scene.state(43), UserState::Blocked);
    let lines = serving.finish_json().await;
    assert_eq!(events(&lines, "gate_closed"), [&Value::Null; 0]);
    let read = events(&lines, "credentials_read_again");
    assert_eq!(read.len(), 1, "{lines:?}");
    assert_eq!(read[0]["setting"], "GITLAB_TOKEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_secret_that_is_put_right_in_its_file_opens_the_gate_without_a_restart() {
    let scene = environment(
        vec![SimulatedUser::new(42, "spqr1")],
        vec![SimulatedPerson::cancelled("spqr1", "Gone")],
    )
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    put(&file, "mistyped");
    let variables = [
        ("LOOKUP_CLIENT_SECRET", ""),
        ("LOOKUP_CLIENT_SECRET_FILE", file.to_str().unwrap()),
    ];
    let serving = scene.serve_logged(&[], &variables).await;
    scene.tick(SyncTick::default()).await;
    until("the gate closes", async || {
        serving
            .lines()
            .iter()
            .any(|line| line.contains("gate_closed"))
    })
    .await;
    put(&file, CLIENT_SECRET);
    scene.quiet().await;
    assert_eq!(scene.state(42), UserState::Blocked);
    let lines = serving.finish_json().await;
    let read = events(&lines, "credentials_read_again");
    assert_eq!(read[0]["setting"], "LOOKUP_CLIENT_SECRET");
}
