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
    let named: Vec<_> = watch.named().iter().flat_map(OutputRow::cells).collect();
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

fn resyncs<const N: usize>(messages: [(&str, &str); N]) -> RunWatch {
    let message = |(id, about): (&str, &str)| RequestedMessage {
        id: id.to_owned(),
        about: about.to_owned(),
    };
    RunWatch::messages(messages.map(message).into())
}

#[test]
fn resyncs_are_awaited_by_message_and_named_when_missing() {
    let mut watch = resyncs([("m1", "spqr1"), ("m2", "spqr2")]);
    watch.see(&user(1));
    assert_eq!(watch.missing(), "spqr2");
    watch.see(&user(2));
    assert!(watch.is_complete());
    assert!(watch.verdict().is_ok());
}

#[test]
fn resyncs_are_told_in_the_order_in_which_they_were_asked_for() {
    let mut watch = resyncs([
        ("m3", "account 3"),
        ("m1", "account 1"),
        ("m2", "account 2"),
    ]);
    for id in [2, 1, 3] {
        watch.see(&user(id));
    }
    let ids: Vec<_> = watch.named().iter().map(OutputRow::cells).collect();
    let ids: Vec<_> = ids.iter().filter_map(|cells| cells.first()).collect();
    assert_eq!(ids, ["3", "1", "2"]);
}

#[test]
fn a_name_that_nobody_has_fails_the_command_and_is_said() {
    let gone = |id| SyncOutcome {
        gitlab_user_id: None,
        result: Some("gone".to_owned()),
        ..user(id)
    };
    let mut watch = resyncs([
        ("m1", "CRSid spqr9"),
        ("m2", "account 2"),
        ("m3", "username x"),
    ]);
    for outcome in [gone(3), user(2), gone(1)] {
        watch.see(&outcome);
    }
    let failure = watch.verdict().unwrap_err();
    assert_eq!(failure.exit(), crate::cli::ExitReason::Failed);
    insta::assert_snapshot!(failure.to_string(), @"error: no account in GitLab is CRSid spqr9, nor username x");
}

#[test]
fn an_account_that_is_gone_when_its_run_comes_to_it_is_no_failure() {
    let mut watch = RunWatch::run();
    watch.see(&started(1));
    watch.see(&SyncOutcome {
        result: Some("gone".to_owned()),
        ..user(1)
    });
    assert!(watch.is_complete() && watch.verdict().is_ok());
}
