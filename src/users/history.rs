//! What happened to accounts: who was blocked and unblocked, when, why, and by which run.
//!
//! Three sources tell of it, each in its own way and none of all: what GitLab keeps on the accounts,
//! its audit events, and the outcomes of this service. [`merged`] makes one entry of what several
//! tell of the same change.

mod audited;
mod merge;
mod recorded;
mod reported;
#[cfg(test)]
mod tests;

pub use audited::{AuditTrail, Authors, read_audit_events};
pub use merge::merged;
pub use recorded::{RecordedHistory, recorded};
pub use reported::reported;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{account::AccountId, block_record::Blocker, ownership::SAME_BLOCK};

/// One thing that happened, as far as it is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When; `None` where nobody recorded it.
    pub at: Option<Timestamp>,
    /// Of one without a time: what it came after.
    pub after: Option<Timestamp>,
    /// To whom; `None` of a whole run.
    pub account: Option<NamedAccount>,
    /// What.
    pub event: HistoryEvent,
    /// Who did it.
    pub by: Blocker,
    /// Why, as this service says it.
    pub reason: Option<String>,
    /// In which run of this service.
    pub run: Option<String>,
    /// One line for people.
    pub detail: Option<String>,
    /// Who tells of it.
    pub sources: BTreeSet<HistorySource>,
}

/// The accounts whose doings are this service's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccounts {
    /// The token's own account.
    pub own: AccountId,
    /// Those that the service used before, and those of its predecessors.
    pub former: Vec<AccountId>,
}

impl ServiceAccounts {
    /// `id`, or the service's own account where it is one that came before.
    fn present(&self, id: AccountId) -> AccountId {
        if self.former.contains(&id) {
            self.own
        } else {
            id
        }
    }
}

/// An account by both its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedAccount {
    /// GitLab's id.
    pub id: AccountId,
    /// The username.
    pub username: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HistoryEvent {
    /// The account was blocked.
    Blocked,
    /// It was unblocked.
    Unblocked,
    /// It was banned.
    Banned,
    /// The ban was lifted.
    Unbanned,
    /// It is dormant.
    Deactivated,
    /// This service was about to block it; whether it did is not on record.
    BlockAttempted,
    /// GitLab refused to block it in the state it was in.
    BlockRefused,
    /// GitLab refused to unblock it in the state it was in.
    UnblockRefused,
    /// A run was refused and changed nothing.
    RunRefused,
}

impl HistoryEvent {
    /// The word in results.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Unblocked => "unblocked",
            Self::Banned => "banned",
            Self::Unbanned => "unbanned",
            Self::Deactivated => "deactivated",
            Self::BlockAttempted => "block_attempted",
            Self::BlockRefused => "block_refused",
            Self::UnblockRefused => "unblock_refused",
            Self::RunRefused => "run_refused",
        }
    }
}

/// Who tells of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HistorySource {
    /// What GitLab keeps on the account: its state, its record of the last block and unblock, and
    /// the marker of this service.
    GitLab,
    /// GitLab's audit events.
    Audit,
    /// The outcomes of this service.
    Outcome,
}

impl HistorySource {
    /// The word in results.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GitLab => "gitlab",
            Self::Audit => "audit",
            Self::Outcome => "outcome",
        }
    }
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// From then on.
    pub since: Option<Timestamp>,
    /// Of this run alone.
    pub run: Option<String>,
    /// Of this account alone.
    pub account: Option<AccountId>,
}

impl HistoryFilter {
    /// Whether an entry is wanted. One without a time is where it came after something that is.
    pub fn admits(&self, entry: &HistoryEntry) -> bool {
        self.admits_run(entry) && self.admits_account(entry) && is_since(entry, self.since)
    }

    /// Whether an entry is needed before merging: what is told of the same change may lie a little
    /// before the others' time, or have none, and the run is one source's to tell.
    pub fn may_admit(&self, entry: &HistoryEntry) -> bool {
        let since = self
            .since
            .map(|since| since.checked_sub(SAME_BLOCK).unwrap_or(Timestamp::MIN));
        self.admits_account(entry) && (entry.at.is_none() || is_since(entry, since))
    }

    /// Whether an entry is left out because nobody knows since when.
    pub fn leaves_out_for_time(&self, entry: &HistoryEntry) -> bool {
        entry.at.is_none() && self.run.is_none() && !is_since(entry, self.since)
    }

    fn admits_run(&self, entry: &HistoryEntry) -> bool {
        self.run.is_none() || self.run == entry.run
    }

    fn admits_account(&self, entry: &HistoryEntry) -> bool {
        let id = entry.account.as_ref().map(|account| account.id);
        self.account.is_none() || self.account == id
    }
}

fn is_since(entry: &HistoryEntry, since: Option<Timestamp>) -> bool {
    since.is_none_or(|since| entry.at.or(entry.after).is_some_and(|at| at >= since))
}
