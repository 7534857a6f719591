//! A purchase, an unchanged sync, a change, a broken rule, an outage, a dead letter and its replay:
//! over Pub/Sub, HTTP and `PostgreSQL`.

use serde_json::{Value, json};
use testkit::{google_emulator::GoogleEmulator, postgres::TestDatabase};
use tokio::net::TcpListener;

use crate::{
    receiver::Turn,
    stages::{NamespaceStages, Stage, trial_without_dates},
    worker_fixture::bought,
};

#[tokio::test]
async fn the_whole_sequence_on_the_broker() {
    let database = TestDatabase::create().await;
    sequence(NamespaceStages::new(&database.url, None).await).await;
}

#[tokio::test]
async fn the_whole_sequence_on_googles_emulator() {
    let Some(emulator) = GoogleEmulator::start().await else {
        return;
    };
    let database = TestDatabase::create().await;
    sequence(NamespaceStages::new(&database.url, Some(emulator.host())).await).await;
}

/// The portal's keys are fetched in the clear here, and so would be what a proxy makes of them.
#[tokio::test]
async fn a_proxy_has_no_say_in_what_goes_to_this_machine_in_the_clear() {
    let database = TestDatabase::create().await;
    let mut stages = NamespaceStages::without_worker(&database.url, None).await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let variables =
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].map(|name| (name, address.as_str()));
    assert_eq!(stages.stop(Stage::Api).await, Some(0));
    for stage in [Stage::Api, Stage::Worker] {
        stages.start_with(stage, &variables).await;
    }
    stages.group(42).await;
    assert_eq!(stages.buy(42, &bought(30)).await, 201);
    tokio::select! {
        _ = proxy.accept() => panic!("the proxy is asked"),
        ends = stages.attempts(42, 1) => assert_eq!(ends, ["completed"]),
    }
}

async fn sequence(mut stages: NamespaceStages) {
    stages.group(42).await;
    assert_eq!(stages.buy(42, &bought(30)).await, 201);
    assert_eq!(stages.attempts(42, 1).await, ["completed"]);
    assert_eq!(stages.seats(42).await, Some(30));

    let before = stages.everything().await;
    assert_eq!(stages.buy(42, &bought(30)).await, 200);
    let followed = stages
        .run(&["namespaces", "resync", "42", "--follow"])
        .await;
    assert!(followed.status.success(), "{followed:?}");
    assert_eq!(stages.everything().await, before, "the same document twice");

    assert_eq!(stages.buy(42, &bought(31)).await, 201);
    stages.arrived(42).await;
    assert_eq!(stages.seats(42).await, Some(31));

    assert_eq!(stages.buy(42, &trial_without_dates(200)).await, 201);
    assert_eq!(stages.attempts(42, 1).await, ["partially_failed"]);
    let size: i64 = sqlx::query_scalar(
        "SELECT additional_purchased_storage_size FROM namespace_limits WHERE namespace_id = 42",
    )
    .fetch_one(&stages.pool().await)
    .await
    .unwrap();
    assert_eq!((size, stages.seats(42).await), (200, Some(31)));

    let down = Turn::Json(503, json!({ "message": "503 Service Unavailable" }));
    stages.receiver.then([down.clone(), down, Turn::LoseAnswer]);
    assert_eq!(stages.buy(42, &bought(32)).await, 201);
    assert_eq!(
        stages.attempts(42, 4).await,
        ["retrying", "retrying", "retrying", "completed"]
    );
    assert_eq!(stages.seats(42).await, Some(32));

    dead_letter_and_replay(&stages).await;
    the_history_is_told(&stages).await;
    for stage in [Stage::Worker, Stage::Portal, Stage::Api] {
        assert_eq!(stages.stop(stage).await, Some(0));
    }
}

async fn dead_letter_and_replay(stages: &NamespaceStages) {
    assert_eq!(stages.buy(77, &bought(5)).await, 201);
    assert_eq!(stages.attempts(77, 1).await, ["failed"]);
    let listing = [
        "dead-letters",
        "list",
        "--namespace",
        "77",
        "--output",
        "json",
    ];
    let mut listed = Vec::new();
    testkit::wait::until("the dead letter", async || {
        listed = stages.run(&listing).await.stdout;
        !listed.is_empty()
    })
    .await;
    let letter: Value = serde_json::from_slice(&listed).unwrap();
    assert_eq!(letter["reason"], "refused", "{letter}");
    stages.group(77).await;
    let replayed = stages
        .run(&["dead-letters", "replay", "--topic", "namespace-sync"])
        .await;
    assert!(replayed.status.success(), "{replayed:?}");
    assert_eq!(stages.attempts(77, 2).await, ["failed", "completed"]);
    assert_eq!(stages.seats(77).await, Some(5));
}

async fn the_history_is_told(stages: &NamespaceStages) {
    let told = stages
        .run(&["namespaces", "history", "42", "--output", "json"])
        .await;
    let lines: Vec<Value> = String::from_utf8(told.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[1]["attempts"][0]["state"], "partially_failed");
    assert_eq!(
        lines[1]["attempts"][0]["parts"]["storage"]["status"],
        "success"
    );
    assert_eq!(lines[3]["requests"].as_array().unwrap().len(), 3);
    let told = stages.run(&["namespaces", "history", "42"]).await;
    let table = String::from_utf8(told.stdout).unwrap();
    assert!(table.contains("partially_failed"), "{table}");
}

#[tokio::test]
async fn a_document_in_a_file_is_recorded_followed_and_judged() {
    let database = TestDatabase::create().await;
    let stages = NamespaceStages::new(&database.url, None).await;
    stages.group(42).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bought.json");
    let record = async |document: &Value| {
        std::fs::write(&path, document.to_string()).unwrap();
        let file = path.to_str().unwrap();
        stages
            .run(&[
                "namespaces",
                "record",
                "42",
                "--file",
                file,
                "--follow",
                "--output",
                "json",
            ])
            .await
    };
    let done = record(&bought(30)).await;
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let partly = record(&trial_without_dates(7)).await;
    assert_eq!(partly.status.code(), Some(1), "{partly:?}");
    let wrong = record(&json!({ "provision": { "storage": 5 } })).await;
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        String::from_utf8(wrong.stderr)
            .unwrap()
            .contains("provision[storage] is 5; allowed: an object")
    );
    let none = stages.run(&["namespaces", "resync", "43"]).await;
    assert_eq!(none.status.code(), Some(2), "{none:?}");
    let metrics = reqwest::get(format!("{}/metrics", stages.address(Stage::Worker)))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        r#"sync_namespace_attempts_total{state="completed"} 1"#,
        r#"sync_namespace_attempts_total{state="partially_failed"} 1"#,
        r#"sync_namespace_parts_total{part="base_product",status="error"} 1"#,
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}\n{metrics}"
        );
    }
}
