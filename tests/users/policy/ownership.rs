//! Whose block it is.

use jiff::SignedDuration;
use lookup_gitlab_sync::{
    directory::Standing,
    users::{
        account::{Account, AccountId, AccountState, LastSeen},
        class::Classes,
        marker::Marker,
        ownership::{
            ChangeRecord, OwnershipProof, StateChange, block_is_ours, blocked_as_another,
            our_last_block, proof,
        },
        policy::Facts,
    },
};
use rstest::rstest;

use super::build::{OWN, PERSON, account, at, blocked_by_us, seen, users};

#[test]
fn a_block_with_our_marker_and_gitlabs_record_is_ours() {
    assert!(block_is_ours(&blocked_by_us(), OWN));
}

#[rstest]
fn only_a_blocked_account_can_be_ours(
    #[values(
        AccountState::Active,
        AccountState::Deactivated,
        AccountState::LdapBlocked,
        AccountState::Banned,
        AccountState::BlockedPendingApproval,
        AccountState::Unrecognised
    )]
    state: AccountState,
) {
    let account = Account {
        state,
        ..blocked_by_us()
    };
    assert!(!block_is_ours(&account, OWN));
}

#[test]
fn a_block_by_a_person_after_our_own_is_theirs() {
    let act = StateChange {
        by: PERSON,
        recorded: PERSON,
        username: "someone".into(),
        at: at("2026-11-01T02:00:05Z"),
    };
    let account = Account {
        blocked_by: ChangeRecord::By(act),
        ..blocked_by_us()
    };
    assert!(!block_is_ours(&account, OWN));
}

#[rstest]
#[case::no_marker(Account { marker: None, ..blocked_by_us() })]
#[case::no_record(Account { blocked_by: ChangeRecord::Absent, ..blocked_by_us() })]
#[case::unreadable_record(Account { blocked_by: ChangeRecord::Unreadable, ..blocked_by_us() })]
#[case::unreadable_unblock(Account { unblocked_by: ChangeRecord::Unreadable, ..blocked_by_us() })]
fn half_a_proof_is_none(#[case] account: Account) {
    assert!(!block_is_ours(&account, OWN));
}

#[rstest]
#[case::ours(blocked_by_us(), true)]
#[case::a_marker_alone(Account { blocked_by: ChangeRecord::Absent, ..blocked_by_us() }, false)]
#[case::a_record_alone(Account { marker: None, ..blocked_by_us() }, false)]
fn what_is_decided_from_needs_the_whole_proof_too(#[case] account: Account, #[case] ours: bool) {
    let classes = Classes::new(&users()).unwrap();
    let facts = Facts::of(&account, &classes, OWN, Standing::Current);
    assert_eq!(facts.ours, ours);
}

#[rstest]
#[case::same_moment(0, true)]
#[case::ten_minutes_after(600, true)]
#[case::ten_minutes_before(-600, true)]
#[case::later_than_ten_minutes(601, false)]
#[case::earlier_than_ten_minutes(-601, false)]
fn marker_and_record_must_be_of_one_block(#[case] seconds: i64, #[case] ours: bool) {
    let blocked_at = at("2026-11-01T02:00:03Z");
    let marker = Marker::new(
        "inactive",
        blocked_at - SignedDuration::from_secs(seconds),
        "run-1",
    );
    let account = Account {
        marker: Some(marker),
        ..blocked_by_us()
    };
    assert_eq!(block_is_ours(&account, OWN), ours);
    assert_eq!(our_last_block(&account, OWN), ours.then_some(blocked_at));
}

#[rstest]
#[case::older("2026-10-01T00:00:00Z", true)]
#[case::same_second("2026-11-01T02:00:03Z", false)]
#[case::newer("2026-11-01T02:00:04Z", false)]
fn an_unblock_since_means_the_present_block_is_not_ours(#[case] undone: &str, #[case] ours: bool) {
    let act = StateChange {
        by: PERSON,
        recorded: PERSON,
        username: "someone".into(),
        at: at(undone),
    };
    let account = Account {
        unblocked_by: ChangeRecord::By(act),
        ..blocked_by_us()
    };
    assert_eq!(block_is_ours(&account, OWN), ours);
}

