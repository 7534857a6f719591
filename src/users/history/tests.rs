//! What is made of records, also of those that nobody should have written.

mod undated;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;

use super::{
    HistoryEntry, HistoryEvent, HistoryFilter, HistorySource, NamedAccount, ServiceAccounts,
    merged, recorded, reported,
};
use crate::{
    messaging::wire::SyncOutcome,
    users::{
        account::{Account, AccountId, AccountState, LastSeen},
        block_record::Blocker,
        marker::Marker,
        ownership::ChangeRecord,
    },
};

/// Account 9, and 17 before it.
fn service() -> ServiceAccounts {
    ServiceAccounts {
        own: AccountId(9),
        former: vec![AccountId(17)],
    }
}

fn at(time: &str) -> Timestamp {
    format!("2026-11-01T{time}Z").parse().unwrap()
}

fn account(state: AccountState) -> Account {
    Account {
        id: AccountId(42),
        username: "ab42".to_owned(),
        state,
        human: true,
        administrator: false,
        exempt_attribute: false,
        identities: Vec::new(),
        scim_identities: Vec::new(),
        activity: LastSeen::Unknown,
        marker: None,
        blocked_by: ChangeRecord::Absent,
        unblocked_by: ChangeRecord::Absent,
    }
}

/// GitLab's record: `by` is `<username>/<id>`.
fn record(by: &str, time: &str) -> ChangeRecord {
    ChangeRecord::read(Some(&format!("{by}+2026-11-01 {time} UTC")))
}

fn marker(time: &str, run: &str) -> Marker {
    Marker::new("cancelled_in_lookup", at(time), run)
}

fn told(event: HistoryEvent, time: &str, by: &Blocker, source: HistorySource) -> HistoryEntry {
    HistoryEntry {
        at: Some(at(time)),
        after: None,
        account: Some(NamedAccount {
            id: AccountId(42),
            username: "ab42".to_owned(),
        }),
        event,
        by: by.clone(),
        reason: None,
        run: None,
        detail: None,
        sources: BTreeSet::from([source]),
    }
}

fn outcome(decision: &str, result: &str, time: &str, run: &str) -> SyncOutcome {
    SyncOutcome {
        kind: Some("user".to_owned()),
        run: Some(run.to_owned()),
        gitlab_user_id: Some(42),
        username: Some("ab42".to_owned()),
        decision: Some(decision.to_owned()),
        reason: Some("cancelled_in_lookup".to_owned()),
        result: Some(result.to_owned()),
        at: Some(at(time).to_string()),
        ..SyncOutcome::default()
    }
}

fn root() -> Blocker {
    Blocker::Account {
        id: AccountId(1),
        username: "root".into(),
    }
}

/// One line for each entry.
fn lines(entries: &[HistoryEntry]) -> Vec<String> {
    let line = |entry: &HistoryEntry| {
        let sources: Vec<_> = entry.sources.iter().map(|source| source.as_str()).collect();
        let time = |at: Timestamp| at.strftime("%H:%M:%S").to_string();
        let when = match (entry.at, entry.after) {
            (Some(at), _) => time(at),
            (None, Some(after)) => format!("after {}", time(after)),
            (None, None) => "not recorded".to_owned(),
        };
        let run = entry.run.as_deref().unwrap_or("-");
        let event = entry.event.as_str();
        format!(
            "{when} {event} by {}, run {run}: {}",
            entry.by,
            sources.join("+")
        )
    };
    entries.iter().map(line).collect()
}

fn history(account: &Account, others: Vec<HistoryEntry>) -> Vec<String> {
    let entries = recorded(account, &service())
        .entries
        .into_iter()
        .chain(others);
    lines(&merged(entries.collect(), &service()))
}

#[test]
fn what_two_sources_tell_of_one_block_is_one_entry() {
    let blocked = Account {
        marker: Some(marker("02:00:00", "r1")),
        blocked_by: record("svc/9", "02:00:03"),
        ..account(AccountState::Blocked)
    };
    let outcomes = vec![
        reported(outcome("block", "applied", "02:00:04", "r1")).unwrap(),
        // The process was killed before it acked, and said it again.
        reported(outcome("block", "applied", "02:03:04", "r1")).unwrap(),
    ];
    assert_eq!(
        history(&blocked, outcomes),
        ["02:00:03 blocked by this service, run r1: gitlab+outcome"]
    );
}

#[test]
fn a_person_between_two_of_our_blocks_is_seen_however_near_they_are() {
    let blocked = Account {
        marker: Some(marker("02:06:00", "r2")),
        blocked_by: record("svc/9", "02:06:01"),
        unblocked_by: record("root/1", "02:03:00"),
        ..account(AccountState::Blocked)
    };
    let outcomes = vec![
        reported(outcome("block", "applied", "02:00:01", "r1")).unwrap(),
        reported(outcome("block", "applied", "02:06:02", "r2")).unwrap(),
    ];
    assert_eq!(
        history(&blocked, outcomes),
        [
            "02:06:01 blocked by this service, run r2: gitlab+outcome",
            "02:03:00 unblocked by root (1), run -: gitlab",
            "02:00:01 blocked by this service, run r1: outcome",
        ]
    );
}

#[test]
fn of_two_audit_events_each_finds_its_own_outcome() {
    let audit = |time| {
        told(
            HistoryEvent::Blocked,
            time,
            &Blocker::ThisService,
            HistorySource::Audit,
        )
    };
    let others = vec![
        audit("02:00:01"),
        audit("02:06:01"),
        reported(outcome("block", "applied", "02:00:02", "r1")).unwrap(),
        reported(outcome("block", "applied", "02:06:02", "r2")).unwrap(),
    ];
    assert_eq!(
        lines(&merged(others, &service())),
        [
            "02:06:01 blocked by this service, run r2: audit+outcome",
            "02:00:01 blocked by this service, run r1: audit+outcome",
        ]
    );
}

