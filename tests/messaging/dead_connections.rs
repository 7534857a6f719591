//! Connections that are dead and stay open: each is noticed, and another one takes its place.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use lookup_gitlab_sync::messaging::{
    Batching, Connection, ConsumerSettings, PubSubTimeouts, PublisherOptions, Topic, Topology,
};
use testkit::wait::until;
use tokio::time::timeout;

use crate::{
    half_dead::Proxy,
    pubsub::{PubSub, config_of, pubsub_host},
    test_consumer::{TestConsumer, done, publish, pull_one, settings},
};

/// Far below what an answer may take on a busy machine and yet nothing that a test waits for long.
const PATIENCE: PubSubTimeouts = PubSubTimeouts {
    call: Duration::from_secs(3),
    calls: Duration::from_mins(1),
    publish: Duration::from_secs(3),
    publishes: Duration::from_mins(1),
};
/// What would take ten minutes or for ever on a dead connection.
const SOON: Duration = Duration::from_mins(1);

/// A connection through a proxy, to a server that has everything.
async fn through_a_proxy(server: &PubSub) -> (Proxy, Connection) {
    server.connect_prepared().await;
    let proxy = Proxy::before(server.host()).await;
    let connection = Connection::open_with(&config_of(&proxy.host()), PATIENCE)
        .await
        .unwrap();
    (proxy, connection)
}

fn renewing() -> ConsumerSettings {
    ConsumerSettings {
        ask_every: Duration::from_millis(500),
        renew_after: Some(Duration::from_secs(2)),
        ..ConsumerSettings::new(2, Duration::from_secs(8))
    }
}

