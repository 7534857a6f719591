//! Nacks, leases, retries and dead letters.

use std::time::{Duration, Instant};

use google_cloud_googleapis::pubsub::v1::{
    DeleteTopicRequest, ReceivedMessage, RetryPolicy, Subscription,
};

use crate::server::{Server, WATCH, data, dead_letter_to, message, with};

pub async fn a_nacked_message_comes_again_at_once(server: Server) {
    let (_, subscription, first) = delivered(&server, Subscription::default()).await;
    server.nack(&subscription, &first).await;
    let second = server.pull_one(&subscription).await;
    assert_same(&first, &second);
    assert_ne!(first.ack_id, second.ack_id);
}

pub async fn a_lapsed_lease_brings_the_message_again(server: Server) {
    let (_, subscription, first) = delivered(&server, Subscription::default()).await;
    server.lease_for(&subscription, &first, 1).await;
    assert_same(&first, &server.pull_one(&subscription).await);
}

pub async fn an_extended_lease_holds(server: Server) {
    let (_, subscription, first) = delivered(&server, Subscription::default()).await;
    server.lease_for(&subscription, &first, 1).await;
    server.lease_for(&subscription, &first, 60).await;
    server.assert_nothing_comes(&subscription).await;
    server.nack(&subscription, &first).await;
    assert_same(&first, &server.pull_one(&subscription).await);
}

/// The service says that such an ack "may succeed"; both servers let it.
pub async fn a_late_acknowledgement_counts_until_the_next_delivery(server: Server) {
    let (_, subscription, first) = delivered(&server, Subscription::default()).await;
    server.lease_for(&subscription, &first, 1).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    server.ack(&subscription, &first).await;
    server.assert_nothing_comes(&subscription).await;
}

pub async fn an_id_from_an_earlier_delivery_is_passed_over(server: Server) {
    let (_, subscription, first) = delivered(&server, Subscription::default()).await;
    server.lease_for(&subscription, &first, 1).await;
    let second = server.pull_one(&subscription).await;
    server.ack(&subscription, &first).await;
    server.nack(&subscription, &second).await;
    assert_same(&first, &server.pull_one(&subscription).await);
}

pub async fn a_message_is_dead_lettered_after_its_last_attempt(server: Server) {
    let (dead, hold) = dead_letter_topic(&server).await;
    let (_, subscription, mut last) = delivered(&server, dead_letter_to(&dead, 5)).await;
    for attempt in 1..=5 {
        assert_eq!(last.delivery_attempt, attempt);
        server.nack(&subscription, &last).await;
        if attempt < 5 {
            last = server.pull_one(&subscription).await;
        }
    }
    assert_dead(&server, &subscription, &hold, &last).await;
}

pub async fn a_lapsed_last_attempt_is_dead_lettered_too(server: Server) {
    let (dead, hold) = dead_letter_topic(&server).await;
    let (_, subscription, mut last) = delivered(&server, dead_letter_to(&dead, 5)).await;
    for _ in 1..5 {
        server.nack(&subscription, &last).await;
        last = server.pull_one(&subscription).await;
    }
    server.lease_for(&subscription, &last, 1).await;
    if !server.is_broker() {
        // The lease is over when assert_dead pulls.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    assert_dead(&server, &subscription, &hold, &last).await;
}

pub async fn a_message_with_no_place_for_its_dead_stays(server: Server) {
    let (dead, _) = dead_letter_topic(&server).await;
    let (_, subscription, mut last) = delivered(&server, dead_letter_to(&dead, 5)).await;
    server
        .publisher()
        .delete_topic(DeleteTopicRequest { topic: dead })
        .await
        .unwrap();
    for attempt in 1..8 {
        assert_eq!(last.delivery_attempt, attempt);
        server.nack(&subscription, &last).await;
        last = server.pull_one(&subscription).await;
    }
}

pub async fn the_delay_grows_under_a_retry_policy(server: Server) {
    let wire = |seconds| prost_types::Duration::try_from(Duration::from_secs(seconds)).ok();
    let retry_policy = Some(RetryPolicy {
        minimum_backoff: wire(1),
        maximum_backoff: wire(2),
    });
    let settings = Subscription {
        retry_policy,
        ..Subscription::default()
    };
    let (_, subscription, mut received) = delivered(&server, settings).await;
    // The first redelivery is immediate on both. The emulator looks about once a second, so the
    // delays are lower bounds and the least of them is all that holds there.
    let least = if server.is_broker() {
        [0, 1, 2, 2]
    } else {
        [0, 1, 1, 1]
    };
    for seconds in least {
        let nacked = Instant::now();
        server.nack(&subscription, &received).await;
        received = server.pull_one(&subscription).await;
        let waited = nacked.elapsed();
        assert!(
            waited >= Duration::from_secs(seconds),
            "{waited:?} is less than {seconds} s"
        );
    }
}

/// A fresh subscription whose only message has been delivered once.
async fn delivered(server: &Server, settings: Subscription) -> (String, String, ReceivedMessage) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, settings).await;
    server
        .publish(&topic, vec![with(message("work"), "run", "r1")])
        .await;
    let received = server.pull_one(&subscription).await;
    (topic, subscription, received)
}

/// A topic for the dead and the subscription that holds them.
async fn dead_letter_topic(server: &Server) -> (String, String) {
    let topic = server.topic().await;
    let hold = server.subscription(&topic, Subscription::default()).await;
    (topic, hold)
}

fn assert_same(one: &ReceivedMessage, other: &ReceivedMessage) {
    assert_eq!(one.message, other.message);
}

async fn assert_dead(server: &Server, subscription: &str, hold: &str, last: &ReceivedMessage) {
    if !server.is_broker() {
        // The emulator forwards a dead message only when somebody pulls; the service by itself.
        server.assert_nothing_comes(subscription).await;
    }
    let buried = server.pull_one(hold).await;
    assert_eq!(data(&buried), "work");
    let mut attributes = buried.message.unwrap().attributes;
    let mut take = |key: &str| {
        attributes
            .remove(&format!("CloudPubSubDeadLetterSource{key}"))
            .unwrap()
    };
    assert_eq!(take("DeliveryCount"), "5");
    assert_eq!(
        take("Subscription"),
        subscription.rsplit('/').next().unwrap()
    );
    assert_eq!(take("SubscriptionProject"), server.project);
    let published: jiff::Timestamp = take("TopicPublishTime").parse().unwrap();
    let original = last.message.as_ref().unwrap();
    let seconds = original.publish_time.unwrap().seconds;
    assert_eq!(published.as_second(), seconds);
    assert_eq!(
        attributes, original.attributes,
        "the original attributes stay"
    );
    assert!(
        server.pull_within(hold, 1, WATCH).await.is_empty(),
        "one copy"
    );
    server.assert_nothing_comes(subscription).await;
}