#[rstest]
#[case::another_actor(told(HistoryEvent::Blocked, "02:00:01", &root(), HistorySource::Audit))]
#[case::another_kind(told(HistoryEvent::Unblocked, "02:00:01", &Blocker::ThisService, HistorySource::Audit))]
#[case::too_late(told(HistoryEvent::Blocked, "02:10:04", &Blocker::ThisService, HistorySource::Audit))]
#[case::an_identity_provider(told(HistoryEvent::Blocked, "02:00:01", &Blocker::IdentityProvider, HistorySource::Audit))]
fn what_may_be_another_change_is_an_entry_of_its_own(#[case] other: HistoryEntry) {
    let blocked = Account {
        marker: Some(marker("02:00:00", "r1")),
        blocked_by: record("svc/9", "02:00:03"),
        ..account(AccountState::Blocked)
    };
    assert_eq!(history(&blocked, vec![other]).len(), 2);
}

#[test]
fn a_block_with_the_services_token_by_hand_is_not_the_services() {
    let blocked = Account {
        blocked_by: record("svc/9", "02:00:03"),
        ..account(AccountState::Blocked)
    };
    let audit = told(
        HistoryEvent::Blocked,
        "02:00:03",
        &Blocker::ThisService,
        HistorySource::Audit,
    );
    assert_eq!(
        history(&blocked, vec![audit]),
        ["02:00:03 blocked by svc (9), run -: gitlab+audit"]
    );
}

#[test]
fn a_marker_without_a_record_is_an_attempt_until_somebody_tells_its_end() {
    let attempted = Account {
        marker: Some(marker("02:00:00", "r1")),
        blocked_by: record("root/1", "04:00:00"),
        ..account(AccountState::Blocked)
    };
    assert_eq!(
        history(&attempted, Vec::new()),
        [
            "04:00:00 blocked by root (1), run -: gitlab",
            "02:00:00 block_attempted by this service, run r1: gitlab",
        ]
    );
    let ends = [
        (
            "applied",
            "02:00:00 blocked by this service, run r1: gitlab+outcome",
        ),
        (
            "state_forbids",
            "02:00:00 block_refused by this service, run r1: gitlab+outcome",
        ),
    ];
    for (result, expected) in ends {
        let end = reported(outcome("block", result, "02:00:02", "r1")).unwrap();
        assert_eq!(history(&attempted, vec![end])[1], expected);
    }
}

#[test]
fn blocks_that_were_made_again_are_remembered_by_the_marker() {
    let mut last = Marker::new("unblocked_by_identity_provider", at("02:00:00"), "r3");
    last.again = vec![at("00:00:00"), at("02:00:00")];
    let blocked = Account {
        marker: Some(last),
        blocked_by: record("svc/9", "02:00:01"),
        ..account(AccountState::Blocked)
    };
    assert_eq!(
        history(&blocked, Vec::new()),
        [
            "02:00:01 blocked by this service, run r3: gitlab",
            "00:00:00 block_attempted by this service, run -: gitlab",
        ]
    );
}

#[test]
fn records_that_cannot_be_read_are_counted_and_records_of_the_future_are_shown() {
    let odd = Account {
        blocked_by: ChangeRecord::Unreadable,
        unblocked_by: record("root/1", "23:59:59"),
        ..account(AccountState::Active)
    };
    let found = recorded(&odd, &service());
    assert_eq!((found.entries.len(), found.unreadable), (1, 1));
    let filter = HistoryFilter {
        since: Some(at("01:00:00")),
        ..HistoryFilter::default()
    };
    assert!(filter.admits(&found.entries[0]));
}

#[test]
fn what_is_told_of_one_change_before_and_after_a_bound_is_still_one() {
    let bound = HistoryFilter {
        since: Some(at("02:00:02")),
        ..HistoryFilter::default()
    };
    let before = told(
        HistoryEvent::Blocked,
        "02:00:01",
        &Blocker::ThisService,
        HistorySource::Audit,
    );
    assert!(bound.may_admit(&before) && !bound.admits(&before));
    let earlier = HistoryEntry {
        at: Some(at("02:00:02") - SignedDuration::from_mins(11)),
        ..before
    };
    assert!(!bound.may_admit(&earlier));
}

#[test]
fn a_block_that_was_adopted_is_its_makers_and_one_under_a_former_name_is_ours() {
    let adopted = Account {
        marker: Some(Marker::new("adopted", at("02:00:03"), "r1")),
        blocked_by: record("old-sync/17", "02:00:03"),
        ..account(AccountState::Blocked)
    };
    let audit = told(
        HistoryEvent::Blocked,
        "02:00:03",
        &Blocker::Account {
            id: AccountId(17),
            username: "".into(),
        },
        HistorySource::Audit,
    );
    assert_eq!(
        history(&adopted, vec![audit.clone()]),
        ["02:00:03 blocked by old-sync (17), run r1: gitlab+audit"]
    );
    let ours = Account {
        marker: Some(marker("02:00:00", "r1")),
        ..adopted
    };
    assert_eq!(
        history(&ours, vec![audit]),
        ["02:00:03 blocked by this service, run r1: gitlab+audit"]
    );
    // Without a record, and resting on the mark of the earlier service.
    let marked = Account {
        marker: Some(Marker::new("adopted", at("02:00:03"), "r1").resting_on("old_mark")),
        ..account(AccountState::Blocked)
    };
    assert_eq!(
        history(&marked, Vec::new()),
        ["not recorded blocked by nobody on record, run -: gitlab"]
    );
}