#[rstest]
#[case::no_record(ChangeRecord::Absent, ChangeRecord::Absent, true)]
#[case::a_person_blocked(changed(PERSON, "2026-11-01T02:00:03Z"), ChangeRecord::Absent, false)]
#[case::our_account_blocked_at_another_time(
    changed(OWN, "2026-11-09T00:00:00Z"),
    ChangeRecord::Absent,
    false
)]
#[case::unreadable(ChangeRecord::Unreadable, ChangeRecord::Absent, false)]
#[case::unblocked_before(ChangeRecord::Absent, changed(PERSON, "2020-01-01T00:00:00Z"), false)]
#[case::unblocked_unreadably(ChangeRecord::Absent, ChangeRecord::Unreadable, false)]
fn the_mark_of_an_earlier_service_stands_in_for_an_absent_record_alone(
    #[case] blocked_by: ChangeRecord,
    #[case] unblocked_by: ChangeRecord,
    #[case] ours: bool,
) {
    let marker =
        Marker::new("adopted", at("2026-11-01T02:00:03Z"), "run-1").resting_on("old_sync_blocked");
    let read = Marker::parse(&marker.to_value());
    assert_eq!(read.as_ref(), Some(&marker));
    let account = Account {
        blocked_by,
        unblocked_by,
        marker: read,
        ..blocked_by_us()
    };
    assert_eq!(block_is_ours(&account, OWN), ours);
}

/// SCIM, SAML and LDAP unblock without a record.
fn lifted() -> Account {
    Account {
        state: AccountState::Active,
        scim_identities: vec!["ext-1".to_owned()],
        ..blocked_by_us()
    }
}

fn changed(by: AccountId, when: &str) -> ChangeRecord {
    ChangeRecord::By(StateChange {
        by,
        recorded: by,
        username: "someone".into(),
        at: at(when),
    })
}

#[rstest]
#[case::by_scim(lifted(), true)]
#[case::an_older_unblock(Account { unblocked_by: changed(PERSON, "2026-10-01T00:00:00Z"), ..lifted() }, true)]
#[case::a_person_unblocked(Account { unblocked_by: changed(PERSON, "2026-11-02T00:00:00Z"), ..lifted() }, false)]
#[case::in_the_same_second(Account { unblocked_by: changed(PERSON, "2026-11-01T02:00:03Z"), ..lifted() }, false)]
#[case::we_unblocked(Account { unblocked_by: changed(OWN, "2026-11-02T00:00:00Z"), ..lifted() }, false)]
#[case::an_unreadable_unblock(Account { unblocked_by: ChangeRecord::Unreadable, ..lifted() }, false)]
#[case::no_identity(Account { scim_identities: Vec::new(), ..lifted() }, false)]
#[case::no_marker(Account { marker: None, ..lifted() }, false)]
#[case::a_block_of_another(Account { blocked_by: changed(PERSON, "2026-11-01T02:00:03Z"), ..lifted() }, false)]
#[case::still_blocked(Account { state: AccountState::Blocked, ..lifted() }, false)]
fn a_block_of_ours_that_nobody_on_record_lifted_was_lifted_by_an_identity_provider(
    #[case] account: Account,
    #[case] lifted: bool,
) {
    let classes = Classes::new(&users()).unwrap();
    let facts = Facts::of(&account, &classes, OWN, Standing::Cancelled);
    assert_eq!(
        facts.lifted.map(|lifted| lifted.by),
        lifted.then(|| "scim".to_owned())
    );
}

