//! The pull loop over real gRPC: what becomes of each delivery, and how it stops.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use google_cloud_googleapis::pubsub::v1::DeleteSubscriptionRequest;
use lookup_gitlab_sync::messaging::{
    Consumer, ConsumerSettings, DeadLetterReason, Delivery, Disposition, Follow, Outcomes, RunId,
    Stage, Topic,
    dead_letters::{GivenUpBy, History},
    wire::{SyncOutcome, UserRequest},
};
use testkit::wait::until;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    pubsub::{pubsub_host, quick},
    test_consumer::{Answering, Seen, TestConsumer, done, publish, pull_one, settings},
};

async fn decide_by_body(delivery: Arc<Delivery>) -> Disposition {
    match UserRequest::decode(&delivery.body) {
        Ok(_) => done(),
        Err(error) => error.into(),
    }
}

#[tokio::test]
async fn bad_bodies_become_dead_letters_at_once_and_nothing_else_is_lost() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let huge = Bytes::from(format!("{{\"reason\":\"{}\"}}", "x".repeat(9_000_000)));
    let bad: BTreeMap<Bytes, &str> = BTreeMap::from([
        (Bytes::from_static(b"not JSON"), "undecodable"),
        (Bytes::from_static(b"\xff\xfe"), "undecodable"),
        (Bytes::from_static(b"{}"), "no_identifier"),
        (
            Bytes::from_static(b"{\"crsid\":\"a\",\"username\":\"b\"}"),
            "no_identifier",
        ),
        (Bytes::from_static(b"{\"crsid\":\"../x\"}"), "invalid_field"),
        (
            Bytes::from_static(b"{\"crsid\":\"spqr1\",\"colour\":1}"),
            "invalid_field",
        ),
        (huge, "too_large"),
    ]);
    let good = (0..50).map(|n| Bytes::from(format!("{{\"gitlab_user_id\":{}}}", n + 1)));
    publish(&connection, bad.keys().cloned().chain(good)).await;

    let stage = TestConsumer::start(&connection, settings(), decide_by_body);
    let mut found = BTreeMap::new();
    for _ in 0..bad.len() {
        let copy = pull_one(&connection, "user-sync-dead-hold").await;
        let attributes: BTreeMap<_, _> = copy.attributes.into_iter().collect();
        assert_eq!(attributes.get("run").map(String::as_str), Some("r1"));
        let history = History::read(&attributes);
        assert_eq!(history.by, GivenUpBy::Service);
        assert_eq!(history.topic.as_deref(), Some("t1-user-sync"));
        assert_eq!(history.stage, Some(Stage::UserWorker));
        assert_eq!(history.delivery_attempt, Some(1));
        assert!(history.publish_time.is_some());
        assert_eq!(history.deaths, 1);
        found.insert(
            copy.data,
            history.reason.map_or("", DeadLetterReason::as_str),
        );
    }
    assert_eq!(found, bad);
    until("all is delivered", async || {
        stage.seen.count() == 50 + bad.len()
    })
    .await;
    let seen = stage.seen.clone();
    stage.stop().await;
    assert_eq!(seen.count(), 50 + bad.len(), "nothing came twice");
}

#[tokio::test]
async fn a_copy_that_is_refused_costs_no_other_dead_letter_its_first_delivery() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let publisher = connection.publisher(Topic::UserSync).await.unwrap();
    // With what a dead letter tells of itself there would be more than Pub/Sub's hundred.
    let crowded: BTreeMap<String, String> =
        (0..95).map(|n| (format!("a{n}"), "b".to_owned())).collect();
    publisher
        .publish_raw(Bytes::from_static(b"crowded"), crowded)
        .await
        .unwrap();
    publish(
        &connection,
        (0..20).map(|n| Bytes::from(format!("bad {n}"))),
    )
    .await;

    let stage = TestConsumer::start(&connection, settings(), decide_by_body);
    let mut found = BTreeSet::new();
    while found.len() < 20 {
        let copy = pull_one(&connection, "user-sync-dead-hold").await;
        let history = History::read(&copy.attributes.into_iter().collect());
        if copy.data.as_ref() != b"crowded" {
            assert_eq!(history.delivery_attempt, Some(1));
            assert!(found.insert(copy.data), "twice in the dead-letter topic");
        }
    }
    let seen = stage.seen.clone();
    stage.stop().await;
    let bad = |delivery: &&Delivery| delivery.body.starts_with(b"bad");
    assert_eq!(seen.0.lock().unwrap().iter().filter(bad).count(), 20);
}

#[tokio::test]
async fn a_message_that_is_never_done_is_given_up_at_its_tenth_delivery() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    publish(&connection, [Bytes::from_static(b"stubborn")]).await;
    let stage = TestConsumer::start(&connection, settings(), async |_| {
        Disposition::Retry("GitLab answered 500".to_owned())
    });
    let copy = pull_one(&connection, "user-sync-dead-hold").await;
    let history = History::read(&copy.attributes.into_iter().collect());
    assert_eq!(history.reason, Some(DeadLetterReason::AttemptsExhausted));
    assert_eq!(history.detail.as_deref(), Some("GitLab answered 500"));
    assert_eq!(history.delivery_attempt, Some(10));
    let attempts = stage.seen.attempts();
    stage.stop().await;
    assert_eq!(attempts, (1..=10).map(Some).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_panic_costs_one_delivery_and_no_other_message() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    publish(&connection, (0..20).map(|n| Bytes::from(n.to_string()))).await;
    let panics = AtomicUsize::new(0);
    let (ended, panics) = (Arc::new(AtomicUsize::new(0)), Arc::new(panics));
    let counted = Arc::clone(&ended);
    let stage = TestConsumer::start(&connection, settings(), move |delivery: Arc<Delivery>| {
        let (panics, ended) = (Arc::clone(&panics), Arc::clone(&counted));
        async move {
            let is_first =
                delivery.body.as_ref() == b"7" && panics.fetch_add(1, Ordering::SeqCst) == 0;
            assert!(!is_first, "a bug");
            ended.fetch_add(1, Ordering::SeqCst);
            done()
        }
    });
    until("all twenty end", async || {
        ended.load(Ordering::SeqCst) == 20
    })
    .await;
    assert_eq!(stage.seen.count(), 21);
    stage.stop().await;
}

