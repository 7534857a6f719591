//! The decision table, row by row.

use lookup_gitlab_sync::{
    directory::Standing::{Cancelled, Current, Unknown},
    users::{
        account::{AccountState, LastSeen},
        class::Class,
        policy::{BlockReason, Decision, Facts, KeepReason, Lifted, UnblockReason, decide},
    },
};
use rstest::rstest;

use super::build::{POLICY, day, decided, external, member, seen};

#[rstest]
fn a_cancelled_member_who_can_sign_in_is_blocked(
    #[values(AccountState::Active, AccountState::Deactivated)] state: AccountState,
) {
    assert_eq!(
        decided(&member(state, Cancelled)),
        Decision::Block(BlockReason::CancelledInLookup)
    );
}

#[rstest]
fn a_current_member_who_can_sign_in_is_kept(
    #[values(AccountState::Active, AccountState::Deactivated)] state: AccountState,
) {
    assert_eq!(
        decided(&member(state, Current)),
        Decision::Keep(KeepReason::Current)
    );
}

#[rstest]
fn a_cancelled_member_who_is_blocked_stays_so_whoever_blocked(#[values(true, false)] ours: bool) {
    let facts = Facts {
        ours,
        ..member(AccountState::Blocked, Cancelled)
    };
    assert_eq!(decided(&facts), Decision::Keep(KeepReason::AlreadyBlocked));
}

#[test]
fn a_current_member_whom_we_blocked_is_unblocked() {
    let facts = Facts {
        ours: true,
        ..member(AccountState::Blocked, Current)
    };
    assert_eq!(
        decided(&facts),
        Decision::Unblock(UnblockReason::NoLongerCancelled)
    );
}

#[test]
fn a_block_by_somebody_else_is_never_undone() {
    let facts = member(AccountState::Blocked, Current);
    assert_eq!(
        decided(&facts),
        Decision::Keep(KeepReason::BlockedByAnother)
    );
}

#[rstest]
fn a_member_unknown_to_lookup_is_kept_as_they_are(
    #[values(AccountState::Active, AccountState::Deactivated, AccountState::Blocked)]
    state: AccountState,
    #[values(true, false)] ours: bool,
) {
    let facts = Facts {
        ours,
        ..member(state, Unknown)
    };
    assert_eq!(decided(&facts), Decision::Keep(KeepReason::NotInLookup));
}

#[rstest]
fn an_inactive_external_account_is_blocked(
    #[values(AccountState::Active, AccountState::Deactivated)] state: AccountState,
) {
    assert_eq!(
        decided(&external(state, seen("2024-11-22"))),
        Decision::Block(BlockReason::Inactive)
    );
}

#[rstest]
fn an_external_account_seen_since_is_kept(
    #[values(AccountState::Active, AccountState::Deactivated)] state: AccountState,
) {
    assert_eq!(
        decided(&external(state, seen("2024-11-23"))),
        Decision::Keep(KeepReason::Active)
    );
}

#[rstest]
fn an_external_account_of_unknown_activity_is_kept(
    #[values(AccountState::Active, AccountState::Deactivated)] state: AccountState,
) {
    assert_eq!(
        decided(&external(state, LastSeen::Unknown)),
        Decision::Keep(KeepReason::ActivityUnknown)
    );
}

#[rstest]
fn a_blocked_external_account_stays_so(
    #[values(seen("2020-01-01"), seen("2026-11-21"), LastSeen::Unknown)] last_seen: LastSeen,
    #[values(true, false)] ours: bool,
) {
    let facts = Facts {
        ours,
        ..external(AccountState::Blocked, last_seen)
    };
    assert_eq!(decided(&facts), Decision::Keep(KeepReason::AlreadyBlocked));
}

#[rstest]
#[case(Class::Exempt, KeepReason::Exempt)]
#[case(Class::NotHuman, KeepReason::NotHuman)]
#[case(Class::OutOfScope, KeepReason::OutOfScope)]
fn who_is_not_ours_to_decide_is_kept_whatever_the_directory_says(
    #[case] class: Class,
    #[case] reason: KeepReason,
    #[values(AccountState::Active, AccountState::Blocked, AccountState::Banned)]
    state: AccountState,
    #[values(Cancelled, Current, Unknown)] standing: lookup_gitlab_sync::directory::Standing,
) {
    let facts = Facts {
        class,
        ours: true,
        last_seen: seen("2000-01-01"),
        ..member(state, standing)
    };
    assert_eq!(decided(&facts), Decision::Keep(reason));
}

