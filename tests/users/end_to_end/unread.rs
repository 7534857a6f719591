//! Topics without their subscription, and subscriptions without their topic.

use std::time::Duration;

use google_cloud_googleapis::pubsub::v1::{DeleteSubscriptionRequest, DeleteTopicRequest};
use lookup_gitlab_sync::messaging::{Topology, topology::RetryDelays, wire::SyncTick};
use simulator::{
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
};
use testkit::environment::ServiceEnvironment;
use testkit::wait::until;

use crate::support::{connection, environment};

async fn delete_subscription(scene: &ServiceEnvironment, name: &str) {
    let request = DeleteSubscriptionRequest {
        subscription: scene.pubsub.subscription(name),
    };
    let deleted = scene.pubsub.subscriber().delete_subscription(request).await;
    deleted.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_whose_messages_nobody_would_get_is_no_run() {
    let mut scene = environment(
        vec![SimulatedUser::new(42, "spqr1")],
        vec![SimulatedPerson::cancelled("spqr1", "Gone")],
    )
    .await;
    scene.serve(&[], &[]).await;
    delete_subscription(&scene, "user-sync-worker").await;
    scene.tick(SyncTick::default()).await;
    // Redeliveries come at once here, so that its attempts are soon spent.
    let letters = scene.dead_letters("sync-tick-dead-hold", 1).await;
    let (_, attributes) = &letters[0];
    assert_eq!(attributes["dead_letter_reason"], "attempts_exhausted");
    let detail = &attributes["dead_letter_detail"];
    assert!(
        detail.contains(
            "the run does not start: no subscription would receive the messages for stage user-worker"
        ) && detail.contains("subscription user-sync-worker: missing")
            && detail.contains("topology apply"),
        "{detail}"
    );
    let topic = scene.pubsub.topic("user-sync");
    let broker = scene.servers.broker.as_ref().unwrap();
    assert_eq!(broker.published(&topic), Some(0));

    let at_once = RetryDelays {
        minimum: Duration::ZERO,
        maximum: Duration::ZERO,
    };
    let topology = Topology::new(&connection(&scene).await).with_retry_delays(at_once);
    topology.apply().await.unwrap();
    scene.tick(SyncTick::default()).await;
    until("the person is blocked", async || {
        scene.state(42) == UserState::Blocked
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topology_apply_says_what_it_could_not_mend_and_exits_1() {
    let scene = environment(Vec::new(), Vec::new()).await;
    let request = DeleteTopicRequest {
        topic: scene.pubsub.topic("user-sync"),
    };
    let deleted = scene.pubsub.publisher().delete_topic(request).await;
    deleted.unwrap();

    let applied = scene.run(&["topology", "apply"], &[]).await;
    assert_eq!(applied.status.code(), Some(1));
    let printed = String::from_utf8(applied.stdout).unwrap();
    assert!(
        printed.contains("topic is _deleted-topic_, expected user-sync"),
        "{printed}"
    );
    let told = String::from_utf8(applied.stderr).unwrap();
    assert!(
        told.contains("1 difference cannot be changed") && told.contains("delete the subscription"),
        "{told}"
    );

    delete_subscription(&scene, "user-sync-worker").await;
    let applied = scene.run(&["topology", "apply"], &[]).await;
    assert_eq!(applied.status.code(), Some(0));
    let checked = scene.run(&["topology", "check"], &[]).await;
    assert_eq!(checked.status.code(), Some(0));
}
