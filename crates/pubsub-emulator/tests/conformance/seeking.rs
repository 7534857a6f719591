//! Seek to a time.

use std::time::{Duration, SystemTime};

use google_cloud_googleapis::pubsub::v1::{SeekRequest, Subscription, seek_request::Target};
use prost_types::Timestamp;
use tonic::{Code, Status};

use crate::server::{Server, all_data, code, message};

pub async fn a_seek_back_brings_retained_messages_again(server: Server) {
    let retaining = Subscription {
        retain_acked_messages: true,
        ..Subscription::default()
    };
    let (topic, subscription, between) = two_done(&server, retaining).await;
    seek(&server, &subscription, between).await.unwrap();
    let later = server.pull(&subscription, 1).await;
    assert_eq!(all_data(&later), ["later"]);
    server.assert_nothing_comes(&subscription).await;
    seek(&server, &subscription, long_ago()).await.unwrap();
    let both = server.pull(&subscription, 2).await;
    assert_eq!(all_data(&both), ["earlier", "later"]);
    server.publish(&topic, vec![message("new")]).await;
    assert_eq!(all_data(&server.pull(&subscription, 1).await), ["new"]);
}

pub async fn a_seek_back_brings_nothing_that_was_not_retained(server: Server) {
    let (_, subscription, _) = two_done(&server, Subscription::default()).await;
    seek(&server, &subscription, long_ago()).await.unwrap();
    server.assert_nothing_comes(&subscription).await;
}

pub async fn a_seek_forward_acknowledges_what_is_there_and_nothing_later(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    server.publish(&topic, vec![message("old")]).await;
    let in_an_hour = SystemTime::now() + Duration::from_hours(1);
    seek(&server, &subscription, in_an_hour).await.unwrap();
    server.publish(&topic, vec![message("new")]).await;
    assert_eq!(all_data(&server.pull(&subscription, 1).await), ["new"]);
    server.assert_nothing_comes(&subscription).await;
}

pub async fn a_seek_needs_a_target_and_a_subscription(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    let nowhere = SeekRequest {
        subscription,
        target: None,
    };
    assert_eq!(
        code(server.subscriber().seek(nowhere).await),
        Code::InvalidArgument
    );
    let unknown = server.fresh("subscriptions");
    assert_eq!(
        code(seek(&server, &unknown, long_ago()).await),
        Code::NotFound
    );
}

/// Two messages, both acknowledged, and a time between them.
async fn two_done(server: &Server, settings: Subscription) -> (String, String, SystemTime) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, settings).await;
    server.publish(&topic, vec![message("earlier")]).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let between = SystemTime::now();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.publish(&topic, vec![message("later")]).await;
    for received in server.pull(&subscription, 2).await {
        server.ack(&subscription, &received).await;
    }
    (topic, subscription, between)
}

fn long_ago() -> SystemTime {
    SystemTime::now() - Duration::from_hours(1)
}

async fn seek(server: &Server, subscription: &str, time: SystemTime) -> Result<(), Status> {
    let request = SeekRequest {
        subscription: subscription.to_owned(),
        target: Some(Target::Time(Timestamp::from(time))),
    };
    server.subscriber().seek(request).await.map(drop)
}
