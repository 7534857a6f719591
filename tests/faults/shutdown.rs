//! SIGTERM in the middle of thousands of messages, again and again.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use lookup_gitlab_sync::{
    messaging::Topic,
    simulate::{gitlab::Account, lookup::Person, world::Settings},
};
use serde_json::json;

use super::scene::{Scene, until};

const MESSAGES: u64 = 5_000;
const ACCOUNTS: u64 = 200;

/// One message in ten plans a block that the second look does not confirm, the others plan nothing: nothing is ever to
/// be written.
async fn with_messages() -> Scene {
    let name = |id: u64| format!("ab{id}");
    let accounts = (10..10 + ACCOUNTS).map(|id| Account::new(id, &name(id)));
    let people = (10..10 + ACCOUNTS).map(|id| Person::current(&name(id), "Person"));
    let settings = Settings {
        latency: Duration::from_millis(2),
        ..Settings::default()
    };
    let scene = Scene::with(accounts.collect(), people.collect(), settings).await;
    let publisher = scene.connection.publisher(Topic::UserSync).await.unwrap();
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
    let mut scene = Scene::of(
        vec![Account::new(10, "ab10")],
        vec![Person::current("ab10", "Person")],
    )
    .await;
    scene.serve(&["user-worker"], &[]).await;
    let newer =
        json!({"gitlab_user_id": 10, "cause": "tick", "planned": "keep", "of_tomorrow": true});
    let by_hand = json!({"gitlab_user_id": 10, "of_tomorrow": true});
    scene
        .publish_raw(Topic::UserSync, newer.to_string().as_bytes())
        .await;
    scene
        .publish_raw(Topic::UserSync, by_hand.to_string().as_bytes())
        .await;
    let letters = scene.dead_letters("user-sync-dead-hold", 1).await;
    assert_eq!(
        letters[0].0,
        by_hand.to_string().as_bytes(),
        "a person's mistake is told at once"
    );
    assert_eq!(letters[0].1["dead_letter_reason"], "invalid_field");
}
