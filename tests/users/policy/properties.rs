//! What holds for every account, generated.

use jiff::{Timestamp, ToSpan, civil::Date};
use lookup_gitlab_sync::{
    directory::{Crsid, Standing},
    users::{
        account::{AccountState, LastSeen},
        class::Class,
        marker::Marker,
        ownership::StateChange,
        policy::{Decision, Facts, Lifted, decide},
    },
};
use proptest::prelude::*;

use super::build::{POLICY, crsid, day};

const TODAY: &str = "2026-11-22";

fn states() -> impl Strategy<Value = AccountState> {
    prop::sample::select(vec![
        AccountState::Active,
        AccountState::Deactivated,
        AccountState::Blocked,
        AccountState::LdapBlocked,
        AccountState::Banned,
        AccountState::BlockedPendingApproval,
        AccountState::Unrecognised,
    ])
}

fn standings() -> impl Strategy<Value = Standing> {
    prop::sample::select(vec![
        Standing::Cancelled,
        Standing::Current,
        Standing::Unknown,
    ])
}

fn classes() -> impl Strategy<Value = Class> {
    prop::sample::select(vec![
        Class::Exempt,
        Class::NotHuman,
        Class::Member(crsid("spqr1")),
        Class::External,
        Class::OutOfScope,
    ])
}

fn days() -> impl Strategy<Value = Date> {
    (-3_000..400_i32).prop_map(|offset| day(TODAY).saturating_add(offset.days()))
}

prop_compose! {
    fn facts()(
        class in classes(),
        state in states(),
        ours in any::<bool>(),
        last_seen in prop_oneof![Just(LastSeen::Unknown), days().prop_map(LastSeen::On)],
        standing in standings(),
        lifted in prop::option::of(prop::collection::vec(days(), 0..5)),
    ) -> Facts {
        // Ours is a property of a blocked account; see `block_is_ours`.
        // And only an open account can have been lifted out of a block.
        let lifted = lifted.filter(|_| state.is_open()).map(|again| Box::new(Lifted { by: "saml".to_owned(), again }));
        Facts { class, state, ours: ours && state == AccountState::Blocked, lifted, last_seen, standing }
    }
}

/// The account as it is after the decision was applied.
fn applied(facts: &Facts, decision: Decision) -> Facts {
    match decision {
        Decision::Block(_) => Facts {
            state: AccountState::Blocked,
            ours: true,
            lifted: None,
            ..facts.clone()
        },
        Decision::Unblock(_) => Facts {
            state: AccountState::Active,
            ours: false,
            ..facts.clone()
        },
        Decision::Keep(_) => facts.clone(),
    }
}

proptest! {
    #[test]
    fn unknown_never_writes(facts in facts()) {
        let facts = Facts { standing: Standing::Unknown, last_seen: LastSeen::Unknown, ..facts };
        prop_assert!(!decide(&facts, POLICY, day(TODAY)).is_change());
    }

    #[test]
    fn an_unknown_member_is_never_written_whatever_their_activity(facts in facts()) {
        let facts = Facts { class: Class::Member(crsid("ab1")), standing: Standing::Unknown, ..facts };
        prop_assert!(!decide(&facts, POLICY, day(TODAY)).is_change());
    }

    #[test]
    fn a_block_starts_from_open_and_an_unblock_from_our_own_block(facts in facts()) {
        match decide(&facts, POLICY, day(TODAY)) {
            Decision::Block(_) => prop_assert!(matches!(facts.state, AccountState::Active | AccountState::Deactivated)),
            Decision::Unblock(_) => prop_assert!(facts.state == AccountState::Blocked && facts.ours),
            Decision::Keep(_) => {}
        }
    }

    #[test]
    fn a_member_is_written_only_on_an_explicit_answer(facts in facts()) {
        let facts = Facts { class: Class::Member(crsid("ab1")), ..facts };
        match decide(&facts, POLICY, day(TODAY)) {
            Decision::Block(_) => prop_assert_eq!(facts.standing, Standing::Cancelled),
            Decision::Unblock(_) => prop_assert_eq!(facts.standing, Standing::Current),
            Decision::Keep(_) => {}
        }
    }

    #[test]
    fn once_applied_there_is_nothing_left_to_do(facts in facts()) {
        let today = day(TODAY);
        let after = applied(&facts, decide(&facts, POLICY, today));
        prop_assert!(!decide(&after, POLICY, today).is_change());
    }

    #[test]
    fn a_block_by_another_is_never_undone(facts in facts()) {
        let facts = Facts { ours: false, ..facts };
        prop_assert!(!matches!(decide(&facts, POLICY, day(TODAY)), Decision::Unblock(_)));
    }

    #[test]
    fn being_seen_later_never_makes_a_block(seen in days(), later in 0..1_000_i32) {
        let facts = |last_seen| Facts {
            class: Class::External,
            state: AccountState::Active,
            ours: false,
            lifted: None,
            last_seen: LastSeen::On(last_seen),
            standing: Standing::Unknown,
        };
        let before = decide(&facts(seen), POLICY, day(TODAY));
        let after = decide(&facts(seen.saturating_add(later.days())), POLICY, day(TODAY));
        prop_assert!(before.is_change() || !after.is_change());
    }

    #[test]
    fn no_attribute_value_can_break_the_parsers(value in ".*") {
        let _ = StateChange::parse(&value);
        let _ = Marker::parse(&value);
        let _ = Crsid::parse(&value);
    }

    #[test]
    fn gitlabs_record_reads_back(name in "[a-zA-Z0-9_.-]{1,40}", id in 1..u64::MAX, second in 0..4_000_000_000_i64) {
        let at = Timestamp::from_second(second).unwrap();
        let value = format!("{name}/{id}+{}", at.strftime("%Y-%m-%d %H:%M:%S UTC"));
        let act = StateChange::parse(&value).unwrap();
        prop_assert_eq!((act.by.0, act.at), (id, at));
    }

    #[test]
    fn a_marker_reads_back(reason in ".*", run in ".*", second in 0..4_000_000_000_i64) {
        let marker = Marker::new(&reason, Timestamp::from_second(second).unwrap(), &run);
        prop_assert_eq!(Marker::parse(&marker.to_value()), Some(marker));
    }

    #[test]
    fn a_crsid_is_what_its_definition_says(text in "[a-zA-Z0-9_.-]{0,10}") {
        let definition = regex::Regex::new("(?i)^[a-z][a-z0-9]{1,7}$").unwrap();
        prop_assert_eq!(Crsid::parse(&text).is_some(), definition.is_match(&text));
    }
}
