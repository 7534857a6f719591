//! What only the embedded broker has: its end, its counts, its refusals, its size.

use std::{collections::HashMap, time::Duration};

use google_cloud_googleapis::pubsub::v1::{
    CreateSnapshotRequest, GetTopicRequest, PullRequest, StreamingPullRequest, Subscription, Topic,
    UpdateTopicRequest,
};
use prost_types::FieldMask;
use pubsub_emulator::{Broker, BrokerError, BrokerSettings, DeliveryCounts};
use tokio::time::timeout;
use tonic::Code;

use crate::server::{Kind, PATIENCE, Server, code, dead_letter_to, message};

async fn start() -> (Broker, Server) {
    let broker = Broker::start(BrokerSettings::default()).await.unwrap();
    let server = Server::connect(&broker.host(), Kind::Broker).await;
    (broker, server)
}

#[tokio::test]
async fn streams_and_waiting_pulls_end_with_unavailable_at_shutdown() {
    let (broker, server) = start().await;
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    let (requests, outgoing) = tokio::sync::mpsc::channel(1);
    let first = StreamingPullRequest {
        subscription: subscription.clone(),
        stream_ack_deadline_seconds: 10,
        ..StreamingPullRequest::default()
    };
    requests.send(first).await.unwrap();
    let outgoing = tokio_stream::wrappers::ReceiverStream::new(outgoing);
    let mut stream = server
        .subscriber()
        .streaming_pull(outgoing)
        .await
        .unwrap()
        .into_inner();
    let request = PullRequest {
        subscription,
        max_messages: 1,
        ..PullRequest::default()
    };
    let mut subscriber = server.subscriber();
    let pull = tokio::spawn(async move { subscriber.pull(request).await });
    // A call answered on the same connection shows that the pull before it has arrived.
    server.topic().await;

    let (stopped, ended) = tokio::join!(timeout(PATIENCE, broker.stop()), stream.message());
    stopped.expect("the broker stops");
    assert_eq!(code(ended), Code::Unavailable);
    assert_eq!(code(pull.await.unwrap()), Code::Unavailable);
}

#[tokio::test]
async fn a_broker_can_be_started_again_on_the_same_port() {
    let (broker, server) = start().await;
    let port = broker.host().rsplit(':').next().unwrap().parse().unwrap();
    let taken = Broker::start(BrokerSettings { port, bind: None }).await;
    assert!(matches!(taken, Err(BrokerError::Listen { .. })));
    drop(server);
    broker.stop().await;
    let again = Broker::start(BrokerSettings { port, bind: None })
        .await
        .unwrap();
    Server::connect(&again.host(), Kind::Broker)
        .await
        .topic()
        .await;
}

#[tokio::test]
async fn counts_tell_what_became_of_the_messages() {
    let (broker, server) = start().await;
    let topic = server.topic().await;
    let dead = server.topic().await;
    let subscription = server.subscription(&topic, dead_letter_to(&dead, 5)).await;
    assert_eq!(
        broker.counts(&subscription),
        Some(DeliveryCounts::default())
    );
    server
        .publish(
            &topic,
            vec![message("a"), message("b"), message("c"), message("d")],
        )
        .await;
    let received = server.pull(&subscription, 3).await;
    server.ack(&subscription, &received[0]).await;
    for _ in 0..5 {
        let last = server.pull_one(&subscription).await;
        server.nack(&subscription, &last).await;
    }
    let counts = broker.counts(&subscription).unwrap();
    let expected = DeliveryCounts {
        published: 4,
        delivered: 8,
        acked: 1,
        nacked: 5,
        lapsed: 0,
        dead_lettered: 1,
        outstanding: 2,
        waiting: 0,
        streams: 0,
    };
    assert_eq!(counts, expected);
    assert_eq!(broker.published(&topic), Some(4));
    assert_eq!(broker.published(&dead), Some(1));
    assert_eq!(broker.counts(&server.fresh("subscriptions")), None);
    assert_eq!(broker.published(&server.fresh("topics")), None);
}

#[tokio::test]
async fn leases_can_be_ended_as_the_deadline_of_a_killed_worker_ends_them() {
    let (broker, server) = start().await;
    let topic = server.topic().await;
    let dead = server.topic().await;
    let hold = server.subscription(&dead, Subscription::default()).await;
    let subscription = server.subscription(&topic, dead_letter_to(&dead, 5)).await;
    server.publish(&topic, vec![message("work")]).await;
    assert_eq!(broker.lapse_leases(&subscription), Some(0));
    for attempt in 1..=5 {
        let received = server.pull_one(&subscription).await;
        assert_eq!(received.delivery_attempt, attempt);
        assert_eq!(broker.lapse_leases(&subscription), Some(1));
    }
    assert_eq!(crate::server::data(&server.pull_one(&hold).await), "work");
    let counts = broker.counts(&subscription).unwrap();
    assert_eq!((counts.lapsed, counts.dead_lettered), (5, 1));
    assert_eq!(broker.lapse_leases(&server.fresh("subscriptions")), None);
}

