//! What is tried again, for how long, and what is told of it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected has failed"
)]

use testkit::logs::LogBuffer;
use tracing::subscriber::DefaultGuard;

use super::*;
use crate::messaging::PubSubError;

fn unreachable() -> AppError {
    AppError::PubSub(PubSubError::Unreachable {
        endpoint: "https://pubsub.googleapis.com".to_owned(),
        why: "connection refused".to_owned(),
    })
}

fn log_to(lines: &LogBuffer) -> DefaultGuard {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::set_default(subscriber)
}

fn shown() -> (HealthChecks, StartProgress) {
    let health = HealthChecks::new();
    let progress = StartProgress::shown_by(&health);
    (health, progress)
}

async fn problem(health: &HealthChecks) -> Option<String> {
    // What was found is good for a second.
    sleep(Duration::from_secs(1)).await;
    let report = health.ready().await;
    report.checks[0].problem.clone()
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_until_it_passes_and_told_once_a_minute() {
    let lines = LogBuffer::default();
    let _log = log_to(&lines);
    let (_, progress) = shown();
    let begun = Instant::now();
    let attempts = Mutex::new(0_u32);
    let prepared = until_prepared(&progress, async || {
        progress.waits_for(StartStep::PubSub);
        *attempts.lock().unwrap() += 1;
        if begun.elapsed() < Duration::from_secs(200) {
            return Err(unreachable());
        }
        Ok(())
    });
    prepared.await.unwrap();
    let attempts = *attempts.lock().unwrap();
    assert!((10..40).contains(&attempts), "{attempts} attempts");
    let told = lines.json();
    assert!((3..=4).contains(&told.len()), "{}", lines.text());
    assert_eq!(told[0]["level"], "WARN");
    assert_eq!(told[0]["fields"]["event"], "start_waits");
    assert_eq!(told[0]["fields"]["waits_for"], "pubsub");
    assert_eq!(told[0]["fields"]["seconds"], 0, "the first failure at once");
    let message = told[0]["fields"]["message"].as_str().unwrap();
    assert!(message.contains("connection refused"), "{message}");
    assert!(
        message.contains("Private Google Access"),
        "the remedy: {message}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_in_minutes_ends_the_start_with_its_own_error() {
    let (_, progress) = shown();
    let begun = Instant::now();
    let ended: Result<(), _> = until_prepared(&progress, async || {
        progress.waits_for(StartStep::PubSub);
        Err(unreachable())
    })
    .await;
    assert!(matches!(ended, Err(AppError::PubSub(_))));
    let took = begun.elapsed();
    let least = START_PATIENCE.saturating_sub(2 * PAUSES.1);
    assert!((least..=START_PATIENCE).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_pass_ends_the_start_at_once() {
    let lines = LogBuffer::default();
    let _log = log_to(&lines);
    let (_, progress) = shown();
    let begun = Instant::now();
    let ended: Result<(), _> = until_prepared(&progress, async || {
        progress.waits_for(StartStep::PubSub);
        Err(AppError::PubSub(PubSubError::Credentials(
            "no file".to_owned(),
        )))
    })
    .await;
    assert!(ended.is_err());
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(lines.text(), "", "whoever ends says why");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_neither_ends_nor_fails_is_told_and_shown() {
    let lines = LogBuffer::default();
    let _log = log_to(&lines);
    let (health, progress) = shown();
    assert_eq!(problem(&health).await.unwrap(), "begins");
    let preparing = until_prepared(&progress, async || {
        progress.waits_for(StartStep::LedgerDatabase);
        sleep(Duration::from_secs(75)).await;
        Ok(())
    });
    let watching = async {
        sleep(Duration::from_secs(30)).await;
        problem(&health).await.unwrap()
    };
    let (prepared, problem_meanwhile) = tokio::join!(preparing, watching);
    prepared.unwrap();
    assert_eq!(
        problem_meanwhile,
        "waits for ledger-database for 31 s: no answer yet"
    );
    let seconds = |event: &serde_json::Value| event["fields"]["seconds"].as_u64();
    let told: Vec<_> = lines.json().iter().filter_map(seconds).collect();
    assert_eq!(told, [10, 70]);
    progress.done();
    assert_eq!(problem(&health).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_step_that_failed_is_shown_while_earlier_ones_pass_again() {
    let (health, progress) = shown();
    progress.waits_for(StartStep::PubSub);
    progress.waits_for(StartStep::LedgerDatabase);
    progress.failed(&unreachable());
    progress.waits_for(StartStep::PubSub);
    let told = problem(&health).await.unwrap();
    assert!(
        told.starts_with("waits for ledger-database for 1 s: "),
        "{told}"
    );
    progress.waits_for(StartStep::LedgerDatabase);
    progress.waits_for(StartStep::ProvisioningDatabase);
    let told = problem(&health).await.unwrap();
    assert_eq!(
        told,
        "waits for provisioning-database for 2 s: no answer yet"
    );
}
