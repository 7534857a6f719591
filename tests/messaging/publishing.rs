//! Publishing, and following a run's outcomes.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use google_cloud_googleapis::pubsub::v1::ListSubscriptionsRequest;
use lookup_gitlab_sync::{
    config,
    messaging::{
        Batching, Connection, Follow, Outcomes, PubSubError, PublisherOptions, RunId, Topic,
        Traceparent, attributes,
        wire::{SyncOutcome, SyncTick},
    },
};
use testkit::{logs::CapturedLogs, wait::until};

use crate::{pubsub::pubsub_host, test_consumer::pull_one};

fn outcome(run: &RunId, gitlab_user_id: u64) -> SyncOutcome {
    SyncOutcome {
        kind: Some("user".to_owned()),
        run: Some(run.to_string()),
        gitlab_user_id: Some(gitlab_user_id),
        ..SyncOutcome::default()
    }
}

#[tokio::test]
async fn every_message_is_confirmed_with_an_id_of_its_own() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    for batching in [Batching::Shared, Batching::OneByOne] {
        let publisher = connection.publisher_with(
            Topic::UserSync.as_str(),
            &PublisherOptions {
                // Far fewer places than messages: they wait for room and all get there.
                max_messages: 7,
                max_bytes: 500,
                batching,
            },
        );
        let tick = SyncTick::default();
        let ids = join_all((0..200).map(|_| publisher.publish(&tick, BTreeMap::new()))).await;
        let ids: std::collections::BTreeSet<_> = ids.into_iter().map(Result::unwrap).collect();
        assert_eq!(ids.len(), 200);
    }
}

#[tokio::test]
async fn publishing_to_a_topic_that_is_not_there_is_an_error_that_names_it() {
    let server = pubsub_host().await;
    let publisher = server
        .connect()
        .await
        .publisher(Topic::SyncTick)
        .await
        .unwrap();
    let error = publisher
        .publish(&SyncTick::default(), BTreeMap::new())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("t1-sync-tick"), "{error}");
    assert!(matches!(error, PubSubError::Refused { .. }));
}

/// Thousands of messages may be refused for one reason; a command tells its person itself.
#[rstest::rstest]
#[case::a_stage(true, 1)]
#[case::a_command(false, 0)]
#[tokio::test]
async fn of_all_that_pubsub_refuses_a_stage_logs_one_error(
    #[case] stage: bool,
    #[case] lines: usize,
) {
    let server = pubsub_host().await;
    // No topic at all.
    let connection = server.connect().await;
    let connection = if stage {
        connection.telling_refusals()
    } else {
        connection
    };
    let publisher = connection.publisher(Topic::UserSync).await.unwrap();
    let errors = CapturedLogs::errors();
    for _ in 0..3 {
        let refused = publisher
            .publish(&SyncTick::default(), BTreeMap::new())
            .await;
        refused.unwrap_err();
    }
    let told = errors.text();
    assert_eq!(told.lines().count(), lines, "{told}");
    let words = [
        "event=\"publish_refused\"",
        "topic=\"t1-user-sync\"",
        "NotFound",
    ];
    assert!(
        !stage || words.iter().all(|words| told.contains(words)),
        "{told}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_at_once() {
    let port = testkit::port::free_port();
    let error = Connection::open(&config::PubSubConfig {
        project: "test-project".to_owned(),
        emulator_host: Some(format!("127.0.0.1:{port}")),
        endpoint: None,
        prefix: String::new(),
    })
    .await
    .unwrap_err();
    assert!(matches!(error, PubSubError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn a_follower_sees_its_run_and_no_other_and_leaves_nothing_behind() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let (mine, other) = (RunId::new(), RunId::new());
    let mut follow = Follow::open(&connection, &mine).await.unwrap();
    let outcomes = Outcomes::new(connection.publisher(Topic::SyncOutcome).await.unwrap());
    for id in 1..=20 {
        outcomes.record(&outcome(&other, id), &Traceparent::new());
        outcomes.record(&outcome(&mine, id), &Traceparent::new());
    }
    outcomes.flush().await;

    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 20 {
        let next = tokio::time::timeout(Duration::from_mins(1), follow.next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(next.run.as_deref(), Some(mine.as_str()));
        seen.insert(next.gitlab_user_id);
    }
    follow.close().await.unwrap();

    until("the follower's subscription is gone", async || {
        let request = connection
            .request(ListSubscriptionsRequest {
                project: "projects/test-project".to_owned(),
                ..ListSubscriptionsRequest::default()
            })
            .await
            .unwrap();
        let listed = connection
            .subscriptions()
            .list_subscriptions(request)
            .await
            .unwrap()
            .into_inner();
        !listed
            .subscriptions
            .iter()
            .any(|subscription| subscription.name.contains("follow"))
    })
    .await;
}

#[tokio::test]
async fn outcomes_that_cannot_be_published_are_no_obstacle() {
    let server = pubsub_host().await;
    // No topic at all.
    let connection = server.connect().await;
    let outcomes = Outcomes::new(connection.publisher(Topic::SyncOutcome).await.unwrap());
    outcomes.record(&outcome(&RunId::new(), 1), &Traceparent::new());
    tokio::time::timeout(Duration::from_secs(30), outcomes.flush())
        .await
        .unwrap();
}

#[tokio::test]
async fn attributes_travel_with_the_message() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let trace = Traceparent::new();
    let sent = attributes::for_message("r1", "tick", &trace);
    let publisher = connection.publisher(Topic::SyncTick).await.unwrap();
    publisher
        .publish(&SyncTick::default(), sent.clone())
        .await
        .unwrap();
    let received = pull_one(&connection, "sync-tick-fan-out").await;
    assert_eq!(received.data.as_ref(), b"{}");
    assert_eq!(
        received.attributes.into_iter().collect::<BTreeMap<_, _>>(),
        sent
    );
}