#[tokio::test]
async fn what_is_not_offered_is_refused_by_name() {
    let (_broker, server) = start().await;
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    let name = server.fresh("snapshots");
    let request = CreateSnapshotRequest {
        name,
        subscription,
        ..CreateSnapshotRequest::default()
    };
    let refusal = server
        .subscriber()
        .create_snapshot(request)
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), Code::Unimplemented);
    assert!(
        refusal.message().contains("Subscriber/CreateSnapshot"),
        "{}",
        refusal.message()
    );

    let ordered = Subscription {
        enable_message_ordering: true,
        ..Subscription::default()
    };
    let refusal = server.try_subscription(&topic, ordered).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unimplemented);
    assert!(
        refusal.message().contains("enable_message_ordering"),
        "{}",
        refusal.message()
    );
}

/// By Google's list of limitations its emulator has no `UpdateTopic`.
#[tokio::test]
async fn labels_of_a_topic_are_kept_and_replaced_as_a_whole() {
    let (_broker, server) = start().await;
    let name = server.topic().await;
    let mut publisher = server.publisher();
    for labels in [vec![("a", "1"), ("b", "2")], vec![("c", "3")], vec![]] {
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let labels: HashMap<String, String> = labels.into_iter().map(owned).collect();
        let update = UpdateTopicRequest {
            topic: Some(Topic {
                name: name.clone(),
                labels: labels.clone(),
                ..Topic::default()
            }),
            update_mask: Some(FieldMask {
                paths: vec!["labels".to_owned()],
            }),
        };
        let updated = publisher.update_topic(update).await.unwrap().into_inner();
        assert_eq!(updated.labels, labels);
        let get = GetTopicRequest {
            topic: name.clone(),
        };
        let kept = publisher.get_topic(get).await.unwrap().into_inner();
        assert_eq!(kept.labels, labels);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_messages_wait_and_are_drained() {
    const MESSAGES: usize = 100_000;
    let (broker, server) = start().await;
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    for _ in 0..MESSAGES / 1_000 {
        server
            .publish(&topic, vec![message(&"x".repeat(200)); 1_000])
            .await;
    }
    assert_eq!(broker.counts(&subscription).unwrap().waiting, MESSAGES);
    let mut stream = server
        .google_subscriber()
        .await
        .subscribe(&subscription)
        .set_max_outstanding_messages(10_000)
        .build();
    for _ in 0..MESSAGES {
        let next = timeout(PATIENCE, stream.next())
            .await
            .expect("more messages come");
        next.expect("the stream stays open").unwrap().1.ack();
    }
    let end = stream.shutdown_token();
    drop(stream);
    timeout(PATIENCE, end.shutdown())
        .await
        .expect("the acks go out");
    let counts = broker.counts(&subscription).unwrap();
    assert_eq!(counts.acked, MESSAGES as u64);
    assert_eq!((counts.outstanding, counts.waiting), (0, 0));
}

#[tokio::test]
async fn three_streams_share_a_backlog() {
    let (broker, server) = start().await;
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    server.publish(&topic, vec![message("x"); 300]).await;
    let worker = || async {
        let subscriber = server.google_subscriber().await;
        let mut stream = subscriber
            .subscribe(&subscription)
            .set_max_outstanding_messages(50)
            .build();
        let mut done = 0;
        while let Ok(next) = timeout(Duration::from_secs(2), stream.next()).await {
            next.expect("the stream stays open").unwrap().1.ack();
            done += 1;
        }
        done
    };
    let (one, two, three) = tokio::join!(worker(), worker(), worker());
    assert_eq!(one + two + three, 300);
    assert!(one > 0 && two > 0 && three > 0, "{one}, {two} and {three}");
    assert_eq!(broker.counts(&subscription).unwrap().delivered, 300);
}

#[tokio::test]
async fn a_call_of_another_service_is_refused_by_name() {
    let (_broker, server) = start().await;
    for method in [
        "google.iam.v1.IAMPolicy/GetIamPolicy",
        "google.iam.v1.IAMPolicy/SetIamPolicy",
        "google.iam.v1.IAMPolicy/TestIamPermissions",
        "grpc.health.v1.Health/Check",
    ] {
        let mut client = tonic::client::Grpc::new(server.channel());
        client.ready().await.unwrap();
        let path = format!("/{method}").parse().unwrap();
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        let refused = client
            .unary(tonic::Request::new(()), path, codec)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented);
        assert_eq!(
            refused.message(),
            format!("{method} is not offered by the embedded broker")
        );
    }
}
