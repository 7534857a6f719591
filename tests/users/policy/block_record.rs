//! Who blocked an account, as far as GitLab has a record of it.

use lookup_gitlab_sync::users::{
    account::{Account, AccountState},
    block_record::{BlockRecord, Blocker},
    ownership::{ChangeRecord, StateChange},
};
use rstest::rstest;

use super::build::{OWN, PERSON, account, at, blocked_by_us};

const WHEN: &str = "2026-11-01T02:00:03Z";

fn by(id: lookup_gitlab_sync::users::account::AccountId) -> ChangeRecord {
    ChangeRecord::By(StateChange {
        by: id,
        recorded: id,
        username: "old-sync".into(),
        at: at(WHEN),
    })
}

fn in_state(state: AccountState, blocked_by: ChangeRecord) -> Account {
    Account {
        state,
        blocked_by,
        ..account("spqr1")
    }
}

fn undone(at_time: &str) -> Account {
    Account {
        unblocked_by: ChangeRecord::By(StateChange {
            by: PERSON,
            recorded: PERSON,
            username: "ada".into(),
            at: at(at_time),
        }),
        ..in_state(AccountState::Blocked, by(PERSON))
    }
}

#[rstest]
#[case::ours(blocked_by_us(), "this service", true)]
#[case::another_accounts(in_state(AccountState::Blocked, by(PERSON)), "old-sync (7)", true)]
#[case::our_account_without_a_marker(
    in_state(AccountState::Blocked, by(OWN)),
    "old-sync (1)",
    true
)]
#[case::no_record(
    in_state(AccountState::Blocked, ChangeRecord::Absent),
    "nobody on record",
    false
)]
#[case::an_unreadable_record(
    in_state(AccountState::Blocked, ChangeRecord::Unreadable),
    "nobody on record",
    false
)]
#[case::unblocked_before(undone("2026-10-01T00:00:00Z"), "old-sync (7)", true)]
#[case::unblocked_in_the_same_second(undone(WHEN), "nobody on record", false)]
#[case::unblocked_since_and_blocked_without_a_record(
    undone("2026-11-02T00:00:00Z"),
    "nobody on record",
    false
)]
#[case::by_an_identity_provider(
    in_state(AccountState::LdapBlocked, by(PERSON)),
    "LDAP, SAML or SCIM",
    false
)]
#[case::a_ban(in_state(AccountState::Banned, by(PERSON)), "nobody on record", false)]
fn who_blocked_it_is_said_as_far_as_it_is_on_record(
    #[case] account: Account,
    #[case] expected: &str,
    #[case] dated: bool,
) {
    let block = BlockRecord::of(&account, OWN).unwrap();
    assert_eq!(block.by.to_string(), expected);
    assert_eq!(block.since, dated.then(|| at(WHEN)));
}

#[rstest]
fn an_account_that_is_not_blocked_has_no_block(
    #[values(
        AccountState::Active,
        AccountState::Deactivated,
        AccountState::BlockedPendingApproval,
        AccountState::Unrecognised
    )]
    state: AccountState,
) {
    assert_eq!(BlockRecord::of(&in_state(state, by(PERSON)), OWN), None);
}

#[test]
fn accounts_that_this_service_used_before_are_this_service() {
    let former = Account {
        blocked_by: by(PERSON),
        ..blocked_by_us()
    };
    let block = BlockRecord::of(&former.recognising(&[PERSON], OWN), OWN).unwrap();
    assert_eq!(block.by, Blocker::ThisService);
}
