//! What is recorded, and when.

use futures::future::join_all;
use lookup_gitlab_sync::namespaces::{contract::document::Document, ledger::Ledger};
use sqlx::Row;
use testkit::postgres::TestDatabase;

use crate::worker_fixture::{NAMESPACE, WorkerFixture, document, settings};

#[tokio::test]
async fn a_sync_is_new_only_if_it_differs_from_the_newest() {
    let fixture = WorkerFixture::new().await;
    let (first, again) = (fixture.record(1).await, fixture.record(1).await);
    assert!(first.changed && !again.changed);
    assert_eq!(first.sync_id, again.sync_id);
    let second = fixture.record(2).await;
    let back = fixture.record(1).await;
    assert!(second.changed && back.changed);
    assert!(first.sync_id < second.sync_id && second.sync_id < back.sync_id);

    let history = fixture.history().await;
    let hashes: Vec<_> = history
        .iter()
        .map(|sync| sync.attrs_sha256.clone())
        .collect();
    assert_eq!(
        hashes,
        [
            document(1).sha256(),
            document(2).sha256(),
            document(1).sha256()
        ]
    );
    let changed: Vec<Vec<bool>> = history
        .iter()
        .map(|sync| {
            sync.requests
                .iter()
                .map(|request| request.changed)
                .collect()
        })
        .collect();
    assert_eq!(changed, [vec![true], vec![true], vec![true, false]]);
    assert_eq!(
        history[2].requests[1].requested_by.as_deref(),
        Some("tests")
    );
    assert!(history[2].requests[0].requested_at < history[2].requests[1].requested_at);
}

#[tokio::test]
async fn form_is_no_content_and_absent_is_not_null() {
    let fixture = WorkerFixture::new().await;
    let record = async |text: &str| {
        let document = Document::parse(text.as_bytes()).unwrap();
        let recorded = fixture
            .ledger
            .record(NAMESPACE, &document, None)
            .await
            .unwrap();
        recorded.unwrap().changed
    };
    assert!(record(r#"{"provision":{"base_product":{"seats":1,"plan_code":"free"}}}"#).await);
    assert!(
        !record(r#"{ "provision": { "storage": {}, "unknown": 1, "base_product": {"plan_code":"free", "seats": 1} } }"#)
            .await
    );
    assert!(
        record(r#"{"provision":{"base_product":{"seats":1,"plan_code":"free","end_date":null}}}"#)
            .await
    );
}

#[tokio::test]
async fn what_is_read_back_is_what_was_recorded() {
    let fixture = WorkerFixture::new().await;
    let text = r#"{"provision":{"base_product":{"end_date":null,"seats":2147483647,"trial":false},
        "add_on_purchases":{"duo_enterprise":[{"quantity":1,"purchase_xid":"ä\"\\\u0001"}]}}}"#;
    let document = Document::parse(text.as_bytes()).unwrap();
    fixture
        .ledger
        .record(NAMESPACE, &document, None)
        .await
        .unwrap();
    fixture.deliver().await;
    assert_eq!(fixture.receiver.calls()[0].body.to_string(), {
        let value: serde_json::Value = serde_json::from_str(&document.sent_json()).unwrap();
        value.to_string()
    });
}

#[tokio::test]
async fn the_same_document_recorded_at_once_is_one_sync_and_every_request() {
    let fixture = WorkerFixture::new().await;
    let recorded = join_all((0..20).map(|_| fixture.record(5))).await;
    assert_eq!(
        recorded.iter().filter(|recorded| recorded.changed).count(),
        1
    );
    let history = fixture.history().await;
    assert_eq!((history.len(), history[0].requests.len()), (1, 20));
}

#[tokio::test]
async fn the_tables_are_made_once_and_beside_others() {
    let database = TestDatabase::create().await;
    for _ in 0..2 {
        Ledger::open(&settings(&database.url)).await.unwrap();
    }
    let pool = database.pool().await;
    let rows = sqlx::query("SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1")
        .fetch_all(&pool)
        .await
        .unwrap();
    let tables: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(
        tables,
        [
            "ledger_migrations",
            "namespace_sync_attempts",
            "namespace_sync_requests",
            "namespace_syncs"
        ]
    );
}
