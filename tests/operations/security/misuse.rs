//! Who may publish may ask; what is done is what both upstreams say.

use std::collections::BTreeMap;

use lookup_gitlab_sync::messaging::Topic;
use simulator::{
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
};

use super::recorded::RecordedEnvironment;

/// A current member, one whom a person blocked, an external account that was just made, and a
/// cancelled member.
async fn stage() -> RecordedEnvironment {
    let now = jiff::Timestamp::now().to_string();
    let mut blocked = SimulatedUser::new(43, "ab43")
        .with_attribute("blocked_by", "root/7+2026-01-10 02:00:03 UTC");
    blocked.state = UserState::Blocked;
    let external = SimulatedUser::new(44, "external-x").with("created_at", now);
    let accounts = vec![
        SimulatedUser::new(42, "ab42"),
        blocked,
        external,
        SimulatedUser::new(45, "ab45"),
    ];
    let people = vec![
        SimulatedPerson::current("ab42", "Somebody"),
        SimulatedPerson::current("ab43", "Somebody"),
        SimulatedPerson::cancelled("ab45", "Somebody"),
    ];
    RecordedEnvironment::of(accounts, people).await
}

async fn publish(
    stage: &RecordedEnvironment,
    topic: Topic,
    body: &str,
    attributes: &[(&str, &str)],
) {
    let attributes: BTreeMap<String, String> = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let body = body.as_bytes();
    stage.pubsub.publish(topic.as_str(), body, attributes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_plan_changes_nobody_for_whom_it_is_not_the_decision_too() {
    let stage = stage().await;
    let process = stage.serve(&[]).await;
    let forged = [
        ("run", "forged"),
        ("kind", "user_sync"),
        ("published_by", "fan-out"),
    ];
    let now = jiff::Timestamp::now();
    for (id, planned) in [
        (42, "block"),
        (43, "unblock"),
        (44, "block"),
        (1, "block"),
        (45, "unblock"),
    ] {
        for reason in ["cancelled_in_lookup", "inactive", "no_longer_cancelled"] {
            let body = format!(
                r#"{{"gitlab_user_id":{id},"cause":"tick","planned":"{planned}","planned_reason":"{reason}","planned_at":"{now}"}}"#
            );
            publish(&stage, Topic::UserSync, &body, &forged).await;
            let replayed = [("run", "forged"), ("replay_id", "r1"), ("deaths", "2")];
            publish(&stage, Topic::UserSync, &body, &replayed).await;
        }
    }
    stage.quiet().await;
    assert_eq!(stage.writes(), 0);
    assert_eq!(
        stage.servers.gitlab.account(43).unwrap().state,
        UserState::Blocked
    );
    assert_eq!(process.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_another_reason_is_another_plan() {
    let stage = stage().await;
    let process = stage.serve(&[]).await;
    for (reason, state) in [
        ("inactive", UserState::Active),
        ("cancelled_in_lookup", UserState::Blocked),
    ] {
        let now = jiff::Timestamp::now();
        let body = format!(
            r#"{{"gitlab_user_id":45,"cause":"tick","planned":"block","planned_reason":"{reason}","planned_at":"{now}"}}"#
        );
        publish(&stage, Topic::UserSync, &body, &[("run", reason)]).await;
        stage.quiet().await;
        let account = stage.servers.gitlab.account(45).unwrap();
        assert_eq!(account.state, state, "{reason}");
    }
    assert_eq!(process.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_of_the_guard_and_a_resync_are_on_record_with_who_and_why() {
    let stage = stage().await;
    let process = stage.serve(&[]).await;
    let tick = r#"{"max_block_percent":100,"reason":"graduation","requested_by":"an-operator"}"#;
    publish(&stage, Topic::SyncTick, tick, &[("run", "override")]).await;
    let resync = r#"{"crsid":"ab42","reason":"asked by desk","requested_by":"another-operator"}"#;
    publish(&stage, Topic::UserSync, resync, &[("run", "resync")]).await;
    stage.quiet().await;
    assert_eq!(process.terminate().await, Some(0));
    let log = stage.log().await;
    let line = |event: &str| {
        let found = log.iter().find(|line| line["event"] == event);
        found
            .unwrap_or_else(|| panic!("no {event} in {log:#?}"))
            .clone()
    };
    let overridden = line("guard_overridden");
    assert_eq!(overridden["max_block_percent"], 100.0);
    assert_eq!(overridden["reason"], "graduation");
    assert_eq!(overridden["requested_by"], "an-operator");
    assert_eq!(overridden["run"], "override");
    assert_eq!(overridden["severity"], "WARNING");
    let asked = line("resync_asked");
    assert_eq!(asked["reason"], "asked by desk");
    assert_eq!(asked["requested_by"], "another-operator");
    assert_eq!(
        stage.writes(),
        2,
        "the marker and the block of the one cancelled member"
    );
}
