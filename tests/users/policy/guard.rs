//! How much a run may change.

use jiff::SignedDuration;
use lookup_gitlab_sync::users::{
    account::{Account, AccountState},
    guard::{ChangeCount, GuardFacts, GuardLimits, GuardTally, PossibleChange},
    ownership::{ChangeRecord, StateChange},
    policy::{BlockReason, Decision, KeepReason, UnblockReason},
};
use rstest::rstest;

use super::build::{OWN, PERSON, account, at, blocked_by_us};

const LIMITS: GuardLimits = GuardLimits {
    max_block_percent: 5.0,
    max_unblock_percent: 25.0,
    floor: 10,
    max_blocks: 1_000,
};

fn blocks(now: u64, recent: u64, base: u64) -> GuardTally {
    GuardTally {
        blocks: ChangeCount {
            now,
            recent,
            base,
            ..ChangeCount::default()
        },
        unblocks: ChangeCount::default(),
    }
}

fn unblocks(now: u64, recent: u64, base: u64) -> GuardTally {
    GuardTally {
        blocks: ChangeCount::default(),
        unblocks: ChangeCount {
            now,
            recent,
            base,
            ..ChangeCount::default()
        },
    }
}

#[rstest]
#[case::exactly_the_share(blocks(50, 0, 1000), true)]
#[case::one_over(blocks(51, 0, 1000), false)]
#[case::recent_ones_count(blocks(30, 21, 1000), false)]
#[case::recent_ones_fit(blocks(30, 20, 1000), true)]
#[case::the_floor_holds_on_a_small_server(blocks(10, 0, 20), true)]
#[case::over_the_floor(blocks(11, 0, 20), false)]
#[case::rounded_down(blocks(50, 0, 1019), true)]
#[case::rounded_down_over(blocks(51, 0, 1019), false)]
#[case::nothing_to_do_is_never_over(blocks(0, 900, 1000), true)]
#[case::an_empty_server(blocks(0, 0, 0), true)]
#[case::unblocks_exactly(unblocks(25, 0, 100), true)]
#[case::unblocks_over(unblocks(26, 0, 100), false)]
#[case::unblocks_recent(unblocks(20, 6, 100), false)]
fn a_run_over_its_share_is_refused(#[case] tally: GuardTally, #[case] allowed: bool) {
    assert_eq!(tally.check(&LIMITS).is_ok(), allowed, "{tally:?}");
}

#[rstest]
#[case::within(blocks(1_000, 0, 100_000), true)]
#[case::over(blocks(1_001, 0, 100_000), false)]
#[case::with_recent_ones(blocks(600, 401, 100_000), false)]
#[case::unblocks_have_none(unblocks(2_000, 0, 100_000), true)]
fn a_large_server_has_an_absolute_bound_beside_the_share(
    #[case] tally: GuardTally,
    #[case] allowed: bool,
) {
    assert_eq!(tally.check(&LIMITS).is_ok(), allowed, "{tally:?}");
}

#[test]
fn the_refusal_names_the_bound_and_what_is_on_its_way() {
    let mut tally = blocks(900, 60, 100_000);
    tally.blocks.on_its_way = 41;
    assert_eq!(
        tally.check(&LIMITS).unwrap_err().to_string(),
        "blocks: 900 now and 60 in the last 24 hours and 41 on their way from earlier runs of 100000, \
         allowed 1000 (guard.max_blocks), 1.01 % would be enough"
    );
}

#[test]
fn who_asks_for_a_share_of_blocks_lifts_the_bound_and_nobody_else_does() {
    let many = blocks(9_000, 0, 100_000);
    assert!(many.check(&LIMITS.asked_for(Some(10.0), None)).is_ok());
    assert!(many.check(&LIMITS.asked_for(Some(8.0), None)).is_err());
    assert!(many.check(&LIMITS.asked_for(None, Some(10.0))).is_err());
}

#[rstest]
#[case(f64::NAN)]
#[case(-1.0)]
#[case(0.0)]
fn a_share_that_is_none_leaves_the_floor(#[case] percent: f64) {
    let limits = GuardLimits {
        max_block_percent: percent,
        ..LIMITS
    };
    assert!(blocks(10, 0, 1_000_000).check(&limits).is_ok());
    assert!(blocks(11, 0, 1_000_000).check(&limits).is_err());
}

