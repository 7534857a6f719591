//! The outcomes that the service keeps: read again and again, and nothing but changes and refusals.

use google_cloud_googleapis::pubsub::v1::{GetSubscriptionRequest, UpdateSubscriptionRequest};
use lookup_gitlab_sync::messaging::{
    Connection, HeldOutcomes, OUTCOME_HISTORY, OutcomeHistory, Outcomes, Stage, Topic, Topology,
    Traceparent, wire::SyncOutcome,
};
use testkit::pubsub::{MessageAttributes, PubsubClient};
use tokio_util::sync::CancellationToken;

use crate::pubsub::{PubSub, pubsub_host};

fn outcome(run: &str, kind: &str, result: Option<&str>) -> SyncOutcome {
    SyncOutcome {
        kind: Some(kind.to_owned()),
        run: Some(run.to_owned()),
        result: result.map(str::to_owned),
        ..SyncOutcome::default()
    }
}

async fn record(connection: &Connection, outcomes: &[SyncOutcome]) {
    let records = Outcomes::new(connection.publisher(Topic::SyncOutcome).await.unwrap());
    for outcome in outcomes {
        records.record(outcome, &Traceparent::new());
    }
    records.flush().await;
}

async fn publish_raw(server: &PubSub, body: &[u8]) {
    let client = PubsubClient::connect(server.host(), "test-project", "t1-").await;
    let attributes = MessageAttributes::from([("result".to_owned(), "applied".to_owned())]);
    client.publish("sync-outcome", body, attributes).await;
}

/// The runs of the outcomes that were read, in order.
async fn read(
    connection: &Connection,
    stopping: &CancellationToken,
) -> Option<OutcomeHistory<String>> {
    let keep = |outcome: SyncOutcome| outcome.at.and(outcome.run);
    match HeldOutcomes::read(connection, stopping, keep)
        .await
        .unwrap()
    {
        HeldOutcomes::Missing => None,
        HeldOutcomes::Read(mut history) => {
            history.kept.sort();
            Some(history)
        }
    }
}

/// Sets how long the subscription keeps messages, in seconds.
async fn keep_for(connection: &Connection, seconds: i64) {
    let request = GetSubscriptionRequest {
        subscription: connection.names().subscription(OUTCOME_HISTORY),
    };
    let request = connection.request(request).await.unwrap();
    let found = connection.subscriptions().get_subscription(request).await;
    let mut subscription = found.unwrap().into_inner();
    subscription.message_retention_duration = Some(prost_types::Duration { seconds, nanos: 0 });
    let request = UpdateSubscriptionRequest {
        subscription: Some(subscription),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["message_retention_duration".to_owned()],
        }),
    };
    let request = connection.request(request).await.unwrap();
    let updated = connection
        .subscriptions()
        .update_subscription(request)
        .await;
    updated.unwrap();
}

#[tokio::test]
async fn changes_and_refusals_alone_are_kept_and_everybody_can_read_them_again() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let recorded = [
        outcome("1", "user", Some("applied")),
        outcome("2", "user", Some("unchanged")),
        outcome("3", "user", Some("dry_run")),
        outcome("4", "user", Some("state_forbids")),
        outcome("5", "run_started", None),
        outcome("6", "guard_refused", None),
        outcome("7", "namespace", Some("completed")),
    ];
    record(&connection, &recorded).await;
    publish_raw(&server, b"not an outcome").await;
    let going_on = CancellationToken::new();
    for _ in 0..3 {
        let history = read(&connection, &going_on).await.unwrap();
        assert_eq!(
            history,
            OutcomeHistory {
                // Without a time of their own they have that of their publication.
                kept: ["1", "4", "6"].map(str::to_owned).to_vec(),
                seen: 4,
                unreadable: 1,
                complete: true,
            }
        );
    }
    let name = connection.names().subscription(OUTCOME_HISTORY);
    assert_eq!(server.broker.counts(&name).unwrap().acked, 0);
}

#[tokio::test]
async fn many_outcomes_are_read_in_many_pulls() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let recorded: Vec<_> = (0..1_234)
        .map(|run| outcome(&format!("{run:04}"), "user", Some("applied")))
        .collect();
    record(&connection, &recorded).await;
    let history = read(&connection, &CancellationToken::new()).await.unwrap();
    let runs: Vec<_> = recorded.into_iter().filter_map(|one| one.run).collect();
    assert_eq!((history.kept, history.complete), (runs, true));
}

#[tokio::test]
async fn a_reader_that_is_stopped_says_that_some_are_missing_and_takes_nothing_away() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    record(&connection, &[outcome("1", "user", Some("applied"))]).await;
    let stopped = CancellationToken::new();
    stopped.cancel();
    assert!(!read(&connection, &stopped).await.unwrap().complete);
    let again = read(&connection, &CancellationToken::new()).await.unwrap();
    assert_eq!((again.seen, again.complete), (1, true));
}

#[tokio::test]
async fn an_installation_without_the_subscription_works_and_check_names_it() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let client = PubsubClient::connect(server.host(), "test-project", "t1-").await;
    client.unsubscribe(OUTCOME_HISTORY).await;
    assert_eq!(read(&connection, &CancellationToken::new()).await, None);
    let topology = Topology::new(&connection);
    for stage in Stage::USERS {
        topology.check_stage(stage).await.unwrap();
    }
    let differences = topology.check().await.unwrap();
    let named = "subscription t1-sync-outcome-history: missing";
    assert!(differences.iter().any(|one| one.to_string() == named));
}

#[tokio::test]
async fn how_long_it_is_kept_is_the_installations_choice_from_seven_days_on() {
    const DAY: i64 = 24 * 60 * 60;
    let server = pubsub_host().await;
    let connection = server.connect().await;
    let topology = Topology::new(&connection);
    topology.apply().await.unwrap();
    keep_for(&connection, 31 * DAY).await;
    assert_eq!(topology.check().await.unwrap(), []);
    assert!(topology.apply().await.unwrap().updated.is_empty());
    keep_for(&connection, DAY).await;
    let differences = topology.check().await.unwrap();
    assert_eq!(differences.len(), 1);
    assert_eq!(
        topology.apply().await.unwrap().updated,
        ["t1-sync-outcome-history"]
    );
}