#[rstest]
fn a_state_owned_elsewhere_is_never_touched(
    #[values(
        AccountState::LdapBlocked,
        AccountState::Banned,
        AccountState::BlockedPendingApproval,
        AccountState::Unrecognised
    )]
    state: AccountState,
    #[values(Cancelled, Current, Unknown)] standing: lookup_gitlab_sync::directory::Standing,
) {
    let owned_elsewhere = Decision::Keep(KeepReason::StateOwnedElsewhere);
    let claimed = Facts {
        ours: true,
        ..member(state, standing)
    };
    assert_eq!(decided(&claimed), owned_elsewhere);
    assert_eq!(
        decided(&external(state, seen("2000-01-01"))),
        owned_elsewhere
    );
}

#[rstest]
#[case::the_day_before("2024-11-22", "2026-11-21", false)]
#[case::the_day_itself("2024-11-22", "2026-11-22", true)]
#[case::the_day_after("2024-11-22", "2026-11-23", true)]
#[case::leap_day_before("2024-02-29", "2026-02-27", false)]
#[case::leap_day_ends_on_28_february("2024-02-29", "2026-02-28", true)]
#[case::onto_a_leap_year("2026-02-28", "2028-02-28", true)]
#[case::onto_a_leap_year_not_before("2026-02-28", "2028-02-27", false)]
#[case::month_end("2024-08-31", "2026-08-31", true)]
#[case::month_end_not_before("2024-08-31", "2026-08-30", false)]
#[case::year_end("2024-12-31", "2026-12-31", true)]
#[case::never_in_the_future("2027-01-01", "2026-11-22", false)]
fn twenty_four_calendar_months(
    #[case] last_seen: &str,
    #[case] today: &str,
    #[case] inactive: bool,
) {
    let decision = decide(
        &external(AccountState::Active, seen(last_seen)),
        POLICY,
        day(today),
    );
    let expected = if inactive {
        Decision::Block(BlockReason::Inactive)
    } else {
        Decision::Keep(KeepReason::Active)
    };
    assert_eq!(decision, expected);
}

#[rstest]
#[case::six_months_from_the_31st(6, "2025-08-31", "2026-02-28", true)]
#[case::six_months_from_the_31st_not_before(6, "2025-08-31", "2026-02-27", false)]
fn other_numbers_of_months(
    #[case] inactive_months: u32,
    #[case] last_seen: &str,
    #[case] today: &str,
    #[case] inactive: bool,
) {
    let policy = lookup_gitlab_sync::users::policy::Policy { inactive_months };
    let decision = decide(
        &external(AccountState::Active, seen(last_seen)),
        policy,
        day(today),
    );
    assert_eq!(decision.is_change(), inactive);
}

#[test]
fn a_date_beyond_the_calendar_is_not_inactive() {
    let policy = lookup_gitlab_sync::users::policy::Policy {
        inactive_months: u32::MAX,
    };
    let facts = external(AccountState::Active, seen("2000-01-01"));
    assert_eq!(
        decide(&facts, policy, day("9999-12-31")),
        Decision::Keep(KeepReason::Active)
    );
}

#[test]
fn names_are_those_of_records() {
    let decision = Decision::Block(BlockReason::CancelledInLookup);
    assert_eq!(decision.to_string(), "block (cancelled_in_lookup)");
    assert_eq!(
        Decision::Unblock(UnblockReason::NoLongerCancelled).to_string(),
        "unblock (no_longer_cancelled)"
    );
    assert_eq!(
        Decision::Keep(KeepReason::StateOwnedElsewhere).to_string(),
        "keep (state_owned_elsewhere)"
    );
}

fn lifted(facts: Facts, again: &[&str]) -> Facts {
    let lifted = Lifted {
        by: "saml, scim".to_owned(),
        again: again.iter().map(|text| day(text)).collect(),
    };
    Facts {
        lifted: Some(Box::new(lifted)),
        ..facts
    }
}

/// The day of the decision is 22 November.
#[rstest]
#[case::the_first_time(&[], true)]
#[case::the_third(&["2026-11-20", "2026-11-21"], true)]
#[case::once_more(&["2026-11-20", "2026-11-21", "2026-11-22"], false)]
#[case::a_week_later(&["2026-11-15", "2026-11-21", "2026-11-22"], true)]
fn what_an_identity_provider_unblocks_is_blocked_again_three_times_in_seven_days(
    #[case] again: &[&str],
    #[case] blocks: bool,
) {
    let expected = if blocks {
        Decision::Block(BlockReason::UnblockedByIdentityProvider)
    } else {
        Decision::Keep(KeepReason::UnblockedByIdentityProvider)
    };
    assert_eq!(expected.reason(), "unblocked_by_identity_provider");
    let cancelled = member(AccountState::Active, Cancelled);
    assert_eq!(decided(&lifted(cancelled, again)), expected);
    let inactive = external(AccountState::Deactivated, seen("2020-01-01"));
    assert_eq!(decided(&lifted(inactive, again)), expected);
    let back = member(AccountState::Active, Current);
    assert_eq!(
        decided(&lifted(back, again)),
        Decision::Keep(KeepReason::Current)
    );
}