#[test]
fn the_refusal_says_the_counts() {
    let tally = GuardTally {
        blocks: ChangeCount {
            now: 400,
            recent: 20,
            base: 5000,
            ..ChangeCount::default()
        },
        unblocks: ChangeCount {
            now: 30,
            recent: 0,
            base: 40,
            ..ChangeCount::default()
        },
    };
    let refusal = tally.check(&LIMITS).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "blocks: 400 now and 20 in the last 24 hours of 5000, allowed 250 (5 %), 8.4 % would be enough; \
         unblocks: 30 now and 0 in the last 24 hours of 40, allowed 10 (25 %), 75 % would be enough"
    );
}

#[test]
fn a_run_redelivered_half_way_is_judged_as_it_was_the_first_time() {
    let total = 1_000;
    for done in 0..=50 {
        let mut tally = GuardTally::default();
        for index in 0..total {
            let (reach, recently_blocked, decision) = match index {
                index if index < done => (
                    PossibleChange::Unblock,
                    true,
                    Decision::Keep(KeepReason::AlreadyBlocked),
                ),
                index if index < 50 => (
                    PossibleChange::Block,
                    false,
                    Decision::Block(BlockReason::CancelledInLookup),
                ),
                _ => (
                    PossibleChange::Block,
                    false,
                    Decision::Keep(KeepReason::Current),
                ),
            };
            let counted = GuardFacts {
                reach,
                recently_blocked,
                recently_unblocked: false,
            };
            tally.add(counted, decision);
        }
        assert!(tally.check(&LIMITS).is_ok(), "{done} of 50 done: {tally:?}");
    }
}

#[test]
fn each_kind_is_counted_by_itself() {
    let mut tally = GuardTally::default();
    let counted = |reach| GuardFacts {
        reach,
        recently_blocked: false,
        recently_unblocked: false,
    };
    tally.add(
        counted(PossibleChange::Block),
        Decision::Block(BlockReason::Inactive),
    );
    tally.add(
        counted(PossibleChange::Unblock),
        Decision::Unblock(UnblockReason::NoLongerCancelled),
    );
    tally.add(
        counted(PossibleChange::Nothing),
        Decision::Keep(KeepReason::BlockedByAnother),
    );
    let one = ChangeCount {
        now: 1,
        recent: 0,
        base: 1,
        ..ChangeCount::default()
    };
    assert_eq!(
        tally,
        GuardTally {
            blocks: one,
            unblocks: one
        }
    );
}

/// Several of each, in different numbers, so that no count can stand for another.
#[test]
fn every_account_adds_one_to_each_count_it_belongs_to() {
    let mut tally = GuardTally::default();
    let mut add = |times, reach, recently_blocked, recently_unblocked, decision| {
        let counted = GuardFacts {
            reach,
            recently_blocked,
            recently_unblocked,
        };
        for _ in 0..times {
            tally.add(counted, decision);
        }
    };
    let block = Decision::Block(BlockReason::Inactive);
    let unblock = Decision::Unblock(UnblockReason::NoLongerCancelled);
    let keep = Decision::Keep(KeepReason::Current);
    add(2, PossibleChange::Block, false, false, block);
    add(3, PossibleChange::Unblock, false, false, unblock);
    add(5, PossibleChange::Unblock, true, false, keep);
    add(7, PossibleChange::Block, false, true, keep);
    add(11, PossibleChange::Nothing, true, true, keep);
    add(13, PossibleChange::Nothing, false, false, keep);
    add(17, PossibleChange::Block, true, false, block);
    add(19, PossibleChange::Unblock, false, true, unblock);
    let expected = GuardTally {
        blocks: ChangeCount {
            now: 2 + 17,
            recent: 5 + 11 + 17,
            base: 2 + 5 + 7 + 11 + 17,
            ..ChangeCount::default()
        },
        unblocks: ChangeCount {
            now: 3 + 19,
            recent: 7 + 11 + 19,
            base: 3 + 5 + 7 + 11 + 19,
            ..ChangeCount::default()
        },
    };
    assert_eq!(tally, expected);
}

