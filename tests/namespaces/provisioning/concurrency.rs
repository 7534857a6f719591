//! Many calls at once: serial for a namespace, none lost, none mixed with another, none in
//! another's way.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::fixture::{ProvisioningFixture, document};

/// Each number that [`document`] writes, as the namespace's tables hold it.
async fn numbers(fixture: &ProvisioningFixture, id: i64) -> Value {
    let query = format!(
        "SELECT s.seats, s.max_seats_used, l.additional_purchased_storage_size AS storage,
             n.shared_runners_minutes_limit AS monthly, n.extra_shared_runners_minutes_limit AS extra, p.quantity
         FROM namespaces n JOIN gitlab_subscriptions s ON s.namespace_id = n.id
         JOIN namespace_limits l ON l.namespace_id = n.id
         JOIN subscription_add_on_purchases p ON p.namespace_id = n.id WHERE n.id = {id}"
    );
    fixture.rows(&query).await
}

/// The namespace holds one whole document, and its history every other one that was ever in force.
async fn assert_serial(fixture: &ProvisioningFixture, id: i64, posted: BTreeSet<i64>) {
    let rows = numbers(fixture, id).await;
    let last = rows[0]["seats"].as_i64().unwrap();
    let whole = json!({ "seats": last, "max_seats_used": last, "storage": last, "monthly": last, "extra": last, "quantity": last });
    assert_eq!(rows, json!([whole]));
    let query = format!(
        "SELECT seats, max_seats_used FROM gitlab_subscription_histories WHERE namespace_id = {id} ORDER BY id"
    );
    let history = fixture.rows(&query).await;
    let history = history.as_array().unwrap();
    let mut seen: BTreeSet<i64> = history
        .iter()
        .map(|row| row["seats"].as_i64().unwrap())
        .collect();
    assert!(seen.insert(last), "the last one is not history");
    assert_eq!(seen, posted, "an update was lost");
    assert_eq!(history.len(), posted.len() - 1);
    assert!(
        history
            .iter()
            .all(|row| row["seats"] == row["max_seats_used"])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_posts_at_once_for_one_namespace_are_serial() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    let posts = (1..=100).map(|n| fixture.post(id, document(n)));
    for (status, answer) in futures::future::join_all(posts).await {
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    assert_serial(&fixture, id, (1..=100).collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_posts_over_fifty_namespaces_neither_deadlock_nor_lose_one() {
    let fixture = ProvisioningFixture::new().await;
    let mut groups = Vec::new();
    for group in 0..50 {
        groups.push(fixture.group(&format!("group-{group}")).await);
    }
    let posts = (1..=20).flat_map(|n| groups.iter().map(move |id| (n, *id)));
    let posts = posts.map(|(n, id)| fixture.post(id, document(n)));
    for (status, answer) in futures::future::join_all(posts).await {
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    for id in groups {
        assert_serial(&fixture, id, (1..=20).collect()).await;
    }
    let add_ons = fixture.rows("SELECT name FROM subscription_add_ons").await;
    assert_eq!(add_ons, json!([{ "name": 3 }]));
}

/// Two instances of the service have only the database's lock between them.
#[tokio::test]
async fn a_second_service_waits_for_the_first_ones_whole_call() {
    let first = ProvisioningFixture::new().await;
    let id = first.group("acme").await;
    let second = first.twin().await;
    let gate = first.gate("AFTER INSERT ON namespace_limits", "true").await;
    let one = async {
        let (status, _) = first.post(id, document(1)).await;
        assert_eq!(status, StatusCode::OK);
    };
    let two = async {
        gate.reached().await;
        let (status, _) = second.post(id, document(2)).await;
        assert_eq!(status, StatusCode::OK);
    };
    let others = async {
        first
            .wait_for(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid <> 4711
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
            )
            .await;
        let seats = first.rows("SELECT seats FROM gitlab_subscriptions").await;
        assert_eq!(seats, json!([{ "seats": 1 }]), "the second call has begun");
        gate.open().await;
    };
    tokio::join!(one, two, others);
    assert_eq!(numbers(&first, id).await[0]["seats"], json!(2));
    assert_serial(&first, id, [1, 2].into()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_spread_over_two_services_are_serial() {
    let first = ProvisioningFixture::new().await;
    let id = first.group("acme").await;
    let second = first.twin().await;
    let posts = (1..=40).map(|n| {
        if n % 2 == 0 {
            first.post(id, document(n))
        } else {
            second.post(id, document(n))
        }
    });
    for (status, answer) in futures::future::join_all(posts).await {
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    assert_serial(&first, id, (1..=40).collect()).await;
}

#[tokio::test]
async fn calls_that_wait_for_their_turn_hold_no_connections() {
    let fixture = ProvisioningFixture::with(|settings| settings.database.max_connections = 2).await;
    let (busy, other) = (fixture.group("busy").await, fixture.group("other").await);
    let gate = fixture
        .gate(
            "AFTER INSERT OR UPDATE ON namespace_limits",
            &format!("NEW.namespace_id = {busy}"),
        )
        .await;
    let waiting = futures::future::join_all((1..=20).map(|n| fixture.post(busy, document(n))));
    let others = async {
        gate.reached().await;
        for n in 1..=5 {
            fixture.apply(other, document(n)).await;
        }
        gate.open().await;
    };
    let (answers, ()) = tokio::join!(waiting, others);
    assert!(answers.iter().all(|(status, _)| *status == StatusCode::OK));
    assert_serial(&fixture, busy, (1..=20).collect()).await;
}
