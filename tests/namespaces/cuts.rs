//! The worker's connections are cut in the middle of a statement, and its server stopped in the
//! middle of a call: the next delivery makes it good.

use std::{sync::Arc, time::Duration};

use lookup_gitlab_sync::messaging::{Disposition, Handler};
use rstest::rstest;
use testkit::{
    postgres::{PostgresServer, TestDatabase},
    row_gate::RowGate,
};
use tokio::sync::Notify;

use crate::{
    receiver::Turn,
    worker_fixture::{WorkerFixture, delivery, word},
};

const ATTEMPTS: &str = "AFTER INSERT OR UPDATE ON namespace_sync_attempts";

impl WorkerFixture {
    /// Delivers until it is done, as Pub/Sub would.
    async fn deliver_until_done(&self) -> String {
        for _ in 0..20 {
            let end = self.deliver().await;
            if matches!(end, Disposition::Done(_)) {
                return word(&end);
            }
            assert!(!matches!(end, Disposition::DeadLetter(_)), "{}", word(&end));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it is never done");
    }
}

/// The state whose row the worker writes when it is cut, and the states at the end. What was sent
/// and not closed is sent again.
#[rstest]
#[case("started", "hold: ledger", &["completed"], 1)]
#[case("completed", "retry", &["abandoned", "completed"], 2)]
#[tokio::test]
async fn a_connection_cut_while_an_attempt_is_written_leaves_none_open_after_the_next_delivery(
    #[case] state: &str,
    #[case] end: &str,
    #[case] states: &[&str],
    #[case] calls: usize,
) {
    let fixture = WorkerFixture::with(Duration::from_mins(1), Duration::ZERO).await;
    fixture.record(1).await;
    let condition = format!("NEW.state = '{state}'");
    let gate = RowGate::close(&fixture.url(), &fixture.pool, ATTEMPTS, &condition).await;
    let cut = async {
        gate.reached().await;
        gate.cut_those_waiting().await;
    };
    let (first, ()) = tokio::join!(fixture.deliver(), cut);
    assert_eq!(word(&first), end);
    gate.open().await;
    assert_eq!(fixture.deliver_until_done().await, "done: completed");
    assert_eq!(fixture.states().await, states);
    assert_eq!(fixture.receiver.seats(), vec![1; calls]);
}

#[rstest]
#[case("skipped")]
#[case("abandoned")]
#[tokio::test]
async fn a_connection_cut_where_nothing_is_sent_sends_nothing_twice(#[case] state: &str) {
    let fixture = WorkerFixture::with(Duration::from_mins(1), Duration::ZERO).await;
    fixture.record(1).await;
    if state == "abandoned" {
        fixture.receiver.then([Turn::When(Arc::default())]);
        let worker = Arc::clone(&fixture.worker);
        let handling = tokio::spawn(async move { worker.handle(delivery(1)).await });
        fixture.receiver.received(1).await;
        handling.abort();
        assert!(handling.await.unwrap_err().is_cancelled());
    } else {
        assert_eq!(fixture.deliver_until_done().await, "done: completed");
    }
    let calls = fixture.receiver.calls().len();
    let condition = format!("NEW.state = '{state}'");
    let gate = RowGate::close(&fixture.url(), &fixture.pool, ATTEMPTS, &condition).await;
    let cut = async {
        gate.reached().await;
        gate.cut_those_waiting().await;
    };
    let (cut_off, ()) = tokio::join!(fixture.deliver(), cut);
    assert_eq!(word(&cut_off), "hold: ledger");
    assert_eq!(fixture.receiver.calls().len(), calls, "it was sent");
    gate.open().await;
    fixture.deliver_until_done().await;
    let states = fixture.states().await;
    assert!(!states.contains(&"started"), "{states:?}");
    assert!(states.contains(&"completed"), "{states:?}");
}

#[tokio::test]
async fn a_connection_cut_while_it_waits_for_the_namespaces_lock_is_held_and_then_skips() {
    let fixture = WorkerFixture::with(Duration::from_mins(1), Duration::ZERO).await;
    let go = Arc::new(Notify::new());
    fixture.receiver.then([Turn::When(Arc::clone(&go))]);
    fixture.record(1).await;
    let first = Arc::clone(&fixture.worker);
    let first = tokio::spawn(async move { first.handle(delivery(1)).await });
    fixture.receiver.received(1).await;
    let other = fixture.another_worker(Duration::ZERO);
    let cut = async {
        let waits =
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
        testkit::row_gate::wait_for(&fixture.pool, waits).await;
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .execute(&fixture.pool)
        .await
        .unwrap();
    };
    let (second, ()) = tokio::join!(other.handle(delivery(1)), cut);
    assert_eq!(word(&second), "hold: ledger");
    go.notify_one();
    assert_eq!(word(&first.await.unwrap()), "done: completed");
    assert_eq!(fixture.deliver_until_done().await, "done: skipped");
    assert_eq!(fixture.receiver.seats(), [1]);
}

#[tokio::test]
async fn a_server_stopped_during_a_call_leaves_no_attempt_open_when_it_is_back() {
    let mut server = tokio::task::spawn_blocking(|| PostgresServer::start(|_| Vec::new()))
        .await
        .unwrap();
    let database = TestDatabase::create_on(&server.url()).await;
    let fixture = WorkerFixture::on(database, Duration::from_mins(1), Duration::ZERO).await;
    let go = Arc::new(Notify::new());
    fixture.receiver.then([Turn::When(Arc::clone(&go))]);
    fixture.record(1).await;
    let worker = Arc::clone(&fixture.worker);
    let handling = tokio::spawn(async move { worker.handle(delivery(1)).await });
    fixture.receiver.received(1).await;
    server.stop();
    go.notify_one();
    assert_eq!(word(&handling.await.unwrap()), "retry");
    server.resume();
    assert_eq!(fixture.deliver_until_done().await, "done: completed");
    assert_eq!(fixture.states().await, ["abandoned", "completed"]);
}
