//! What is recorded is complete, so that sending only the newest is right.

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::{
    receiver::Turn,
    worker_fixture::{NAMESPACE, WorkerFixture, word},
};

fn base(seats: i64) -> Value {
    json!({ "provision": { "base_product": { "plan_code": "premium", "start_date": "2026-01-01", "seats": seats } } })
}

fn storage(size: i64) -> Value {
    json!({ "provision": { "storage": { "additional_purchased_storage_size": size } } })
}

impl WorkerFixture {
    /// The parts of the last call.
    fn sent(&self) -> Value {
        self.receiver.calls().last().unwrap().body["provision"].clone()
    }
}

#[tokio::test]
async fn a_part_recorded_while_the_worker_was_down_is_sent_with_the_next_document() {
    let fixture = WorkerFixture::new().await;
    fixture.try_to_record(&base(30)).await.unwrap();
    fixture.try_to_record(&storage(100)).await.unwrap();
    assert_eq!(word(&fixture.deliver().await), "done: completed");
    assert_eq!(word(&fixture.deliver().await), "done: skipped");
    let sent = fixture.sent();
    assert_eq!(sent["base_product"]["seats"], 30, "{sent}");
    assert_eq!(sent["storage"]["additional_purchased_storage_size"], 100);
}

#[tokio::test]
async fn the_stored_document_is_the_whole_one_and_unchanged_compares_that() {
    let fixture = WorkerFixture::new().await;
    let record = async |document: &Value| fixture.try_to_record(document).await.unwrap().unwrap();
    let first = record(&base(30)).await;
    let second = record(&storage(100)).await;
    assert!(second.changed);
    for said_before in [&base(30), &storage(100)] {
        let again = record(said_before).await;
        assert_eq!((again.sync_id, again.changed), (second.sync_id, false));
        assert_eq!(again.sha256, second.sha256);
    }
    let cleared =
        json!({ "provision": { "storage": { "additional_purchased_storage_ends_on": null } } });
    assert!(
        record(&cleared).await.changed,
        "an explicit null is a value"
    );
    assert!(!record(&cleared).await.changed);
    let history = fixture.history().await;
    assert_eq!(history.len(), 3);
    assert_eq!(history[1].attrs_sha256, second.sha256);
    assert_ne!(first.sha256, second.sha256);
}

#[tokio::test]
async fn a_document_that_says_nothing_is_not_recorded() {
    let fixture = WorkerFixture::new().await;
    let nothing = json!({ "provision": {} });
    assert_eq!(fixture.try_to_record(&nothing).await, Ok(None));
    assert!(fixture.history().await.is_empty());
    fixture.record(1).await;
    assert_eq!(fixture.try_to_record(&nothing).await, Ok(None));
    let history = fixture.history().await;
    assert_eq!((history.len(), history[0].requests.len()), (1, 1));
}

/// As an earlier version recorded: what was sent, and no more.
async fn recorded_in_parts(fixture: &WorkerFixture, documents: &[Value]) {
    for document in documents {
        sqlx::query(
            "INSERT INTO namespace_syncs (namespace_id, attrs_sha256, attrs) VALUES ($1, repeat('0', 64), $2)",
        )
        .bind(NAMESPACE)
        .bind(document)
        .execute(&fixture.pool)
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_ledger_of_before_is_completed_by_whatever_comes_first() {
    for what in ["message", "record", "resync"] {
        let fixture = WorkerFixture::new().await;
        recorded_in_parts(&fixture, &[base(30), storage(100), storage(200)]).await;
        match what {
            "record" => {
                let same = fixture.try_to_record(&storage(200)).await.unwrap().unwrap();
                assert!(!same.changed);
            }
            "resync" => fixture.resync().await,
            _ => {}
        }
        assert_eq!(word(&fixture.deliver().await), "done: completed", "{what}");
        let sent = fixture.sent();
        assert_eq!(sent["base_product"]["seats"], 30, "{what}: {sent}");
        assert_eq!(sent["storage"]["additional_purchased_storage_size"], 200);
        assert_eq!(word(&fixture.deliver().await), "done: skipped", "{what}");
        let history = fixture.history().await;
        assert_eq!(history.len(), 4);
        assert_eq!(
            history[0].requests[0].requested_by.as_deref(),
            Some("lookup-gitlab-sync")
        );
    }
}

#[tokio::test]
async fn a_sync_of_before_that_is_complete_already_is_not_sent_again() {
    let fixture = WorkerFixture::new().await;
    recorded_in_parts(&fixture, &[base(30)]).await;
    sqlx::query(
        "INSERT INTO namespace_sync_attempts (namespace_sync_id, state, finished_at)
         SELECT id, 'completed', now() FROM namespace_syncs",
    )
    .execute(&fixture.pool)
    .await
    .unwrap();
    assert_eq!(word(&fixture.deliver().await), "done: skipped");
    assert_eq!(fixture.history().await.len(), 1);
    assert!(fixture.receiver.calls().is_empty());
}

/// Each document in its order on one side; on the other only what a worker sends that is up now and
/// then, and loses some of its calls.
#[tokio::test]
async fn any_interleaving_of_records_and_downtime_ends_as_each_document_in_its_order() {
    let mut runner = TestRunner::new(Config::default());
    let step = (0..3u8, 0..4i64, 0..3u8);
    let steps = proptest::collection::vec(step, 1..8);
    for _ in 0..12 {
        let steps = steps.new_tree(&mut runner).unwrap().current();
        let fixture =
            WorkerFixture::with(std::time::Duration::from_mins(1), std::time::Duration::ZERO).await;
        let mut in_order = serde_json::Map::new();
        for (part, number, worker) in &steps {
            let (document, column, value) = match part {
                0 => (base(*number), "seats", json!(number)),
                1 => (storage(*number), "size", json!(number)),
                _ => {
                    let minutes = (*number > 0).then_some(*number);
                    let document = json!({ "provision": { "compute_minutes": { "shared_runners_minutes_limit": minutes } } });
                    (document, "minutes", json!(minutes))
                }
            };
            in_order.insert(column.to_owned(), value);
            fixture.try_to_record(&document).await.unwrap();
            match worker {
                0 => {}
                1 => drop(fixture.deliver().await),
                _ => {
                    fixture
                        .receiver
                        .then([Turn::Json(500, json!({ "message": "500" }))]);
                    drop(fixture.deliver().await);
                }
            }
        }
        fixture.resync().await;
        fixture.receiver.forget_turns();
        assert_eq!(word(&fixture.deliver().await), "done: completed");
        let sent = fixture.sent();
        let mut ended = serde_json::Map::new();
        for (column, place) in [
            ("seats", "/base_product/seats"),
            ("size", "/storage/additional_purchased_storage_size"),
            ("minutes", "/compute_minutes/shared_runners_minutes_limit"),
        ] {
            if let Some(value) = sent.pointer(place) {
                ended.insert(column.to_owned(), value.clone());
            }
        }
        assert_eq!(ended, in_order, "{steps:?}");
    }
}