#[test]
fn what_we_changed_in_the_last_24_hours_counts_whatever_became_of_it() {
    let blocked_at = at("2026-11-01T02:00:03Z");
    let soon = blocked_at + SignedDuration::from_hours(23);
    let later = blocked_at + SignedDuration::from_hours(24);
    let lifted = StateChange {
        by: PERSON,
        recorded: PERSON,
        username: "someone".into(),
        at: blocked_at + SignedDuration::from_hours(1),
    };
    let reactivated = Account {
        state: AccountState::Active,
        unblocked_by: ChangeRecord::By(lifted),
        ..blocked_by_us()
    };
    assert!(GuardFacts::of(&blocked_by_us(), OWN, soon).recently_blocked);
    assert!(GuardFacts::of(&reactivated, OWN, soon).recently_blocked);
    assert!(!GuardFacts::of(&blocked_by_us(), OWN, later).recently_blocked);
}

#[test]
fn only_our_own_unblocks_count() {
    let now = at("2026-11-01T03:00:00Z");
    let unblocked = |by| Account {
        unblocked_by: ChangeRecord::By(StateChange {
            by,
            recorded: by,
            username: "someone".into(),
            at: at("2026-11-01T02:00:00Z"),
        }),
        ..account("spqr1")
    };
    assert!(GuardFacts::of(&unblocked(OWN), OWN, now).recently_unblocked);
    assert!(!GuardFacts::of(&unblocked(PERSON), OWN, now).recently_unblocked);
}

#[rstest]
#[case(Account { state: AccountState::Active, ..account("a1") }, PossibleChange::Block)]
#[case(Account { state: AccountState::Deactivated, ..account("a1") }, PossibleChange::Block)]
#[case(blocked_by_us(), PossibleChange::Unblock)]
#[case(Account { state: AccountState::Blocked, ..account("a1") }, PossibleChange::Nothing)]
#[case(Account { state: AccountState::Banned, ..blocked_by_us() }, PossibleChange::Nothing)]
fn the_base_is_what_could_be_changed(#[case] account: Account, #[case] reach: PossibleChange) {
    assert_eq!(
        GuardFacts::of(&account, OWN, at("2026-12-01T00:00:00Z")).reach,
        reach
    );
}

#[rstest]
#[case::exactly(420, 5000, Some(8.4))]
#[case::rounded_up(1, 3, Some(33.34))]
#[case::all_of_them(7, 7, Some(100.0))]
#[case::more_than_there_are(8, 7, None)]
#[case::none_to_count_in(1, 0, None)]
fn the_percentage_that_would_be_enough_is_told_and_is_enough(
    #[case] now: u64,
    #[case] base: u64,
    #[case] enough: Option<f64>,
) {
    let tally = GuardTally {
        blocks: ChangeCount {
            now,
            base,
            ..ChangeCount::default()
        },
        ..GuardTally::default()
    };
    let none = GuardLimits {
        max_block_percent: 0.0,
        floor: 0,
        ..LIMITS
    };
    let excess = tally.check(&none).unwrap_err().blocks.unwrap();
    assert_eq!(excess.enough(), enough);
    if let Some(percent) = enough {
        tally.check(&none.asked_for(Some(percent), None)).unwrap();
        let less = none.asked_for(Some(percent - 0.01), None);
        tally.check(&less).unwrap_err();
    }
}

#[rstest]
#[case::the_share(5.0, 10, 1_000, 500, "5 %")]
#[case::the_floor(0.01, 10, 1_000, 10, "guard.floor")]
#[case::the_cap(50.0, 10, 1_000, 1_000, "guard.max_blocks")]
fn what_is_allowed_says_what_sets_it(
    #[case] percent: f64,
    #[case] floor: u64,
    #[case] cap: u64,
    #[case] changes: u64,
    #[case] bound: &str,
) {
    let limits = GuardLimits {
        max_block_percent: percent,
        floor,
        max_blocks: cap,
        ..LIMITS
    };
    let allowed = blocks(1, 0, 10_000).allowed(&limits).blocks;
    assert_eq!(allowed.changes, changes);
    assert_eq!(allowed.bound.to_string(), bound);
}