fn bodies(stage: &TestConsumer) -> BTreeSet<Bytes> {
    let seen = stage.seen.0.lock().unwrap();
    seen.iter().map(|delivery| delivery.body.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_on_a_dead_connection_is_opened_anew_and_nothing_is_lost() {
    let server = pubsub_host().await;
    let (proxy, connection) = through_a_proxy(&server).await;
    let direct = server.connect().await;
    let stage = TestConsumer::start(&connection, renewing(), async |_| done());
    publish(&direct, [Bytes::from_static(b"before")]).await;
    until("the first comes", async || stage.seen.count() == 1).await;

    proxy.kill_all();
    let lost: BTreeSet<Bytes> = (0..10).map(|n| Bytes::from(n.to_string())).collect();
    publish(&direct, lost.clone()).await;
    // The server still writes to the dead stream; it takes up to two messages, until their leases
    // have lapsed.
    until("what the dead stream has no room for comes", async || {
        bodies(&stage).len() >= 9
    })
    .await;
    proxy.cut_dead();
    let subscription = connection.names().subscription("user-sync-worker");
    until("all come", async || {
        server.broker.lapse_leases(&subscription);
        bodies(&stage).is_superset(&lost)
    })
    .await;
    assert_eq!(stage.liveness.live(), Ok(()));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_runs_keeps_its_lease_while_the_stream_is_opened_anew() {
    let server = pubsub_host().await;
    let (_proxy, connection) = through_a_proxy(&server).await;
    let opened = |server: &PubSub| {
        let subscription = connection.names().subscription("user-sync-worker");
        server.broker.counts(&subscription).unwrap()
    };
    publish(&connection, [Bytes::from_static(b"slow")]).await;
    let mut quick = renewing();
    quick.renew_after = Some(Duration::from_millis(300));
    let stage = TestConsumer::start(&connection, quick, async |_| {
        // A dozen streams later.
        tokio::time::sleep(Duration::from_secs(4)).await;
        done()
    });
    until("it is acked", async || opened(&server).acked == 1).await;
    assert_eq!(stage.seen.count(), 1, "it came once");
    assert_eq!(opened(&server).lapsed, 0);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_connection_did_not_confirm_is_published_over_a_new_one() {
    let server = pubsub_host().await;
    for batching in [Batching::Shared, Batching::OneByOne] {
        let (proxy, connection) = through_a_proxy(&server).await;
        let options = PublisherOptions {
            batching,
            ..PublisherOptions::default()
        };
        let publisher = connection.publisher_with(Topic::SyncTick.as_str(), &options);
        let publish =
            |body: &'static [u8]| publisher.publish_raw(Bytes::from_static(body), BTreeMap::new());
        publish(b"before").await.unwrap();
        proxy.kill_all();
        let after = [publish(b"after"), publish(b"also after")];
        let ids = timeout(SOON, futures::future::join_all(after))
            .await
            .unwrap();
        assert!(ids.iter().all(Result::is_ok), "{ids:?}");
        timeout(SOON, publish(b"and then")).await.unwrap().unwrap();
        let mut found = BTreeSet::new();
        while found.len() < 4 {
            found.insert(
                pull_one(&server.connect().await, "sync-tick-fan-out")
                    .await
                    .data,
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_reaches_nobody_says_so_in_time() {
    let server = pubsub_host().await;
    server.connect_prepared().await;
    let proxy = Proxy::before(server.host()).await;
    let timeouts = PubSubTimeouts {
        publish: Duration::from_secs(1),
        publishes: Duration::from_secs(4),
        ..PATIENCE
    };
    let connection = Connection::open_with(&config_of(&proxy.host()), timeouts)
        .await
        .unwrap();
    let publisher = connection.publisher(Topic::SyncTick).await.unwrap();
    proxy.kill_all_to_come();
    let attempts = publisher.publish_raw(Bytes::from_static(b"{}"), BTreeMap::new());
    let error = timeout(SOON, attempts).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("t1-sync-tick"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_a_dead_connection_is_made_again_on_a_new_one() {
    let server = pubsub_host().await;
    let (proxy, connection) = through_a_proxy(&server).await;
    let topology = Topology::new(&connection);
    topology.check().await.unwrap();
    proxy.kill_all();
    timeout(SOON, topology.check()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_no_reason_to_give_up_a_call() {
    let server = pubsub_host().await;
    let (proxy, connection) = through_a_proxy(&server).await;
    let topology = Topology::new(&connection);
    for _ in 0..5 {
        let checking = topology.check();
        let breaking = async {
            proxy.kill_all();
            proxy.cut_dead();
        };
        let (checked, ()) = tokio::join!(timeout(SOON, checking), breaking);
        checked.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_whose_streams_bring_nothing_is_not_ready_then_not_live_and_yet_works() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let stage = TestConsumer::start(&connection, renewing(), async |_| done());
    server.broker.mute_streams(true);
    publish(&connection, (0..30).map(|n| Bytes::from(n.to_string()))).await;
    until("it is not ready", async || stage.liveness.ready().is_err()).await;
    assert_eq!(
        stage.liveness.ready(),
        Err("messages wait in the subscription and none is delivered".to_owned())
    );
    until("it is not live", async || stage.liveness.live().is_err()).await;
    // What a look beside the stream finds is handled like any other message, and spends no attempt.
    assert!(stage.seen.count() >= 3);
    assert!(
        stage
            .seen
            .attempts()
            .iter()
            .all(|attempt| *attempt == Some(1))
    );
    let subscription = connection.names().subscription("user-sync-worker");
    until("what was found is acked", async || {
        server.broker.counts(&subscription).unwrap().acked >= 3
    })
    .await;

    server.broker.mute_streams(false);
    until("all come", async || bodies(&stage).len() == 30).await;
    assert_eq!(stage.liveness.ready(), Ok(()));
    stage.stop().await;
    let counts = server.broker.counts(&subscription).unwrap();
    assert_eq!((counts.acked, counts.nacked, counts.lapsed), (30, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stage_is_ready_however_often_its_stream_is_opened_anew() {
    let server = pubsub_host().await;
    let connection = server.connect_prepared().await;
    let mut quick = settings();
    quick.renew_after = Some(Duration::from_millis(200));
    let stage = TestConsumer::start(&connection, quick, async |_| done());
    for n in 0..20 {
        publish(&connection, [Bytes::from(n.to_string())]).await;
        until("it comes", async || stage.seen.count() == n + 1).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(stage.liveness.ready(), Ok(()));
    }
    stage.stop().await;
}
