//! Short ways to write accounts and facts.

use jiff::{Timestamp, civil::Date};
use lookup_gitlab_sync::{
    config,
    directory::{Crsid, Standing},
    users::{
        account::{Account, AccountId, AccountState, LastSeen},
        class::{Class, Classes},
        marker::Marker,
        ownership::{ChangeRecord, StateChange},
        policy::{Decision, Facts, Policy, decide},
    },
};

/// The token's own account.
pub const OWN: AccountId = AccountId(1);
/// Some administrator.
pub const PERSON: AccountId = AccountId(7);

pub const POLICY: Policy = Policy {
    inactive_months: 24,
};

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

pub fn crsid(text: &str) -> Crsid {
    Crsid::parse(text).unwrap()
}

pub fn member(state: AccountState, standing: Standing) -> Facts {
    Facts {
        class: Class::Member(crsid("spqr1")),
        state,
        ours: false,
        lifted: None,
        last_seen: LastSeen::Unknown,
        standing,
    }
}

pub fn external(state: AccountState, last_seen: LastSeen) -> Facts {
    Facts {
        class: Class::External,
        state,
        ours: false,
        lifted: None,
        last_seen,
        standing: Standing::Unknown,
    }
}

pub fn seen(text: &str) -> LastSeen {
    LastSeen::On(day(text))
}

pub fn decided(facts: &Facts) -> Decision {
    decide(facts, POLICY, day("2026-11-22"))
}

/// An active member's account with nothing remarkable about it.
pub fn account(username: &str) -> Account {
    Account {
        id: AccountId(42),
        username: username.to_owned(),
        state: AccountState::Active,
        human: true,
        administrator: false,
        exempt_attribute: false,
        identities: Vec::new(),
        scim_identities: Vec::new(),
        activity: seen("2026-11-01"),
        marker: None,
        blocked_by: ChangeRecord::Absent,
        unblocked_by: ChangeRecord::Absent,
    }
}

/// An account that this service blocked on 1 November 2026 at two o'clock.
pub fn blocked_by_us() -> Account {
    Account {
        state: AccountState::Blocked,
        marker: Some(Marker::new(
            "cancelled_in_lookup",
            at("2026-11-01T02:00:00Z"),
            "run-1",
        )),
        blocked_by: ChangeRecord::By(StateChange {
            by: OWN,
            recorded: OWN,
            username: "someone".into(),
            at: at("2026-11-01T02:00:03Z"),
        }),
        ..account("spqr1")
    }
}

/// The defaults of the configuration.
pub fn users() -> config::UsersConfig {
    config::UsersConfig {
        former_ids: Vec::new(),
        predecessors: Vec::new(),
        control_people: Vec::new(),
        exempt_usernames: Vec::new(),
        exempt_username_patterns: Vec::new(),
        exempt_administrators: false,
        identity_patterns: Vec::new(),
        external_patterns: vec!["^external-".to_owned()],
        username_patterns: vec!["^(?<crsid>[a-z][a-z0-9]{1,7})$".to_owned()],
        inactive_months: 24,
    }
}

pub fn class_of(users: &config::UsersConfig, account: &Account) -> Class {
    Classes::new(users).unwrap().classify(account, OWN)
}
