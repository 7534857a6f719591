//! A pause and the namespace worker: nothing is sent and no attempt is recorded.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lookup_gitlab_sync::{
    messaging::Handler,
    pause::{PauseNotice, PauseSource, WriteSwitch},
};
use testkit::{postgres::TestDatabase, wait::until};

use crate::{
    stages::{NamespaceStages, Stage},
    worker_fixture::{WorkerFixture, bought, delivery, word},
};

/// Paused until a test says otherwise.
#[derive(Clone, Default)]
struct Ended(Arc<AtomicBool>);

impl PauseSource for Ended {
    type Error = Infallible;

    async fn read(&self) -> Result<Option<PauseNotice>, Infallible> {
        let notice = PauseNotice::new(jiff::Timestamp::now(), Some("alice"), None);
        Ok((!self.0.load(Ordering::Relaxed)).then_some(notice))
    }
}

#[tokio::test]
async fn a_paused_worker_calls_nobody_and_records_no_attempt() {
    let fixture = WorkerFixture::new().await;
    fixture.record(30).await;
    let ended = Ended::default();
    let switch = WriteSwitch::watching(ended.clone()).await.unwrap();
    let worker = fixture.worker_when(switch.clone());
    assert_eq!(word(&worker.handle(delivery(1)).await), "hold: pause");
    assert!(fixture.receiver.calls().is_empty());
    assert!(fixture.states().await.is_empty());
    ended.0.store(true, Ordering::Relaxed);
    switch.passable().await;
    assert_eq!(word(&worker.handle(delivery(1)).await), "done: completed");
    assert_eq!(fixture.states().await, ["completed"]);
}

#[tokio::test]
async fn one_command_stops_the_worker_and_another_lets_it_send_the_newest_sync_alone() {
    let database = TestDatabase::create().await;
    let mut stages = NamespaceStages::new(&database.url, None).await;
    stages.group(42).await;
    let paused = stages.run(&["pause", "--reason", "a test"]).await;
    assert!(paused.status.success(), "{paused:?}");
    for seats in [30, 31] {
        assert_eq!(stages.buy(42, &bought(seats)).await, 201);
    }
    let address = stages.address(Stage::Worker);
    let page = async |path: &str| {
        let answer = reqwest::get(format!("{address}{path}")).await.unwrap();
        answer.text().await.unwrap()
    };
    let held = r#"sync_messages_total{stage="namespace-worker",disposition="hold"}"#;
    until("a message is held", async || {
        page("/metrics").await.contains(held)
    })
    .await;
    let ready = page("/readyz").await;
    assert!(ready.contains("by tests (a-test)"), "{ready}");
    assert!(stages.receiver.calls().is_empty());
    let resumed = stages.run(&["resume"]).await;
    assert!(resumed.status.success(), "{resumed:?}");
    assert_eq!(stages.attempts(42, 1).await, ["completed"]);
    stages.quiet().await;
    assert_eq!(stages.seats(42).await, Some(31));
    assert_eq!(stages.receiver.calls().len(), 1);
    assert_eq!(stages.stop(Stage::Worker).await, Some(0));
}