#[tokio::test]
async fn no_more_messages_are_handled_at_once_than_allowed() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    publish(&connection, (0..12).map(|n| Bytes::from(n.to_string()))).await;
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let stage = TestConsumer::start(
        &connection,
        ConsumerSettings::new(3, Duration::from_secs(8)),
        move |_| {
            let gate = Arc::clone(&waiting);
            async move {
                gate.acquire().await.unwrap().forget();
                done()
            }
        },
    );
    for ended in 0..9 {
        until("three are at work", async || {
            stage.seen.count() == ended + 3
        })
        .await;
        gate.add_permits(1);
    }
    gate.add_permits(3);
    until("all are handled", async || stage.seen.count() == 12).await;
    stage.stop().await;
}

#[tokio::test]
async fn stopping_lets_work_end_and_gives_the_rest_back() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    publish(
        &connection,
        [Bytes::from_static(b"quick"), Bytes::from_static(b"stuck")],
    )
    .await;
    let stage = TestConsumer::start(
        &connection,
        ConsumerSettings::new(10, Duration::from_secs(2)),
        async |delivery: Arc<Delivery>| {
            if delivery.body.as_ref() == b"stuck" {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            done()
        },
    );
    until("both are at work", async || stage.seen.count() == 2).await;
    stage.stop().await;

    // The one that had ended was acked, so the next consumer meets only the other, and not after a
    // lapsed lease.
    let next = TestConsumer::start(&connection, settings(), async |_| done());
    until("the stuck one comes back", async || next.seen.count() == 1).await;
    let bodies: Vec<_> = {
        let seen = next.seen.0.lock().unwrap();
        seen.iter().map(|delivery| delivery.body.clone()).collect()
    };
    next.stop().await;
    assert_eq!(bodies, [Bytes::from_static(b"stuck")]);
}

#[tokio::test]
async fn a_subscription_that_goes_away_and_comes_back_is_pulled_again() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let stage = TestConsumer::start(&connection, settings(), async |_| done());
    publish(&connection, [Bytes::from_static(b"before")]).await;
    until("the first comes", async || stage.seen.count() == 1).await;

    let request = connection
        .request(DeleteSubscriptionRequest {
            subscription: connection.names().subscription("user-sync-worker"),
        })
        .await
        .unwrap();
    connection
        .subscriptions()
        .delete_subscription(request)
        .await
        .unwrap();
    quick(&connection).apply().await.unwrap();
    publish(&connection, [Bytes::from_static(b"after")]).await;
    until("the second comes", async || {
        let seen = stage.seen.0.lock().unwrap();
        seen.iter()
            .any(|delivery| delivery.body.as_ref() == b"after")
    })
    .await;
    stage.stop().await;
}

#[tokio::test]
async fn an_idle_consumer_keeps_showing_that_it_is_reached() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let mut often = settings();
    often.ask_every = Duration::from_millis(200);
    let stage = TestConsumer::start(&connection, often, async |_| done());
    until("some time goes by", async || {
        stage.liveness.silence() > Duration::from_millis(150)
    })
    .await;
    until("it was asked", async || {
        stage.liveness.silence() < Duration::from_millis(150)
    })
    .await;
    let liveness = stage.liveness.clone();
    stage.stop().await;
    until("it falls silent", async || {
        liveness.silence() > Duration::from_millis(600)
    })
    .await;
}

#[tokio::test]
async fn outcomes_reach_the_topic_with_what_the_delivery_knows() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let run = RunId::parse("r1").unwrap();
    let mut follow = Follow::open(&connection, &run).await.unwrap();
    publish(&connection, [Bytes::from_static(b"{\"gitlab_user_id\":7}")]).await;
    let handler = Answering {
        answer: async |_| {
            Disposition::Done(Box::new(SyncOutcome {
                kind: Some("user".to_owned()),
                gitlab_user_id: Some(7),
                ..SyncOutcome::default()
            }))
        },
        seen: Seen::default(),
    };
    let outcomes = Outcomes::new(connection.publisher(Topic::SyncOutcome).await.unwrap());
    let consumer = Consumer::new(&connection, settings(), handler, outcomes);
    let stopping = CancellationToken::new();
    let running = tokio::spawn(consumer.run(stopping.clone()));
    let outcome = tokio::time::timeout(Duration::from_mins(1), follow.next())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(outcome.run.as_deref(), Some("r1"));
    assert_eq!(outcome.stage.as_deref(), Some("user-worker"));
    assert_eq!(outcome.gitlab_user_id, Some(7));
    assert_eq!(outcome.delivery_attempt, Some(1));
    assert!(outcome.message_id.is_some() && outcome.at.is_some());
    stopping.cancel();
    running.await.unwrap();
    follow.close().await.unwrap();
}
