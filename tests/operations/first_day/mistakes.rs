//! The ten most likely mistakes of the first day: each is told with what to do next.

use std::process::Output;

use regex::Regex;
use simulator::{
    gitlab::{ADMINISTRATORS_TOKEN, REDUCED_TOKEN, SimulatedUser, TokenChange},
    lookup::SimulatedPerson,
};
use testkit::{command::Variables, environment::ServiceEnvironment};

use crate::support::environment;

/// Exit code and standard error, with what differs from run to run replaced.
fn told(output: &Output) -> String {
    let code = output.status.code().expect("it ends by itself");
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    let said = Regex::new(r"run [0-9a-f-]{36}")
        .unwrap()
        .replace_all(&said, "run ID");
    let said = Regex::new(r"tick [0-9]+ ")
        .unwrap()
        .replace_all(&said, "tick N ");
    // Published beside the run, so that it may come after the run's end, and is not shown then.
    let said = said.replace("the run reads GitLab and the directory\n", "");
    format!("exit code {code}\n{said}")
}

async fn scene() -> ServiceEnvironment {
    let accounts = vec![
        SimulatedUser::new(42, "spqr1"),
        SimulatedUser::new(43, "spqr2"),
    ];
    let people = vec![
        SimulatedPerson::cancelled("spqr1", "Gone"),
        SimulatedPerson::cancelled("spqr2", "Gone"),
    ];
    environment(accounts, people).await
}

async fn mistake(arguments: &[&str], variables: Variables<'_>) -> String {
    told(&scene().await.run(arguments, variables).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn m01_a_wrong_address() {
    insta::assert_snapshot!(mistake(&["plan"], &[("GITLAB_URL", "http://127.0.0.1:1")]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn m02_http_instead_of_https() {
    let variables = [("GITLAB_URL", "http://gitlab.example.ac.uk")];
    insta::assert_snapshot!(mistake(&["plan"], &variables).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn m03_an_expired_token() {
    let scene = scene().await;
    let expired = TokenChange {
        expires_at: Some("2020-01-01".parse().unwrap()),
        ..TokenChange::default()
    };
    scene
        .servers
        .gitlab
        .change_token(ADMINISTRATORS_TOKEN, expired);
    insta::assert_snapshot!(told(&scene.run(&["plan"], &[]).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn m04_a_token_without_admin_mode() {
    let variables = [("GITLAB_TOKEN", REDUCED_TOKEN)];
    let told = mistake(&["plan"], &variables).await;
    insta::assert_snapshot!(
        Regex::new("account [0-9]+")
            .unwrap()
            .replace_all(&told, "account N")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn m05_empty_credentials_for_lookup() {
    let variables = [("LOOKUP_CLIENT_ID", ""), ("LOOKUP_CLIENT_SECRET", "")];
    insta::assert_snapshot!(mistake(&["plan"], &variables).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn m06_a_pubsub_that_cannot_be_reached() {
    let variables = [("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")];
    insta::assert_snapshot!(mistake(&["tick"], &variables).await);
}

const ELSEWHERE: Variables<'static> = &[("LOOKUP_GITLAB_SYNC__PUBSUB__PREFIX", "staging-")];

#[tokio::test(flavor = "multi_thread")]
async fn m07a_a_missing_subscription() {
    let scene = scene().await;
    let output = scene.run(&["serve", "--log-level=error"], ELSEWHERE).await;
    insta::assert_snapshot!(told(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn m07b_a_missing_topic() {
    let told_by_tick = mistake(&["tick"], ELSEWHERE).await;
    let told_by_follow = mistake(&["tick", "--follow"], ELSEWHERE).await;
    insta::assert_snapshot!(format!("{told_by_tick}{told_by_follow}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn m08_a_pattern_without_crsid() {
    let key = "LOOKUP_GITLAB_SYNC__USERS__USERNAME_PATTERNS";
    insta::assert_snapshot!(mistake(&["plan"], &[(key, "['^([a-z]+[0-9]+)$']")]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn m09_a_typo_in_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("typo.toml");
    std::fs::write(&file, "[gitlab]\nurll = 'https://gitlab.example.ac.uk'\n").unwrap();
    let file = file.to_str().unwrap();
    let told = mistake(&["plan", "--config", file], &[]).await;
    insta::assert_snapshot!(told.replace(file, "typo.toml"));
}

#[tokio::test(flavor = "multi_thread")]
async fn m10_a_mode_left_at_dry_run() {
    let scene = scene().await;
    let variables = [("LOOKUP_GITLAB_SYNC__MODE", "dry-run")];
    let serving = scene.serve_logged(&[], &variables).await;
    let followed = scene.run(&["tick", "--follow"], &[]).await;
    let asked_for = scene.run(&["tick", "--dry-run", "--follow"], &[]).await;
    let lines = serving.finish_json().await;
    let warned = lines.iter().find(|line| line["event"] == "dry_run_mode");
    let warned = warned.expect("it warns at start");
    insta::assert_snapshot!(format!(
        "serve: {} {}\n\ntick --follow: {}\ntick --dry-run --follow: {}",
        warned["severity"],
        warned["message"],
        told(&followed),
        told(&asked_for)
    ));
    assert_eq!(scene.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn m11_a_proxy_that_is_none() {
    let elsewhere = ("GITLAB_URL", "https://gitlab.example.ac.uk");
    let junk = [elsewhere, ("HTTPS_PROXY", "http://user:hush@a proxy")];
    let away = [elsewhere, ("ALL_PROXY", "http://127.0.0.1:1")];
    insta::assert_snapshot!(format!(
        "{}\n{}",
        mistake(&["plan"], &junk).await,
        mistake(&["plan"], &away).await
    ));
}
