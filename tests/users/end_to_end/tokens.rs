//! What the tokens may do: known at start, told by `config check --connect`, and enough for who
//! only reads.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use lookup_gitlab_sync::messaging::wire::SyncTick;
use serde_json::Value;
use simulator::{
    control::InjectedFault,
    gitlab::{SimulatedUser, TokenChange, UserState},
    lookup::SimulatedPerson,
};
use testkit::{
    command::Variables,
    environment::ServiceEnvironment,
    metadata_server::{MetadataAnswer, MetadataServer},
};

use crate::support::environment;

const READING: &str = "glpat-reads-only";

async fn scene() -> ServiceEnvironment {
    let scene = environment(
        vec![SimulatedUser::new(42, "ab42")],
        vec![SimulatedPerson::cancelled("ab42", "Gone")],
    )
    .await;
    let reading = TokenChange {
        admin: Some(true),
        scopes: Some(vec!["read_user".to_owned()]),
        ..TokenChange::default()
    };
    scene.servers.gitlab.change_token(READING, reading);
    scene
}

async fn serve_fails(
    scene: &ServiceEnvironment,
    stages: &[&str],
    variables: Variables<'_>,
) -> String {
    let arguments = [&["serve"], stages].concat();
    let output = scene.run(&arguments, variables).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn in_mode_apply_a_token_that_cannot_block_is_refused_at_start() {
    let mut scene = scene().await;
    let token = [("GITLAB_TOKEN", READING)];
    let said = serve_fails(&scene, &["user-worker"], &token).await;
    assert!(
        said.contains("GITLAB_TOKEN has the scopes read_user"),
        "{said}"
    );
    assert!(said.contains("give it api"), "{said}");
    assert_eq!(scene.writes(), 0);
    let dry = [token[0], ("LOOKUP_GITLAB_SYNC__MODE", "dry-run")];
    scene.serve(&["user-worker"], &dry).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_reading_alone_is_no_token_for_the_worker() {
    let scene = scene().await;
    let only = [("GITLAB_TOKEN", ""), ("GITLAB_READ_TOKEN", READING)];
    let said = serve_fails(&scene, &["user-worker"], &only).await;
    assert!(said.contains("GITLAB_READ_TOKEN has the scopes"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fan_out_with_the_token_that_reads_plans_what_the_worker_does_with_the_other() {
    let mut scene = scene().await;
    let reading = [("GITLAB_TOKEN", ""), ("GITLAB_READ_TOKEN", READING)];
    scene.serve(&["fan-out"], &reading).await;
    scene.serve(&["user-worker"], &[]).await;
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
    assert_eq!(scene.state(42), UserState::Blocked);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_may_have_both() {
    let mut scene = scene().await;
    scene.serve(&[], &[("GITLAB_READ_TOKEN", READING)]).await;
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
    assert_eq!(scene.state(42), UserState::Blocked);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_two_accounts_are_refused_at_start() {
    let scene = scene().await;
    let other = SimulatedUser {
        is_admin: true,
        ..SimulatedUser::new(7, "another-admin")
    };
    let row = serde_json::json!({"username": other.username, "is_admin": true});
    scene.servers.gitlab.change_user(7, row).unwrap();
    let theirs = TokenChange {
        user_id: Some(7),
        ..TokenChange::default()
    };
    scene.servers.gitlab.change_token(READING, theirs);
    let said = serve_fails(&scene, &[], &[("GITLAB_READ_TOKEN", READING)]).await;
    assert!(said.contains("use one account for both"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn config_check_connect_says_what_each_token_may_do_and_what_is_missing() {
    let scene = scene().await;
    let both = [("GITLAB_READ_TOKEN", READING)];
    let check = ["config", "check", "--connect", "--output", "json"];
    let (lines, exit) = checked(&scene, &check, &both).await;
    assert_eq!(exit, Some(0));
    let of = |name: &str| {
        lines
            .get(name)
            .unwrap_or_else(|| panic!("{name} in {lines:?}"))
    };
    assert_eq!(of("GITLAB_READ_TOKEN scopes")["finding"], "read_user");
    assert_eq!(of("GITLAB_READ_TOKEN rights")["result"], "ok");
    assert_eq!(of("GITLAB_TOKEN rights")["result"], "ok");
    let owner = of("GITLAB_TOKEN owner");
    assert_eq!(owner["result"], "warning");
    let remedy = owner["remedy"].as_str().unwrap();
    assert!(remedy.contains("is not a service account"), "{remedy}");

    let swapped = [("GITLAB_TOKEN", READING)];
    let (lines, exit) = checked(&scene, &check, &swapped).await;
    assert_eq!(exit, Some(78));
    let scopes = &lines["GITLAB_TOKEN scopes"];
    assert_eq!(scopes["result"], "failed");
    assert_eq!(scopes["remedy"], "it lacks the scope api: it cannot block");
}

/// The checks by name, and the exit code.
async fn checked(
    scene: &ServiceEnvironment,
    check: &[&str],
    variables: Variables<'_>,
) -> (BTreeMap<String, Value>, Option<i32>) {
    let output = scene.run(check, variables).await;
    let lines = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["check"].as_str().unwrap().to_owned(), line)
    };
    (lines.lines().map(line).collect(), output.status.code())
}

const CONTROL: (&str, &str) = (
    "LOOKUP_GITLAB_SYNC__DIRECTORY__CONTROLS__CANCELLED",
    "[\"ab42\"]",
);

#[tokio::test(flavor = "multi_thread")]
async fn config_check_connect_names_what_each_system_lacks() {
    let scene = scene().await;
    let check = ["config", "check", "--connect", "--output", "json"];
    let (lines, exit) = checked(&scene, &check, &[]).await;
    assert_eq!(exit, Some(0), "{lines:?}");
    for name in [
        "gitlab version",
        "gitlab listing",
        "gitlab graphql",
        "directory",
    ] {
        assert_eq!(lines[name]["result"], "ok", "{lines:?}");
    }
    assert_eq!(lines["directory controls"]["result"], "warning");
    let (lines, _) = checked(&scene, &check, &[CONTROL]).await;
    let controls = &lines["directory controls"];
    assert_eq!(controls["result"], "warning", "{controls}");
    let finding = controls["finding"].as_str().unwrap();
    assert!(finding.contains("only of one kind"), "{finding}");
    // The tests' own: redeliveries come at once, which loses nothing.
    assert_eq!(lines["pubsub"]["result"], "warning", "{lines:?}");
    assert_eq!(scene.writes(), 0);

    expires(&scene, today().saturating_add(9.days()));
    let broken = InjectedFault {
        status: Some(500),
        ..InjectedFault::on("*", "*")
    };
    scene.servers.lookup.control().inject(broken).unwrap();
    let (lines, exit) = checked(&scene, &check, &[]).await;
    assert_eq!(lines["GITLAB_TOKEN expiry"]["result"], "warning");
    assert_eq!(lines["directory"]["result"], "failed", "{lines:?}");
    assert_eq!(exit, Some(4));
    scene.servers.lookup.control().clear_faults();

    let nowhere = format!("127.0.0.1:{}", testkit::port::free_port());
    let no_broker = [("PUBSUB_EMULATOR_HOST", nowhere.as_str())];
    let (lines, exit) = checked(&scene, &check, &no_broker).await;
    assert_eq!(lines["pubsub"]["result"], "failed", "{lines:?}");
    assert_eq!(exit, Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_on_which_the_token_expires_is_told_by_plan_readiness_and_metrics() {
    let mut scene = scene().await;
    let day = today().saturating_add(9.days());
    expires(&scene, day);
    let said = format!("GITLAB_TOKEN expires on {day}");
    let plan = scene.run(&["plan"], &[]).await;
    let words = String::from_utf8(plan.stderr).unwrap();
    assert!(
        words.contains(&format!("{said}: rotate it before that day")),
        "{words}"
    );
    assert_eq!(summary(&scene).await["token_expires"], day.to_string());

    scene.serve(&["user-worker"], &[]).await;
    let at = scene.serving(0).url("");
    let page = async |path: &str| {
        let page = reqwest::get(format!("{at}{path}")).await.unwrap();
        page.text().await.unwrap()
    };
    let ready: Value = serde_json::from_str(&page("/readyz").await).unwrap();
    let advice =
        format!("{said}: rotate it before that day with `lookup-gitlab-sync token rotate`");
    assert_eq!(ready["notes"], serde_json::json!([advice]));
    let midnight = TimeZone::UTC.to_timestamp(day.into()).unwrap().as_second();
    let line =
        format!("sync_gitlab_token_expiry_timestamp_seconds{{token=\"GITLAB_TOKEN\"}} {midnight}");
    let metrics = page("/metrics").await;
    assert!(metrics.lines().any(|said| said == line), "{metrics}");

    expires(&scene, today().saturating_add(300.days()));
    let plan = scene.run(&["plan"], &[]).await;
    let words = String::from_utf8(plan.stderr).unwrap();
    assert!(!words.contains("expires"), "{words}");
}

fn today() -> Date {
    Timestamp::now().to_zoned_datetime(TimeZone::UTC).date()
}

fn expires(scene: &ServiceEnvironment, day: Date) {
    let change = TokenChange {
        expires_at: Some(day),
        ..TokenChange::default()
    };
    let token = scene.servers.gitlab.token().to_owned();
    scene.servers.gitlab.change_token(&token, change);
}

async fn summary(scene: &ServiceEnvironment) -> Value {
    let plan = scene.run(&["plan", "--output", "json"], &[]).await;
    let lines = String::from_utf8(plan.stdout).unwrap();
    serde_json::from_str(lines.lines().last().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_is_an_owner_without_a_warning() {
    let scene = scene().await;
    let own = scene.servers.gitlab.owner();
    let row = serde_json::json!({"user_type": "service_account"});
    scene.servers.gitlab.change_user(own, row).unwrap();
    let check = ["config", "check", "--connect", "--output", "json"];
    let (lines, exit) = checked(&scene, &check, &[]).await;
    assert_eq!(exit, Some(0));
    assert_eq!(lines["GITLAB_TOKEN owner"]["result"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn config_check_connect_fetches_an_identity_token_where_calls_carry_one() {
    let (scene, metadata) = (scene().await, MetadataServer::start().await);
    let check = ["config", "check", "--connect", "--output", "json"];
    let host = ("GCE_METADATA_HOST", metadata.host.as_str());
    let (lines, _) = checked(&scene, &check, &[host]).await;
    assert!(!lines.contains_key("identity token"), "{lines:?}");
    assert_eq!(metadata.asked(), [""; 0]);

    let audience = (
        "LOOKUP_GITLAB_SYNC__NAMESPACES__IDENTITY_AUDIENCE",
        "https://provisioning.example.run.app",
    );
    let (lines, exit) = checked(&scene, &check, &[host, audience]).await;
    assert_eq!(lines["identity token"]["result"], "ok", "{lines:?}");
    assert_eq!(exit, Some(0));

    metadata.answer(MetadataAnswer::Page(404, String::new()));
    let (lines, exit) = checked(&scene, &check, &[host, audience]).await;
    let line = &lines["identity token"];
    assert_eq!(line["result"], "failed", "{line}");
    let remedy = line["remedy"].as_str().unwrap();
    assert!(remedy.contains("namespaces.identity_audience"), "{remedy}");
    assert_eq!(exit, Some(4));
}
