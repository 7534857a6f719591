//! When a followed run has ended, and what it counts.

use super::*;

fn user(id: u64) -> SyncOutcome {
    SyncOutcome {
        kind: Some("user".to_owned()),
        stage: Some("user-worker".to_owned()),
        gitlab_user_id: Some(id),
        message_id: Some(format!("m{id}")),
        result: Some("unchanged".to_owned()),
        ..SyncOutcome::default()
    }
}

fn started(messages: u64) -> SyncOutcome {
    SyncOutcome {
        kind: Some("run_started".to_owned()),
        stage: Some("fan-out".to_owned()),
        messages: Some(messages),
        ..SyncOutcome::default()
    }
}

fn dead(stage: &str, reason: &str) -> SyncOutcome {
    SyncOutcome {
        kind: Some("dead_lettered".to_owned()),
        stage: Some(stage.to_owned()),
        message_id: Some("m9".to_owned()),
        dead_letter_reason: Some(reason.to_owned()),
        ..SyncOutcome::default()
    }
}

#[test]
fn outcomes_may_come_before_the_run_says_how_many() {
    let mut watch = RunWatch::run();
    watch.see(&user(1));
    assert!(!watch.is_complete());
    watch.see(&started(2));
    assert!(!watch.is_complete());
    watch.see(&user(2));
    assert!(watch.is_complete());
}

#[test]
fn work_is_what_is_changed_and_the_changed_are_named() {
    let of = |id, decision: &str, result: &str| SyncOutcome {
        username: Some(format!("user{id}")),
        decision: Some(decision.to_owned()),
        result: Some(result.to_owned()),
        ..user(id)
    };
    let mut watch = RunWatch::run();
    assert_eq!(watch.work(), None);
    watch.see(&SyncOutcome {
        blocks: Some(1),
        unblocks: Some(1),
        keeps: Some(2),
        ..started(4)
    });
    assert_eq!(watch.work(), Some((0, 2)));
    watch.see(&of(1, "block", "applied"));
    watch.see(&of(2, "keep", "unchanged"));
    watch.see(&of(3, "keep", "unchanged"));
    assert_eq!(watch.work(), Some((1, 2)));
    watch.see(&of(4, "keep", "changed_since_planned"));
    assert!(watch.is_complete());
    let named: Vec<_> = watch.named().iter().flat_map(NamedOutcome::cells).collect();
    assert_eq!(
        named,
        [
            "1",
            "user1",
            "",
            "block",
            "",
            "applied", //
            "4",
            "user4",
            "",
            "keep",
            "",
            "changed_since_planned"
        ]
    );
}

#[test]
fn an_outcome_that_comes_twice_counts_once() {
    let mut watch = RunWatch::run();
    watch.see(&started(2));
    watch.see(&user(1));
    watch.see(&user(1));
    assert_eq!(watch.seen(), 1);
    assert!(!watch.is_complete());
}

#[test]
fn changes_that_dry_run_withheld_are_counted_and_the_remedy_told() {
    let dry = |id| SyncOutcome {
        result: Some("dry_run".to_owned()),
        ..user(id)
    };
    let mut watch = RunWatch::run();
    watch.see(&user(1));
    assert_eq!(watch.dry_run(false), None);
    watch.see(&dry(2));
    watch.see(&dry(2));
    watch.see(&dry(3));
    let told = watch.dry_run(false).unwrap();
    assert!(told.starts_with("2 changes were withheld") && told.contains("MODE=apply"));
    assert!(watch.dry_run(true).unwrap().contains("--dry-run"));
}

#[test]
fn a_refused_run_ends_with_exit_code_3() {
    let mut watch = RunWatch::run();
    watch.see(&dead("fan-out", "guard_refused"));
    assert!(watch.is_complete());
    assert_eq!(
        watch.verdict().unwrap_err().exit(),
        crate::cli::ExitReason::GuardRefused
    );
}

#[test]
fn a_dead_letter_among_the_users_fails_the_command() {
    let mut watch = RunWatch::run();
    watch.see(&started(1));
    watch.see(&dead("user-worker", "undecodable"));
    assert!(watch.is_complete());
    assert_eq!(
        watch.verdict().unwrap_err().exit(),
        crate::cli::ExitReason::Failed
    );
}

#[test]
fn resyncs_are_awaited_by_message_and_named_when_missing() {
    let messages = [("m1", "spqr1"), ("m2", "spqr2")];
    let mut watch = RunWatch::messages(
        messages
            .map(|(id, who)| (id.to_owned(), who.to_owned()))
            .into(),
    );
    watch.see(&user(1));
    assert_eq!(watch.missing(), "spqr2");
    watch.see(&user(2));
    assert!(watch.is_complete());
}
