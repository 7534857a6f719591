//! The published Python clients as judges of the simulated servers, and as drivers of the service.
//!
//! Each test starts the servers and runs one module of cases, which reports each case by name.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use pubsub_emulator::DeliveryCounts;
use simulator::population::Population;
use simulator::servers::{PROJECT, ServerSettings, SimulatedServers};
use testkit::{
    command::{isolated, succeed},
    process::ChildProcess,
    wait::{until, within},
};
use tokio::process::Command;

/// Enough for several pages.
const USERS: usize = 300;

fn population() -> Population {
    let today = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date();
    Population::generate(USERS, 20_261_122, today)
}

fn python_with_clients() -> Option<PathBuf> {
    let programs =
        testkit::python::environment("tests/project/interop", "the published Python clients")?;
    Some(programs.join("python"))
}

/// Runs a module of cases, or some of it, in the environment that points at the servers.
async fn judge(python: &Path, servers: &SimulatedServers, module_and_cases: &[&str]) {
    let run = Command::new(python)
        .arg("run.py")
        .args(module_and_cases)
        .current_dir(testkit::project::root().join("tests/project/interop"))
        .envs(servers.environment())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = within("the cases come to their end", run).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let also = String::from_utf8_lossy(&output.stderr);
    eprintln!("{said}");
    assert!(output.status.success(), "{said}\n{also}");
}

async fn servers() -> SimulatedServers {
    SimulatedServers::start(&population(), ServerSettings::default())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn python_gitlab_finds_the_gitlab_it_knows() {
    let Some(python) = python_with_clients() else {
        return;
    };
    judge(&python, &servers().await, &["gitlab_cases"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ucam_identitylib_finds_the_lookup_it_knows() {
    let Some(python) = python_with_clients() else {
        return;
    };
    judge(&python, &servers().await, &["lookup_cases"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn google_cloud_pubsub_for_python_finds_the_pubsub_it_knows() {
    let Some(python) = python_with_clients() else {
        return;
    };
    judge(&python, &servers().await, &["pubsub_cases"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_published_by_python_drive_the_service_to_the_right_end() {
    let Some(python) = python_with_clients() else {
        return;
    };
    let population = population();
    let servers = SimulatedServers::start(&population, ServerSettings::default())
        .await
        .unwrap();
    succeed(&mut service(&servers, &["topology", "apply"])).await;
    let mut serving = ChildProcess::spawn(&mut service(&servers, &["serve", "--log-format=json"]));
    serving.port().await;

    let tick = "a_tick_is_followed_by_one_outcome_an_account";
    judge(&python, &servers, &["service_cases", tick]).await;
    until_all_is_acked(&servers).await;
    assert_eq!(population.check(&servers.gitlab.snapshot()), []);

    for case in [
        "a_resync_blocks_and_unblocks_the_one_person",
        "a_body_that_is_no_request_is_dead_lettered_with_the_reason",
    ] {
        judge(&python, &servers, &["service_cases", case]).await;
    }
}

/// The real binary, pointed at the servers.
fn service(servers: &SimulatedServers, arguments: &[&str]) -> Command {
    let mut command = isolated(testkit::service_binary!());
    command
        .args(arguments)
        .envs(servers.environment())
        .env("PORT", "0");
    command
}

async fn until_all_is_acked(servers: &SimulatedServers) {
    until("all is acked", async || {
        ["sync-tick-fan-out", "user-sync-worker"]
            .iter()
            .all(|name| is_quiet(counts(servers, name)))
    })
    .await;
}

fn counts(servers: &SimulatedServers, subscription: &str) -> DeliveryCounts {
    let name = format!("projects/{PROJECT}/subscriptions/{subscription}");
    let broker = servers.broker.as_ref().unwrap();
    broker.counts(&name).unwrap()
}

fn is_quiet(counts: DeliveryCounts) -> bool {
    counts.published == counts.acked && counts.outstanding == 0 && counts.waiting == 0
}
