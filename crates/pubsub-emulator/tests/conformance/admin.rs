//! Topics and subscriptions as resources.

use std::time::Duration;

use google_cloud_googleapis::pubsub::v1::{
    DeleteSubscriptionRequest, DeleteTopicRequest, GetTopicRequest, ListSubscriptionsRequest,
    ListTopicSubscriptionsRequest, ListTopicsRequest, RetryPolicy, Subscription, Topic,
    UpdateSubscriptionRequest,
};
use prost_types::FieldMask;
use tonic::Code;

use crate::server::{Server, code, data, dead_letter_to, message};

pub async fn what_exists_already_is_refused(server: Server) {
    let topic = server.topic().await;
    let again = Topic {
        name: topic.clone(),
        ..Topic::default()
    };
    assert_eq!(
        code(server.publisher().create_topic(again).await),
        Code::AlreadyExists
    );

    let name = server.subscription(&topic, Subscription::default()).await;
    let again = Subscription {
        name,
        topic,
        ..Subscription::default()
    };
    assert_eq!(
        code(server.subscriber().create_subscription(again).await),
        Code::AlreadyExists
    );
}

pub async fn what_is_not_there_is_not_found(server: Server) {
    let topic = server.fresh("topics");
    let subscription = server.fresh("subscriptions");
    let mut publisher = server.publisher();
    let mut subscriber = server.subscriber();

    let get = GetTopicRequest {
        topic: topic.clone(),
    };
    assert_eq!(code(publisher.get_topic(get).await), Code::NotFound);
    let delete = DeleteTopicRequest {
        topic: topic.clone(),
    };
    assert_eq!(code(publisher.delete_topic(delete).await), Code::NotFound);
    assert_eq!(
        code(server.try_publish(&topic, vec![message("x")]).await),
        Code::NotFound
    );
    assert_eq!(
        code(
            server
                .try_subscription(&topic, Subscription::default())
                .await
        ),
        Code::NotFound
    );

    assert_eq!(
        code(server.get_subscription(&subscription).await),
        Code::NotFound
    );
    let delete = DeleteSubscriptionRequest {
        subscription: subscription.clone(),
    };
    assert_eq!(
        code(subscriber.delete_subscription(delete).await),
        Code::NotFound
    );
    let pull = google_cloud_googleapis::pubsub::v1::PullRequest {
        subscription: subscription.clone(),
        max_messages: 1,
        ..Default::default()
    };
    assert_eq!(code(subscriber.pull(pull).await), Code::NotFound);
    assert_eq!(
        code(
            server
                .acknowledge(&subscription, vec!["x".to_owned()])
                .await
        ),
        Code::NotFound
    );

    let living = server.topic().await;
    let nowhere = dead_letter_to(&server.fresh("topics"), 5);
    assert_eq!(
        code(server.try_subscription(&living, nowhere).await),
        Code::NotFound
    );
}

pub async fn malformed_requests_are_invalid(server: Server) {
    let mut publisher = server.publisher();
    for name in [
        "nonsense",
        "projects/p/topics/1abc",
        "projects/p/topics/googabc",
    ] {
        let topic = Topic {
            name: name.to_owned(),
            ..Topic::default()
        };
        assert_eq!(
            code(publisher.create_topic(topic).await),
            Code::InvalidArgument,
            "{name}"
        );
    }
    let topic = server.topic().await;
    for ack_deadline_seconds in [-1, 601] {
        let settings = Subscription {
            ack_deadline_seconds,
            ..Subscription::default()
        };
        assert_eq!(
            code(server.try_subscription(&topic, settings).await),
            Code::InvalidArgument
        );
    }
    if server.is_broker() {
        // The service takes no deadline under 10 s; the emulator takes any.
        let settings = Subscription {
            ack_deadline_seconds: 9,
            ..Subscription::default()
        };
        assert_eq!(
            code(server.try_subscription(&topic, settings).await),
            Code::InvalidArgument
        );
    }
    for attempts in [4, 101] {
        let settings = dead_letter_to(&topic, attempts);
        assert_eq!(
            code(server.try_subscription(&topic, settings).await),
            Code::OutOfRange
        );
    }
    let backwards = Subscription {
        retry_policy: Some(retry(20, 10)),
        ..Subscription::default()
    };
    assert_eq!(
        code(server.try_subscription(&topic, backwards).await),
        Code::InvalidArgument
    );

    let subscription = server.subscription(&topic, Subscription::default()).await;
    assert_eq!(
        code(server.acknowledge(&subscription, vec![]).await),
        Code::InvalidArgument
    );
    let rubbish = vec!["rubbish".to_owned()];
    assert_eq!(
        code(server.acknowledge(&subscription, rubbish).await),
        Code::InvalidArgument
    );
    assert_eq!(
        code(server.modify(&subscription, "rubbish", 10).await),
        Code::InvalidArgument
    );
    server.publish(&topic, vec![message("x")]).await;
    let received = server.pull_one(&subscription).await;
    assert_eq!(
        code(server.modify(&subscription, &received.ack_id, -1).await),
        Code::InvalidArgument
    );
    if server.is_broker() {
        // The API's reference says at most 600 s; the emulator does not look.
        assert_eq!(
            code(server.modify(&subscription, &received.ack_id, 601).await),
            Code::InvalidArgument
        );
    }
}

