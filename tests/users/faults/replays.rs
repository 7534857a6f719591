//! `dead-letters replay`, ended without warning between any two of its calls: every dead letter
//! comes to its end.

use rstest::rstest;
use serde_json::json;
use simulator::gitlab::UserState;
use testkit::environment::ServiceEnvironment;
use testkit::wait::until;

use super::{ledger::Ledger, population::member};
use crate::support::environment;

const LETTERS: u64 = 40;
/// Replays under way at once, of which each may have been published and not yet acked.
const AT_ONCE: u64 = 32;
const HOLD: &str = "user-sync-dead-hold";

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_killed_at_any_place_loses_nothing(
    #[values(
        "before_replay:1",
        "before_replay:20",
        "after_replay:1",
        "after_replay:20",
        "after_replay_ack:1",
        "after_replay_ack:40"
    )]
    place: &str,
) {
    let mut scene = with_dead_letters().await;
    let dying = [("LOOKUP_GITLAB_SYNC_FAIL_AT", place)];
    let died = scene
        .run(&["dead-letters", "replay", "--all"], &dying)
        .await;
    assert_eq!(died.status.code(), None, "a signal ended it");
    lapse_holds(&scene).await;
    let replayed = scene.run(&["dead-letters", "replay", "--all"], &[]).await;
    assert!(replayed.status.success(), "{replayed:?}");
    let held = scene.counts(HOLD);
    assert_eq!((held.waiting, held.outstanding), (0, 0), "all are replayed");
    let published = scene.counts("user-sync-worker").published;
    assert!(
        (LETTERS..=LETTERS + AT_ONCE).contains(&published),
        "{published} messages"
    );
    scene.serve(&["user-worker"], &[]).await;
    scene.quiet().await;
    for id in 10..10 + LETTERS {
        assert_eq!(scene.state(id), UserState::Blocked, "account {id}");
    }
    assert_eq!(scene.counts(HOLD).published, LETTERS, "none died again");
}

/// Each of the letters calls for a block.
async fn with_dead_letters() -> ServiceEnvironment {
    let (mut people, mut ledger) = (Vec::new(), Ledger::default());
    let accounts = (10..10 + LETTERS)
        .map(|id| member(id, 1, &mut people, &mut ledger))
        .collect();
    let scene = environment(accounts, people).await;
    let now = jiff::Timestamp::now();
    for id in 10..10 + LETTERS {
        let body = json!({"gitlab_user_id": id, "cause": "tick", "planned": "block",
            "planned_reason": "cancelled_in_lookup", "planned_at": now});
        let reason = [("dead_letter_reason", "attempts_exhausted"), ("run", "r1")];
        let attributes = reason.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let body = body.to_string();
        scene
            .pubsub
            .publish("user-sync-dead", body.as_bytes(), attributes.into())
            .await;
    }
    scene
}

/// What the killed replay had leased would be hidden from the next one for a minute.
async fn lapse_holds(scene: &ServiceEnvironment) {
    let name = scene.pubsub.subscription(HOLD);
    let broker = scene.servers.broker.as_ref().unwrap();
    until("its leases are over", async || {
        broker.lapse_leases(&name).unwrap();
        scene.counts(HOLD).outstanding == 0
    })
    .await;
}