#[test]
fn a_marker_remembers_what_was_blocked_again_for_a_week_and_each_run_once() {
    let first = Marker::new("cancelled_in_lookup", at("2026-11-01T02:00:00Z"), "run-1");
    let plain = first.to_value();
    let again = |previous: &Marker, when: &str, run: &str| {
        Marker::new("unblocked_by_identity_provider", at(when), run).following(Some(previous), true)
    };
    let second = again(&first, "2026-11-02T02:00:00Z", "run-2");
    let retried = again(&second, "2026-11-02T02:05:00Z", "run-2");
    let third = again(&retried, "2026-11-03T02:00:00Z", "run-3");
    let times = ["2026-11-02T02:00:00Z", "2026-11-03T02:00:00Z"].map(at);
    assert_eq!(third.again, times);
    assert_eq!(Marker::parse(&third.to_value()), Some(third.clone()));
    let later = again(&third, "2026-12-01T02:00:00Z", "run-4");
    assert_eq!(later.again, [at("2026-12-01T02:00:00Z")]);
    let ordinary = Marker::new("cancelled_in_lookup", at("2026-11-04T02:00:00Z"), "run-5");
    assert_eq!(ordinary.following(Some(&third), false).again, times);
    assert!(
        !plain.contains("again"),
        "an ordinary marker is as it was: {plain}"
    );
}

/// Rows as they were seen: blocked by an account that the service used before.
#[test]
fn a_service_that_was_moved_recognises_its_blocks_by_its_former_id() {
    let former = AccountId(9);
    let account = Account {
        blocked_by: changed(former, "2026-11-01T02:00:03Z"),
        ..blocked_by_us()
    };
    assert_eq!(proof(&account, OWN), OwnershipProof::AnotherAccount(former));
    assert_eq!(blocked_as_another(&account, OWN), Some(former));
    let recognised = account.clone().recognising(&[former], OWN);
    assert_eq!(proof(&recognised, OWN), OwnershipProof::Ours);
    assert_eq!(blocked_as_another(&recognised, OWN), None);
    let a_persons_later_block = Account {
        blocked_by: changed(former, "2026-11-09T02:00:03Z"),
        ..account
    };
    assert_eq!(blocked_as_another(&a_persons_later_block, OWN), None);
}

#[rstest]
#[case(blocked_by_us(), OwnershipProof::Ours)]
#[case(Account { state: AccountState::Banned, ..blocked_by_us() }, OwnershipProof::NotBlocked)]
#[case(Account { marker: None, ..blocked_by_us() }, OwnershipProof::NoMarker)]
#[case(Account { blocked_by: ChangeRecord::Absent, ..blocked_by_us() }, OwnershipProof::NoRecord)]
#[case(Account { blocked_by: changed(PERSON, "2026-11-01T02:00:03Z"), ..blocked_by_us() }, OwnershipProof::AnotherAccount(PERSON))]
#[case(Account { blocked_by: changed(OWN, "2026-11-09T02:00:03Z"), ..blocked_by_us() }, OwnershipProof::AnotherBlock)]
#[case(Account { unblocked_by: changed(PERSON, "2026-11-01T02:00:03Z"), ..blocked_by_us() }, OwnershipProof::UndoneSince)]
fn what_is_missing_in_the_proof_is_named(
    #[case] account: Account,
    #[case] expected: OwnershipProof,
) {
    assert_eq!(proof(&account, OWN), expected);
    assert_eq!(
        block_is_ours(&account, OWN),
        expected == OwnershipProof::Ours
    );
}

#[rstest]
#[case::utc(
    "svc-lookup/9001+2026-11-01 02:00:03 UTC",
    "svc-lookup",
    9001,
    "2026-11-01T02:00:03Z"
)]
#[case::offset("svc/1+2026-11-01 03:00:03 +0100", "svc", 1, "2026-11-01T02:00:03Z")]
#[case::negative_offset("svc/1+2026-10-31 22:00:03 -0400", "svc", 1, "2026-11-01T02:00:03Z")]
#[case::slash_in_the_name("a/7/12+2026-11-01 02:00:03 UTC", "a/7", 12, "2026-11-01T02:00:03Z")]
#[case::plus_in_the_name("a+b/12+2026-11-01 02:00:03 UTC", "a+b", 12, "2026-11-01T02:00:03Z")]
fn gitlabs_record_is_read(
    #[case] value: &str,
    #[case] username: &str,
    #[case] by: u64,
    #[case] when: &str,
) {
    let act = StateChange {
        by: AccountId(by),
        recorded: AccountId(by),
        username: username.into(),
        at: at(when),
    };
    assert_eq!(StateChange::parse(value), Some(act));
}

