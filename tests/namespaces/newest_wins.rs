//! What a namespace has at the end is its newest recorded sync.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use lookup_gitlab_sync::messaging::{Disposition, Handler};
use sqlx::{Connection, PgConnection};
use testkit::wait::until;
use tokio::sync::Notify;

use crate::{
    receiver::Turn,
    worker_fixture::{NAMESPACE, WorkerFixture, delivery, word},
};

#[tokio::test]
async fn an_old_message_sends_the_newest_sync() {
    let fixture = WorkerFixture::new().await;
    fixture.record(1).await;
    fixture.record(2).await;
    assert_eq!(word(&fixture.deliver().await), "done: completed");
    assert_eq!(word(&fixture.deliver().await), "done: skipped");
    assert_eq!(fixture.receiver.seats(), [2]);
}

#[tokio::test]
async fn a_sync_recorded_during_a_call_is_sent_after_it() {
    let fixture = WorkerFixture::new().await;
    let go = Arc::new(Notify::new());
    fixture.receiver.then([Turn::When(Arc::clone(&go))]);
    fixture.record(1).await;
    let worker = Arc::clone(&fixture.worker);
    let handling = tokio::spawn(async move { worker.handle(delivery(1)).await });
    fixture.receiver.received(1).await;
    fixture.record(2).await;
    go.notify_one();
    assert_eq!(word(&handling.await.unwrap()), "done: completed");
    assert_eq!(fixture.receiver.seats(), [1, 2]);
}

/// Documents are recorded while several workers are handed duplicates, late ones among them, and
/// some calls are lost.
#[tokio::test]
async fn in_any_order_and_with_any_duplication_the_newest_is_there_at_the_end() {
    let fixture = WorkerFixture::new().await;
    fixture.record(1).await;
    let workers: Vec<_> = (0..3)
        .map(|_| fixture.another_worker(Duration::ZERO))
        .collect();
    fixture.receiver.then([
        Turn::Empty,
        Turn::Json(504, serde_json::json!({})),
        Turn::Empty,
    ]);
    let delivering = workers.iter().flat_map(|worker| {
        (0..8).map(|number| {
            let worker = Arc::clone(worker);
            async move {
                tokio::time::sleep(Duration::from_millis(number * 7)).await;
                worker.handle(delivery(1)).await
            }
        })
    });
    let recording = async {
        for seats in [2, 3, 2, 4, 4, 1, 5] {
            fixture.record(seats).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (ends, ()) = futures::join!(join_all(delivering), recording);
    // What Pub/Sub would deliver again.
    for end in ends {
        if !matches!(end, Disposition::Done(_)) {
            let end = workers[0].handle(delivery(2)).await;
            assert!(matches!(end, Disposition::Done(_)), "{}", word(&end));
        }
    }
    fixture.deliver().await;
    assert_eq!(fixture.receiver.seats().last(), Some(&5));
    let states = fixture.states().await;
    assert!(states.contains(&"completed"), "{states:?}");
    let open: i64 =
        sqlx::query_scalar("SELECT count(*) FROM namespace_sync_attempts WHERE state = 'started'")
            .fetch_one(&fixture.pool)
            .await
            .unwrap();
    assert_eq!(open, 0);
}

#[tokio::test]
async fn one_call_at_a_time_for_a_namespace_whichever_worker() {
    let fixture = WorkerFixture::new().await;
    let go = Arc::new(Notify::new());
    fixture.receiver.then([Turn::When(Arc::clone(&go))]);
    fixture.record(1).await;
    let first = Arc::clone(&fixture.worker);
    let first = tokio::spawn(async move { first.handle(delivery(1)).await });
    fixture.receiver.received(1).await;
    let other = fixture.another_worker(Duration::ZERO);
    let second = tokio::spawn(async move { other.handle(delivery(1)).await });
    until("the second worker waits", async || {
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))")
            .fetch_one(&fixture.pool)
            .await
            .unwrap()
    })
    .await;
    assert_eq!(fixture.receiver.calls().len(), 1);
    go.notify_one();
    assert_eq!(word(&first.await.unwrap()), "done: completed");
    assert_eq!(word(&second.await.unwrap()), "done: skipped");
}

