//! What becomes of a subscription while its stage serves is noticed.

use std::time::Duration;

use bytes::Bytes;
use google_cloud_googleapis::pubsub::v1::{
    DeadLetterPolicy, DeleteSubscriptionRequest, DeleteTopicRequest, Subscription,
    UpdateSubscriptionRequest,
};
use lookup_gitlab_sync::messaging::{Connection, ConsumerSettings, Liveness, Stage, StageMessages};
use testkit::wait::until;

use crate::{
    pubsub::{pubsub_host, quick},
    test_consumer::{TestConsumer, done, publish, settings},
};

fn watching() -> ConsumerSettings {
    ConsumerSettings {
        ask_every: Duration::from_millis(100),
        ..settings()
    }
}

async fn delete_subscription(connection: &Connection, name: &str) {
    let request = DeleteSubscriptionRequest {
        subscription: connection.names().subscription(name),
    };
    let request = connection.request(request).await.unwrap();
    let mut api = connection.subscriptions();
    api.delete_subscription(request).await.unwrap();
}

async fn delete_topic(connection: &Connection, name: &str) {
    let request = DeleteTopicRequest {
        topic: connection.names().topic(name),
    };
    let request = connection.request(request).await.unwrap();
    connection.topics().delete_topic(request).await.unwrap();
}

async fn update(connection: &Connection, path: &str, settings: Subscription) {
    let request = UpdateSubscriptionRequest {
        subscription: Some(Subscription {
            name: connection.names().subscription("user-sync-worker"),
            ..settings
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec![path.to_owned()],
        }),
    };
    let request = connection.request(request).await.unwrap();
    let mut api = connection.subscriptions();
    api.update_subscription(request).await.unwrap();
}

/// What `/readyz` says, once it says something; `/livez` follows.
async fn wrong(liveness: &Liveness) -> String {
    until("it is not live", async || liveness.live().is_err()).await;
    liveness.ready().unwrap_err()
}

async fn well(liveness: &Liveness) {
    until("it is ready", async || liveness.ready().is_ok()).await;
    assert_eq!(liveness.live(), Ok(()));
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_told_and_once_made_again_it_is_read() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let stage = TestConsumer::start(&connection, watching(), async |_| done());
    well(&stage.liveness).await;
    delete_subscription(&connection, "user-sync-worker").await;
    assert_eq!(
        wrong(&stage.liveness).await,
        "subscription t1-user-sync-worker: missing; run `lookup-gitlab-sync topology apply`"
    );
    quick(&connection).apply().await.unwrap();
    well(&stage.liveness).await;
    publish(&connection, [Bytes::from_static(b"after")]).await;
    until("it comes", async || stage.seen.count() == 1).await;
    stage.stop().await;
}

#[tokio::test]
async fn a_topic_that_is_gone_is_told_and_so_is_a_subscription_that_hangs_on_it() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let stage = TestConsumer::start(&connection, watching(), async |_| done());
    delete_topic(&connection, "user-sync").await;
    let told = wrong(&stage.liveness).await;
    assert!(told.contains("topic t1-user-sync: missing"), "{told}");
    assert!(told.contains("topic is _deleted-topic_"), "{told}");

    // The topic alone is not enough: what is published to it does not reach the old subscription.
    quick(&connection).apply().await.unwrap();
    until("the topic is back", async || {
        let told = stage.liveness.ready().unwrap_err();
        !told.contains("topic t1-user-sync: missing") && told.contains("_deleted-topic_")
    })
    .await;
    delete_subscription(&connection, "user-sync-worker").await;
    quick(&connection).apply().await.unwrap();
    well(&stage.liveness).await;
    publish(&connection, [Bytes::from_static(b"after")]).await;
    until("it comes", async || stage.seen.count() == 1).await;
    stage.stop().await;
}

#[tokio::test]
async fn settings_with_which_messages_are_lost_are_told_and_others_are_not() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let stage = TestConsumer::start(&connection, watching(), async |_| done());
    let kept_for = |seconds| Subscription {
        message_retention_duration: Some(prost_types::Duration { seconds, nanos: 0 }),
        ..Subscription::default()
    };
    let retention = "message_retention_duration";
    update(&connection, retention, kept_for(600)).await;
    let told = wrong(&stage.liveness).await;
    assert!(
        told.contains("message_retention_duration is 600 s, expected 604800 s"),
        "{told}"
    );
    update(&connection, retention, kept_for(2_000_000)).await;
    well(&stage.liveness).await;

    let policy = "dead_letter_policy";
    update(&connection, policy, Subscription::default()).await;
    let told = wrong(&stage.liveness).await;
    assert!(told.contains("dead_letter_policy is none"), "{told}");
    let fewer = Subscription {
        dead_letter_policy: Some(DeadLetterPolicy {
            dead_letter_topic: connection.names().topic("user-sync-dead"),
            max_delivery_attempts: 50,
        }),
        ..Subscription::default()
    };
    update(&connection, policy, fewer).await;
    well(&stage.liveness).await;
    stage.stop().await;
}

#[tokio::test]
async fn it_is_asked_while_messages_come_too() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let stage = TestConsumer::start(&connection, watching(), async |_| done());
    let publishing = async {
        for n in 0.. {
            publish(&connection, [Bytes::from(format!("{n}"))]).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    delete_subscription(&connection, "user-sync-dead-hold").await;
    let told = tokio::select! {
        told = wrong(&stage.liveness) => told,
        () = publishing => unreachable!("it publishes for ever"),
    };
    assert!(
        told.contains("subscription t1-user-sync-dead-hold: missing"),
        "{told}"
    );
    stage.stop().await;
}

#[tokio::test]
async fn a_topic_that_nobody_reads_is_told_before_anything_is_published_to_it() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let messages = StageMessages::to(Stage::UserWorker, &connection);
    messages.check_reader().await.unwrap();
    // How the worker fares with its dead letters is not for the fan-out to judge.
    update(&connection, "dead_letter_policy", Subscription::default()).await;
    messages.check_reader().await.unwrap();

    delete_subscription(&connection, "user-sync-worker").await;
    let told = messages.check_reader().await.unwrap_err().to_string();
    assert_eq!(
        told,
        "no subscription would receive the messages for stage user-worker: \
         subscription t1-user-sync-worker: missing; run `lookup-gitlab-sync topology apply`"
    );
    quick(&connection).apply().await.unwrap();
    messages.check_reader().await.unwrap();
    delete_topic(&connection, "user-sync").await;
    let told = messages.check_reader().await.unwrap_err().to_string();
    assert!(told.contains("topic t1-user-sync: missing"), "{told}");
}