pub async fn settings_are_kept_and_defaulted(server: Server) {
    let topic = server.topic().await;
    let dead = server.topic().await;
    let plain = server.subscription(&topic, Subscription::default()).await;
    let plain = server.get_subscription(&plain).await.unwrap();
    assert_eq!(plain.topic, topic);
    assert_eq!(plain.ack_deadline_seconds, 10);
    assert_eq!(
        plain.message_retention_duration.unwrap().seconds,
        7 * 24 * 60 * 60
    );
    assert_eq!(plain.dead_letter_policy, None);
    assert_eq!(plain.retry_policy, None);

    let rich = Subscription {
        ack_deadline_seconds: 60,
        retry_policy: Some(RetryPolicy::default()),
        ..dead_letter_to(&dead, 0)
    };
    let rich = server.subscription(&topic, rich).await;
    let rich = server.get_subscription(&rich).await.unwrap();
    assert_eq!(rich.ack_deadline_seconds, 60);
    assert_eq!(rich.retry_policy, Some(retry(10, 600)));
    assert_eq!(
        rich.dead_letter_policy,
        dead_letter_to(&dead, 5).dead_letter_policy
    );
}

pub async fn an_update_changes_the_masked_fields_only(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    let update = |paths: &[&str]| UpdateSubscriptionRequest {
        subscription: Some(Subscription {
            name: subscription.clone(),
            topic: server.fresh("topics"),
            ack_deadline_seconds: 33,
            retry_policy: Some(retry(1, 2)),
            ..Subscription::default()
        }),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
    };
    let mut subscriber = server.subscriber();
    let updated = subscriber
        .update_subscription(update(&["ack_deadline_seconds"]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(updated.ack_deadline_seconds, 33);
    assert_eq!(updated.retry_policy, None);
    assert_eq!(
        server.get_subscription(&subscription).await.unwrap(),
        updated
    );

    for refused in [&[][..], &["bogus"], &["topic"], &["filter"]] {
        let refusal = subscriber.update_subscription(update(refused)).await;
        assert_eq!(code(refusal), Code::InvalidArgument, "{refused:?}");
    }
}

pub async fn lists_name_what_exists(server: Server) {
    let topics = [
        server.topic().await,
        server.topic().await,
        server.topic().await,
    ];
    let mut expected = Vec::new();
    for _ in 0..2 {
        expected.push(
            server
                .subscription(&topics[0], Subscription::default())
                .await,
        );
    }
    let other = server
        .subscription(&topics[1], Subscription::default())
        .await;
    expected.sort();

    let project = format!("projects/{}", server.project);
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListTopicsRequest {
            project: project.clone(),
            page_size: 2,
            page_token,
        };
        let page = server
            .publisher()
            .list_topics(request)
            .await
            .unwrap()
            .into_inner();
        listed.extend(page.topics.into_iter().map(|topic| topic.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    listed.sort();
    let mut topics = topics.to_vec();
    topics.sort();
    assert_eq!(listed, topics);

    let request = ListSubscriptionsRequest {
        project,
        ..ListSubscriptionsRequest::default()
    };
    let all = server
        .subscriber()
        .list_subscriptions(request)
        .await
        .unwrap()
        .into_inner()
        .subscriptions;
    assert_eq!(all.len(), 3);
    let topic = server.get_subscription(&expected[0]).await.unwrap().topic;
    let request = ListTopicSubscriptionsRequest {
        topic,
        ..ListTopicSubscriptionsRequest::default()
    };
    let mut of_topic = server
        .publisher()
        .list_topic_subscriptions(request)
        .await
        .unwrap()
        .into_inner()
        .subscriptions;
    of_topic.sort();
    assert_eq!(of_topic, expected);
    assert!(!of_topic.contains(&other));
}

pub async fn a_subscription_outlives_its_topic(server: Server) {
    let topic = server.topic().await;
    let subscription = server.subscription(&topic, Subscription::default()).await;
    server.publish(&topic, vec![message("before")]).await;
    server
        .publisher()
        .delete_topic(DeleteTopicRequest { topic })
        .await
        .unwrap();
    assert_eq!(
        server.get_subscription(&subscription).await.unwrap().topic,
        "_deleted-topic_"
    );
    assert_eq!(data(&server.pull_one(&subscription).await), "before");
}

fn retry(minimum: u64, maximum: u64) -> RetryPolicy {
    let wire = |seconds| prost_types::Duration::try_from(Duration::from_secs(seconds)).ok();
    RetryPolicy {
        minimum_backoff: wire(minimum),
        maximum_backoff: wire(maximum),
    }
}
