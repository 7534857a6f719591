//! What may be published.

use google_cloud_googleapis::pubsub::v1::{PubsubMessage, Subscription};
use tonic::Code;

use crate::server::{Server, code, message, with};

pub async fn an_empty_message_is_refused(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    assert_eq!(
        code(server.try_publish(&topic, vec![]).await),
        Code::InvalidArgument
    );
    let batch = vec![message("good"), PubsubMessage::default()];
    assert_eq!(
        code(server.try_publish(&topic, batch).await),
        Code::InvalidArgument
    );
    let keyed = PubsubMessage {
        ordering_key: "key".to_owned(),
        ..PubsubMessage::default()
    };
    assert_eq!(
        code(server.try_publish(&topic, vec![keyed]).await),
        Code::InvalidArgument
    );

    server
        .publish(
            &topic,
            vec![with(PubsubMessage::default(), "only", "an attribute")],
        )
        .await;
    let received = server.pull_one(&subscription).await.message.unwrap();
    assert_eq!(
        received.attributes.get("only").map(String::as_str),
        Some("an attribute")
    );
    server.assert_nothing_comes(&subscription).await;
}

pub async fn a_thousand_messages_a_request_are_the_limit(server: Server) {
    let topic = server.topic().await;
    let many = |count| vec![message("x"); count];
    assert_eq!(server.publish(&topic, many(1_000)).await.len(), 1_000);
    assert_eq!(
        code(server.try_publish(&topic, many(1_001)).await),
        Code::InvalidArgument
    );
}

pub async fn a_message_of_nearly_ten_megabytes_passes(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    let body = "x".repeat(9_900_000);
    server.publish(&topic, vec![message(&body)]).await;
    assert_eq!(
        server
            .pull_one(&subscription)
            .await
            .message
            .unwrap()
            .data
            .len(),
        body.len()
    );
}

pub async fn a_request_over_ten_megabytes_is_refused(server: Server) {
    let topic = server.topic().await;
    let refusal = server
        .try_publish(&topic, vec![message(&"x".repeat(10_000_001))])
        .await;
    if server.is_broker() {
        assert_eq!(code(refusal), Code::InvalidArgument);
    } else {
        // The service's quotas say 10 MB; the emulator does not count.
        assert!(refusal.is_ok());
    }
}

pub async fn attributes_over_their_limits_are_refused(server: Server) {
    let topic = server.topic().await;
    let crowded = (0..101).fold(message("x"), |message, n| {
        with(message, &format!("k{n}"), "v")
    });
    let over = [
        crowded,
        with(message("x"), "", "v"),
        with(message("x"), "googkey", "v"),
        with(message("x"), &"k".repeat(257), "v"),
        with(message("x"), "k", &"v".repeat(1_025)),
    ];
    for message in over {
        let refusal = server.try_publish(&topic, vec![message]).await;
        if server.is_broker() {
            assert_eq!(code(refusal), Code::InvalidArgument);
        } else {
            // The service's quotas name each of these; the emulator looks at none.
            assert!(refusal.is_ok());
        }
    }
}
