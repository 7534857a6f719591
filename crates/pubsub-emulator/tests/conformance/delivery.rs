//! From publish to acknowledgement.

use std::time::Duration;

use google_cloud_googleapis::pubsub::v1::{PubsubMessage, PullRequest, Subscription};
use tokio::time::timeout;
use tonic::Code;

use crate::server::{PATIENCE, Server, all_data, code, data, message, with};

pub async fn a_published_message_is_pulled_and_acknowledged(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    let published = vec![with(message("one"), "run", "r1"), message("two")];
    let ids = server.publish(&topic, published).await;
    assert_eq!(ids.len(), 2);

    let received = server.pull(&subscription, 2).await;
    assert_eq!(all_data(&received), ["one", "two"]);
    for delivery in &received {
        let message = delivery.message.as_ref().unwrap();
        assert!(ids.contains(&message.message_id));
        assert!(message.publish_time.is_some());
        assert_eq!(
            message.attributes.contains_key("run"),
            data(delivery) == "one"
        );
        assert_eq!(
            delivery.delivery_attempt, 0,
            "attempts are told under a dead-letter policy only"
        );
        server.lease_for(&subscription, delivery, 1).await;
        server.ack(&subscription, delivery).await;
    }
    server.assert_nothing_comes(&subscription).await;
}

pub async fn every_subscription_gets_its_own_copy(server: Server) {
    let topic = server.topic().await;
    let first = server.subscription(&topic, Subscription::default()).await;
    let second = server.subscription(&topic, Subscription::default()).await;
    server.publish(&topic, vec![message("shared")]).await;
    let of_first = server.pull_one(&first).await;
    server.ack(&first, &of_first).await;
    let of_second = server.pull_one(&second).await;
    assert_eq!(
        of_first.message.unwrap().message_id,
        of_second.message.unwrap().message_id
    );

    let late = server.subscription(&topic, Subscription::default()).await;
    server.assert_nothing_comes(&late).await;
}

pub async fn a_filter_keeps_out_what_it_does_not_match(server: Server) {
    let topic = server.topic().await;
    let filtered = |filter: &str| Subscription {
        filter: filter.to_owned(),
        ..Subscription::default()
    };
    let both = r#"attributes.kind = "user" AND attributes.run = "r1""#;
    let subscription = server.subscription(&topic, filtered(both)).await;
    assert_eq!(
        server.get_subscription(&subscription).await.unwrap().filter,
        both
    );
    let user = |data: &str| with(message(data), "kind", "user");
    let messages = vec![
        with(user("match"), "run", "r1"),
        with(user("other run"), "run", "r2"),
        user("no run"),
        message("nothing"),
    ];
    server.publish(&topic, messages).await;
    if server.is_broker() {
        assert_eq!(data(&server.pull_one(&subscription).await), "match");
        server.assert_nothing_comes(&subscription).await;
        let bogus = server
            .try_subscription(&topic, filtered("kind is user"))
            .await;
        assert_eq!(code(bogus), Code::InvalidArgument);
    } else {
        // The emulator keeps any text as a filter and delivers everything.
        assert_eq!(server.pull(&subscription, 4).await.len(), 4);
    }
}

pub async fn a_pull_returns_at_most_what_was_asked(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    server
        .publish(&topic, (0..5).map(|n| message(&n.to_string())).collect())
        .await;
    let some = server.pull_within(&subscription, 3, PATIENCE).await;
    assert!((1..=3).contains(&some.len()), "{} came", some.len());
    let rest = server.pull(&subscription, 5 - some.len()).await;
    let mut all = all_data(&some);
    all.extend(all_data(&rest));
    all.sort();
    assert_eq!(all, ["0", "1", "2", "3", "4"]);

    let none = PullRequest {
        subscription,
        ..PullRequest::default()
    };
    assert_eq!(
        code(server.subscriber().pull(none).await),
        Code::InvalidArgument
    );
}

pub async fn an_immediate_pull_does_not_wait(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    #[expect(deprecated, reason = "the official clients still offer it")]
    let request = PullRequest {
        subscription,
        max_messages: 1,
        return_immediately: true,
    };
    let pull = timeout(PATIENCE, server.subscriber().pull(request)).await;
    assert_eq!(pull.unwrap().unwrap().into_inner().received_messages, []);
}

pub async fn a_waiting_pull_gets_what_is_published_later(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    let (received, ()) = tokio::join!(server.pull_within(&subscription, 1, PATIENCE), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.publish(&topic, vec![message("late")]).await;
    });
    assert_eq!(all_data(&received), ["late"]);
}

pub async fn an_ordering_key_is_carried(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    let keyed = PubsubMessage {
        ordering_key: "key".to_owned(),
        ..message("x")
    };
    server.publish(&topic, vec![keyed]).await;
    assert_eq!(
        server
            .pull_one(&subscription)
            .await
            .message
            .unwrap()
            .ordering_key,
        "key"
    );
}

/// tonic's own client says CANCELLED where its clock is the first to run out, as it is on a busy
/// machine: it is asked until the server is the first. The emulator holds a Pull for its 59 seconds
/// whatever the client says.
pub async fn a_pull_whose_deadline_passes_says_so(server: Server) {
    if !server.is_broker() {
        return;
    }
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    let asked_until_it_says_so = async {
        loop {
            let request = PullRequest {
                subscription: subscription.clone(),
                max_messages: 1,
                ..PullRequest::default()
            };
            let mut request = tonic::Request::new(request);
            request.set_timeout(Duration::from_secs(1));
            match code(server.subscriber().pull(request).await) {
                Code::DeadlineExceeded => return,
                code => assert_eq!(code, Code::Cancelled),
            }
        }
    };
    timeout(PATIENCE, asked_until_it_says_so)
        .await
        .expect("the server says that the deadline has passed");
}

pub async fn an_empty_pull_is_answered_before_a_client_gives_up(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    let request = PullRequest {
        subscription,
        max_messages: 1,
        ..PullRequest::default()
    };
    let began = std::time::Instant::now();
    let pulled = server.subscriber().pull(request).await;
    let answer = pulled.expect("it is answered").into_inner();
    assert!(answer.received_messages.is_empty());
    let took = began.elapsed();
    assert!(took > Duration::from_secs(30), "{took:?}");
}