#[rstest]
#[case("")]
#[case("svc-lookup")]
#[case("svc-lookup/9001")]
#[case("svc-lookup/+2026-11-01 02:00:03 UTC")]
#[case("/9001+2026-11-01 02:00:03 UTC")]
#[case("svc/-1+2026-11-01 02:00:03 UTC")]
#[case("svc/+1+2026-11-01 02:00:03 UTC")]
#[case("svc/99999999999999999999999+2026-11-01 02:00:03 UTC")]
#[case("svc/1+2026-11-01 02:00:03")]
#[case("svc/1+2026-11-01 02:00:03 CET")]
#[case("svc/1+2026-13-01 02:00:03 UTC")]
#[case("svc/1+2026-02-30 02:00:03 UTC")]
#[case("svc/1+2026-11-01 25:00:03 UTC")]
#[case("svc/1+2026-11-01 02:00:03 UTC, twice")]
#[case("svc/1+yesterday")]
#[case("svc/1+2026-11-01 02:00:03 UTC\u{0}")]
fn what_is_not_in_gitlabs_form_is_nobodys(#[case] value: &str) {
    assert_eq!(StateChange::parse(value), None);
    assert_eq!(ChangeRecord::read(Some(value)), ChangeRecord::Unreadable);
}

#[test]
fn a_marker_reads_back_as_it_was_written() {
    let marker = Marker::new("inactive", at("2026-11-01T02:00:00Z"), "run-1");
    let value = marker.to_value();
    assert_eq!(
        value,
        r#"{"at":"2026-11-01T02:00:00Z","reason":"inactive","run":"run-1","v":1}"#
    );
    assert_eq!(Marker::parse(&value), Some(marker));
}

#[rstest]
#[case("")]
#[case("true")]
#[case("null")]
#[case("{}")]
#[case(r#"{"v":2,"reason":"inactive","at":"2026-11-01T02:00:00Z","run":"r"}"#)]
#[case(r#"{"v":1,"reason":"inactive","at":"yesterday","run":"r"}"#)]
#[case(r#"{"v":1,"reason":"inactive","at":"2026-11-01T02:00:00Z"}"#)]
#[case(r#"{"v":"1","reason":"inactive","at":"2026-11-01T02:00:00Z","run":"r"}"#)]
#[case(r#"{"v":1,"reason":"inactive","at":"2026-11-01T02:00:00Z","run":"r"}trailing"#)]
fn what_is_not_a_marker_proves_nothing(#[case] value: &str) {
    assert_eq!(Marker::parse(value), None);
}

#[test]
fn a_person_who_unblocks_starts_the_time_anew() {
    let act = StateChange {
        by: PERSON,
        recorded: PERSON,
        username: "someone".into(),
        at: at("2026-11-15T23:30:00Z"),
    };
    let account = Account {
        activity: seen("2020-01-01"),
        unblocked_by: ChangeRecord::By(act),
        ..account("external-x")
    };
    assert_eq!(account.last_seen(OWN), seen("2026-11-15"));
}

#[test]
fn our_own_unblock_is_no_sign_of_life() {
    let act = StateChange {
        by: OWN,
        recorded: OWN,
        username: "someone".into(),
        at: at("2026-11-15T23:30:00Z"),
    };
    let account = Account {
        activity: seen("2020-01-01"),
        unblocked_by: ChangeRecord::By(act),
        ..account("external-x")
    };
    assert_eq!(account.last_seen(OWN), seen("2020-01-01"));
}

#[test]
fn an_unreadable_unblock_leaves_activity_unknown() {
    let account = Account {
        activity: seen("2020-01-01"),
        unblocked_by: ChangeRecord::Unreadable,
        ..account("external-x")
    };
    assert_eq!(account.last_seen(OWN), LastSeen::Unknown);
}
