//! Processes are killed and the database restarted in the middle: no half-written step, no attempt
//! left open, the right end.

use std::sync::Arc;
use testkit::postgres::{PostgresServer, TestDatabase};
use testkit::wait::until;

use crate::{
    receiver::Turn,
    stages::{NamespaceStages, Stage},
    worker_fixture::bought,
};

#[tokio::test]
async fn a_worker_killed_during_its_call_leaves_an_attempt_that_the_next_one_settles() {
    let database = TestDatabase::create().await;
    let mut stages = NamespaceStages::new(&database.url, None).await;
    stages.group(42).await;
    stages.receiver.then([Turn::When(Arc::default())]);
    assert_eq!(stages.buy(42, &bought(1)).await, 201);
    stages.receiver.received(1).await;
    stages.kill(Stage::Worker).await;
    stages.start(Stage::Worker).await;
    // Pub/Sub delivers the first message again when its lease has lapsed; this one comes at once.
    assert_eq!(stages.buy(42, &bought(2)).await, 201);
    stages.arrived(42).await;
    assert_eq!(stages.seats(42).await, Some(2));
    let abandoned: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM namespace_sync_attempts WHERE state = 'abandoned'",
    )
    .fetch_one(&stages.pool().await)
    .await
    .unwrap();
    assert_eq!(abandoned, 1);
}

#[tokio::test]
async fn an_api_killed_during_a_step_has_written_all_of_it_or_nothing() {
    let database = TestDatabase::create().await;
    let mut stages = NamespaceStages::new(&database.url, None).await;
    stages.group(42).await;
    assert_eq!(stages.buy(42, &bought(1)).await, 201);
    stages.arrived(42).await;
    // The second step waits in its transaction, when the first is done.
    let pool = stages.pool().await;
    let mut holding = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE namespace_limits IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *holding)
        .await
        .unwrap();
    let mut document = bought(2);
    document["provision"]["storage"]["additional_purchased_storage_size"] = 500.into();
    assert_eq!(stages.buy(42, &document).await, 201);
    until("the first step is done", async || {
        stages.seats(42).await == Some(2)
    })
    .await;
    stages.kill(Stage::Api).await;
    holding.rollback().await.unwrap();
    let size: i64 = sqlx::query_scalar(
        "SELECT additional_purchased_storage_size FROM namespace_limits WHERE namespace_id = 42",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(size, 100, "a step of a killed process has been written");
    stages.start(Stage::Api).await;
    stages.arrived(42).await;
    let size: i64 = sqlx::query_scalar(
        "SELECT additional_purchased_storage_size FROM namespace_limits WHERE namespace_id = 42",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(size, 500);
}

#[tokio::test]
async fn a_restart_of_the_database_holds_messages_and_loses_none() {
    let mut server = tokio::task::spawn_blocking(|| PostgresServer::start(|_| Vec::new()))
        .await
        .unwrap();
    let stages = NamespaceStages::new(server.url().as_str(), None).await;
    for id in 1..=5 {
        stages.group(id).await;
        assert_eq!(stages.buy(id, &bought(1)).await, 201);
        stages.arrived(id).await;
    }
    // Their calls are at the receiver when the database goes.
    stages.receiver.then((0..3).map(|_| Turn::LoseAnswer));
    for id in 1..=5 {
        assert_eq!(stages.buy(id, &bought(2)).await, 201);
    }
    server.stop();
    assert_eq!(stages.buy(1, &bought(3)).await, 503);
    let ready = async |stage| {
        let answer = reqwest::get(format!("{}/readyz", stages.address(stage))).await;
        let answer = answer.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    };
    let databases = [
        (Stage::Portal, "ledger-database"),
        (Stage::Worker, "ledger-database"),
        (Stage::Api, "provisioning-database"),
    ];
    for (stage, database) in databases {
        until("a stage is not ready", async || {
            let (status, told) = ready(stage).await;
            // A public port says no reasons.
            status == 503 && told.contains(database) == (stage == Stage::Worker)
        })
        .await;
    }
    server.resume();
    for id in 1..=5 {
        until("the portal works again", async || {
            matches!(stages.buy(id, &bought(3)).await, 200 | 201)
        })
        .await;
    }
    for id in 1..=5 {
        stages.arrived(id).await;
        assert_eq!(stages.seats(id).await, Some(3));
    }
    for (stage, _) in databases {
        until("a stage is ready again", async || {
            ready(stage).await.0 == 200
        })
        .await;
    }
    assert_eq!(stages.open_attempts().await, 0);
}
