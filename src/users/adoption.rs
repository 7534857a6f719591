//! Whether a block of an earlier service may become this service's own.
//!
//! GitLab's record of a block names an account and a second. It is trusted here as it is
//! everywhere else, with the same doubts: what a person may have done since, what has no record,
//! and what GitLab cannot tell apart is left alone.

mod adopter;

pub use adopter::{Adopter, AdoptionOutcome, AdoptionSurvey, JudgedAccount};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    account::{Account, AccountId, AccountState},
    class::Class,
    marker::Marker,
    observe,
    ownership::{ChangeRecord, StateChange, block_is_ours, is_undone_since},
    rules::Rules,
};
use crate::gitlab;

/// What the marker of an adopted block gives as its reason.
pub const ADOPTED: &str = "adopted";

/// Which blocks are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdoptionRequest {
    /// Accounts that the earlier service used.
    pub blocked_by: Vec<AccountId>,
    /// The custom attribute by which the earlier service marked its blocks: it speaks for blocks
    /// of which GitLab has no record.
    pub mark: Option<String>,
    /// Blocks made at this moment or later are left.
    pub before: Option<Timestamp>,
}

/// A block that can be adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptableBlock {
    /// GitLab's record of it, if there is one.
    pub record: Option<StateChange>,
    /// When it was made, as far as anybody recorded that.
    pub at: Option<Timestamp>,
}

/// What is to be done with one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// It is not blocked.
    NotBlocked,
    /// Its block can be adopted.
    Adopt(AdoptableBlock),
    /// Its block is left as it is.
    Leave(LeaveReason),
}

/// Why a block is not adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// This service can prove it to be its own already.
    AlreadyOurs,
    /// A ban is an abuse team's business.
    Banned,
    /// LDAP, SAML or SCIM blocked it.
    IdentityProvider,
    /// This service never changes the account, whoever blocked it.
    NotInScope,
    /// GitLab has no record of who blocked it, and no mark speaks for it.
    NoRecord,
    /// GitLab's record cannot be read.
    UnreadableRecord,
    /// Another account blocked it.
    AnotherAccount(StateChange),
    /// Somebody unblocked it since, or in the same second: who blocked it after that is not known.
    UnblockedSince,
    /// It was not made before the moment that was asked for, or nobody knows when it was.
    NotBefore,
}

impl LeaveReason {
    /// The word in results.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::AlreadyOurs => "already_ours",
            Self::Banned => "banned",
            Self::IdentityProvider => "identity_provider",
            Self::NotInScope => "not_in_scope",
            Self::NoRecord => "no_record",
            Self::UnreadableRecord => "unreadable_record",
            Self::AnotherAccount(_) => "another_account",
            Self::UnblockedSince => "unblocked_since",
            Self::NotBefore => "not_before",
        }
    }

    /// Whether it is about a block that was asked for, rather than about somebody else's.
    pub const fn is_about_what_was_asked(&self) -> bool {
        match self {
            Self::AlreadyOurs | Self::UnreadableRecord | Self::UnblockedSince | Self::NotBefore => {
                true
            }
            Self::Banned
            | Self::IdentityProvider
            | Self::NotInScope
            | Self::NoRecord
            | Self::AnotherAccount(_) => false,
        }
    }
}

impl AdoptionRequest {
    /// Judges the account of one row of GitLab's users API; `own` is the token's own account.
    pub fn judge(&self, row: &gitlab::User, own: AccountId, rules: &Rules) -> Adoption {
        let leave = Adoption::Leave;
        // As GitLab recorded it: `rules.account` counts what predecessors did as this service's.
        let account = observe::account(row);
        match account.state {
            AccountState::Blocked => {}
            AccountState::Banned => return leave(LeaveReason::Banned),
            AccountState::LdapBlocked => return leave(LeaveReason::IdentityProvider),
            AccountState::Active
            | AccountState::Deactivated
            | AccountState::BlockedPendingApproval
            | AccountState::Unrecognised => return Adoption::NotBlocked,
        }
        if block_is_ours(&rules.account(row, own), own) {
            return leave(LeaveReason::AlreadyOurs);
        }
        match rules.classes.classify(&account, own) {
            Class::Member(_) | Class::External => {}
            Class::Exempt | Class::NotHuman | Class::OutOfScope => {
                return leave(LeaveReason::NotInScope);
            }
        }
        match &account.blocked_by {
            ChangeRecord::By(act) if self.blocked_by.contains(&act.by) => {
                self.judge_recorded(&account, act)
            }
            ChangeRecord::By(act) => leave(LeaveReason::AnotherAccount(act.clone())),
            ChangeRecord::Unreadable => leave(LeaveReason::UnreadableRecord),
            ChangeRecord::Absent => self.judge_unrecorded(&account, row),
        }
    }

    fn judge_recorded(&self, account: &Account, act: &StateChange) -> Adoption {
        if is_undone_since(&account.unblocked_by, act.at) {
            return Adoption::Leave(LeaveReason::UnblockedSince);
        }
        self.unless_too_late(AdoptableBlock {
            record: Some(act.clone()),
            at: Some(act.at),
        })
    }

    /// Nobody knows when an unrecorded block was made, so any unblock may be later.
    fn judge_unrecorded(&self, account: &Account, row: &gitlab::User) -> Adoption {
        let marked = self.mark.as_ref().and_then(|key| {
            let mut attributes = row.custom_attributes.iter();
            attributes.find(|attribute| attribute.key == *key)
        });
        let Some(mark) = marked else {
            return Adoption::Leave(LeaveReason::NoRecord);
        };
        if account.unblocked_by != ChangeRecord::Absent {
            return Adoption::Leave(LeaveReason::UnblockedSince);
        }
        self.unless_too_late(AdoptableBlock {
            record: None,
            at: read_time(&mark.value),
        })
    }

    fn unless_too_late(&self, block: AdoptableBlock) -> Adoption {
        let in_time = self
            .before
            .is_none_or(|before| block.at.is_some_and(|at| at < before));
        if in_time {
            Adoption::Adopt(block)
        } else {
            Adoption::Leave(LeaveReason::NotBefore)
        }
    }

    /// The marker that makes `block` this service's own, as part of `run`.
    pub fn marker(&self, block: &AdoptableBlock, now: Timestamp, run: &str) -> Marker {
        let marker = Marker::new(ADOPTED, block.at.unwrap_or(now), run);
        match (&block.record, &self.mark) {
            (None, Some(key)) => marker.resting_on(key),
            (Some(_), _) | (None, None) => marker,
        }
    }
}

/// The time that an earlier service left in its mark, if that is what it left there.
fn read_time(value: &str) -> Option<Timestamp> {
    let value = value.trim();
    let day = || {
        let day: Date = value.parse().ok()?;
        Some(day.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp())
    };
    value.parse().ok().or_else(day)
}