#[tokio::test]
async fn an_attempt_whose_worker_went_away_is_abandoned_and_made_again() {
    let fixture = WorkerFixture::new().await;
    fixture.receiver.then([Turn::When(Arc::default())]);
    fixture.record(1).await;
    let worker = Arc::clone(&fixture.worker);
    let handling = tokio::spawn(async move { worker.handle(delivery(1)).await });
    fixture.receiver.received(1).await;
    handling.abort();
    assert!(handling.await.unwrap_err().is_cancelled());
    assert_eq!(fixture.states().await, ["started"]);
    let overdue = async |after| {
        let history = fixture.ledger.history(NAMESPACE, 1, after).await.unwrap();
        history[0].attempts[0].overdue
    };
    assert!(overdue(Duration::ZERO).await, "it is told as overdue");
    assert!(!overdue(Duration::from_hours(1)).await);
    assert_eq!(word(&fixture.deliver().await), "done: completed");
    assert_eq!(fixture.states().await, ["abandoned", "completed"]);
    assert!(!overdue(Duration::ZERO).await, "it is closed");
}

#[tokio::test]
async fn newer_content_waits_until_a_lost_call_with_older_content_can_no_longer_overtake_it() {
    let settle = Duration::from_secs(2);
    let fixture = WorkerFixture::with(Duration::from_mins(1), settle).await;
    fixture.receiver.then([Turn::When(Arc::default())]);
    fixture.record(1).await;
    let worker = Arc::clone(&fixture.worker);
    let handling = tokio::spawn(async move { worker.handle(delivery(1)).await });
    fixture.receiver.received(1).await;
    handling.abort();
    fixture.record(2).await;
    assert_eq!(word(&fixture.deliver().await), "done: completed");
    let history = fixture.history().await;
    let (newer, older) = (&history[0].attempts, &history[1].attempts);
    assert_eq!((newer.len(), older.len()), (1, 1));
    let apart = newer[0].started_at.duration_since(older[0].started_at);
    assert!(apart >= settle.try_into().unwrap(), "{apart}");
}

/// The arrival itself waited for the lost call.
#[tokio::test]
async fn what_has_arrived_is_skipped_at_once_however_recently_an_older_call_was_lost() {
    let fixture = WorkerFixture::with(Duration::from_mins(1), Duration::from_hours(1)).await;
    fixture
        .receiver
        .then([Turn::Json(504, serde_json::json!({}))]);
    fixture.record(1).await;
    assert_eq!(word(&fixture.deliver().await), "hold: provisioning");
    fixture.record(2).await;
    let hasty = fixture.another_worker(Duration::ZERO);
    assert_eq!(word(&hasty.handle(delivery(1)).await), "done: completed");
    assert_eq!(word(&fixture.deliver().await), "done: skipped");
}

#[tokio::test]
async fn a_session_cut_during_a_call_leaves_an_attempt_that_the_next_delivery_settles() {
    let fixture = WorkerFixture::with(Duration::from_mins(1), Duration::ZERO).await;
    let go = Arc::new(Notify::new());
    fixture.receiver.then([Turn::When(Arc::clone(&go))]);
    fixture.record(1).await;
    let worker = Arc::clone(&fixture.worker);
    let handling = tokio::spawn(async move { worker.handle(delivery(1)).await });
    fixture.receiver.received(1).await;
    let mut other = PgConnection::connect(&fixture.url()).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
        .execute(&mut other)
        .await
        .unwrap();
    go.notify_one();
    assert_eq!(word(&handling.await.unwrap()), "retry");
    assert_eq!(fixture.states().await, ["started"]);
    assert_eq!(word(&fixture.deliver().await), "done: completed");
    assert_eq!(fixture.states().await, ["abandoned", "completed"]);
}
