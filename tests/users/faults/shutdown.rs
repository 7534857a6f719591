//! SIGTERM in the middle of thousands of messages, again and again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::join_all;
use lookup_gitlab_sync::messaging::{
    Consumer, ConsumerSettings, Delivery, Disposition, Handler, Outcomes, Stage, Topic, Topology,
    topology::RetryDelays,
};
use serde_json::json;
use simulator::{gitlab::SimulatedUser, lookup::SimulatedPerson, servers::ServerSettings};
use testkit::environment::ServiceEnvironment;
use testkit::wait::until;
use tokio_util::sync::CancellationToken;

use crate::support::{connection, environment, environment_with};

const MESSAGES: u64 = 5_000;
const ACCOUNTS: u64 = 200;

/// One message in ten plans a block that the second look does not confirm, the others plan nothing:
/// nothing is ever to be written.
async fn with_messages() -> ServiceEnvironment {
    let name = |id: u64| format!("ab{id}");
    let accounts = (10..10 + ACCOUNTS).map(|id| SimulatedUser::new(id, &name(id)));
    let people = (10..10 + ACCOUNTS).map(|id| SimulatedPerson::current(&name(id), "Person"));
    let settings = ServerSettings {
        latency: Duration::from_millis(2),
        ..ServerSettings::default()
    };
    let scene = environment_with(accounts.collect(), people.collect(), settings).await;
    let publisher = connection(&scene)
        .await
        .publisher(Topic::UserSync)
        .await
        .unwrap();
    let publishing = (0..MESSAGES).map(|number| {
        let planned = if number % 10 == 0 { "block" } else { "keep" };
        let body =
            json!({"gitlab_user_id": 10 + number % ACCOUNTS, "cause": "tick", "planned": planned});
        publisher.publish_raw(body.to_string().into(), BTreeMap::new())
    });
    for published in join_all(publishing).await {
        published.unwrap();
    }
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_again_and_again_in_the_middle_nothing_is_lost_and_nothing_dead_lettered() {
    let mut scene = with_messages().await;
    for round in 0..5_usize {
        scene.serve(&["user-worker"], &[]).await;
        let before = scene.counts("user-sync-worker").acked;
        until("it is at work", async || {
            let counts = scene.counts("user-sync-worker");
            counts.acked > before || counts.acked == MESSAGES
        })
        .await;
        assert_eq!(
            scene.serving(round).terminate().await,
            Some(0),
            "round {round}"
        );
        // What was on its way when a stream closed stays leased, which takes a minute by itself.
        scene.lapse_leases().await;
    }
    scene.serve(&["user-worker"], &[]).await;
    scene.quiet().await;
    assert_eq!(scene.counts("user-sync-worker").acked, MESSAGES);
    assert_eq!(scene.counts("user-sync-dead-hold").published, 0);
    assert_eq!(scene.writes(), 0);
}

/// A newer fan-out may say more than an older worker knows: its message waits for the newer worker.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_fan_out_adds_waits_for_a_newer_worker() {
    let mut scene = environment(
        vec![SimulatedUser::new(10, "ab10")],
        vec![SimulatedPerson::current("ab10", "Person")],
    )
    .await;
    scene.serve(&["user-worker"], &[]).await;
    let newer =
        json!({"gitlab_user_id": 10, "cause": "tick", "planned": "keep", "of_tomorrow": true});
    let by_hand = json!({"gitlab_user_id": 10, "of_tomorrow": true});
    scene
        .publish_raw("user-sync", newer.to_string().as_bytes())
        .await;
    scene
        .publish_raw("user-sync", by_hand.to_string().as_bytes())
        .await;
    let letters = scene.dead_letters("user-sync-dead-hold", 1).await;
    assert_eq!(
        letters[0].0,
        by_hand.to_string().as_bytes(),
        "a person's mistake is told at once"
    );
    assert_eq!(letters[0].1["dead_letter_reason"], "invalid_field");
}

/// A worker of the next version, which knows the field that this one does not.
struct Newer;

impl Handler for Newer {
    fn stage(&self) -> Stage {
        Stage::UserWorker
    }

    async fn handle(&self, _delivery: Arc<Delivery>) -> Disposition {
        Disposition::Done(Box::default())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_versions_change_an_older_worker_leaves_a_newer_fan_outs_messages_to_a_newer_worker()
{
    let ids = 10..40_u64;
    let accounts = ids
        .clone()
        .map(|id| SimulatedUser::new(id, &format!("ab{id}")));
    let people = ids
        .clone()
        .map(|id| SimulatedPerson::current(&format!("ab{id}"), "Person"));
    let mut scene = environment(accounts.collect(), people.collect()).await;
    // As slow as it takes for no message to come ten times while both are there.
    let delays = RetryDelays {
        minimum: Duration::from_secs(1),
        maximum: Duration::from_mins(1),
    };
    let topology = Topology::new(&connection(&scene).await).with_retry_delays(delays);
    topology.apply().await.unwrap();
    scene.serve(&["user-worker"], &[]).await;
    for id in ids.clone() {
        let older = json!({"gitlab_user_id": id, "cause": "tick", "planned": "keep"});
        let newer =
            json!({"gitlab_user_id": id, "cause": "tick", "planned": "keep", "of_tomorrow": 1});
        for body in [older, newer] {
            scene
                .publish_raw("user-sync", body.to_string().as_bytes())
                .await;
        }
    }
    let half = ids.clone().count() as u64;
    until(
        "the older one has done its own and refused the rest",
        async || {
            let counts = scene.counts("user-sync-worker");
            counts.acked == half && counts.nacked >= half
        },
    )
    .await;
    let outcomes = connection(&scene)
        .await
        .publisher(Topic::SyncOutcome)
        .await
        .unwrap();
    let settings = ConsumerSettings::new(100, Duration::from_secs(2));
    let newer = Consumer::new(
        &connection(&scene).await,
        settings,
        Newer,
        Outcomes::new(outcomes),
    );
    let stopping = CancellationToken::new();
    let newer = tokio::spawn(newer.run(stopping.clone()));
    until("both are at work side by side", async || {
        scene.counts("user-sync-worker").acked > half
    })
    .await;
    assert_eq!(scene.serving(0).terminate().await, Some(0));
    scene.quiet().await;
    stopping.cancel();
    newer.await.unwrap();
    assert_eq!(scene.counts("user-sync-worker").acked, 2 * half);
    assert_eq!(scene.counts("user-sync-dead-hold").published, 0);
}
