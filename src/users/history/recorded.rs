//! What GitLab keeps on an account: two records, a state, and our marker.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{HistoryEntry, HistoryEvent, HistorySource, NamedAccount, ServiceAccounts};
use crate::users::{
    account::{Account, AccountId, AccountState},
    adoption::ADOPTED,
    block_record::{BlockRecord, Blocker},
    ownership::{
        ChangeRecord, StateChange, is_lifted_without_record, is_undone_since, our_last_block,
    },
    policy::BlockReason,
};

/// What one account tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedHistory {
    /// What happened, in no order.
    pub entries: Vec<HistoryEntry>,
    /// How many of its records cannot be read.
    pub unreadable: usize,
}

/// What is on record on `account`, as it was read. What former accounts of the service and its
/// predecessors did is theirs here, but for blocks that the marker proves.
pub fn recorded(account: &Account, service: &ServiceAccounts) -> RecordedHistory {
    let ServiceAccounts { own, former } = service;
    let recognised = account.clone().recognising(former, *own);
    let records = [&account.blocked_by, &account.unblocked_by];
    let entries = [
        block(account, &recognised, *own),
        unblock(account, *own),
        in_force(&recognised, *own),
    ];
    RecordedHistory {
        entries: entries
            .into_iter()
            .flatten()
            .chain(attempts(&recognised, *own))
            .collect(),
        unreadable: records
            .into_iter()
            .filter(|record| matches!(record, ChangeRecord::Unreadable))
            .count(),
    }
}

fn entry(account: &Account, event: HistoryEvent, by: Blocker) -> HistoryEntry {
    HistoryEntry {
        at: None,
        after: None,
        account: Some(NamedAccount {
            id: account.id,
            username: account.username.clone(),
        }),
        event,
        by,
        reason: None,
        run: None,
        detail: None,
        sources: BTreeSet::from([HistorySource::GitLab]),
    }
}

fn by_account(act: &StateChange) -> Blocker {
    Blocker::Account {
        id: act.by,
        username: act.username.clone(),
    }
}

/// The last block. It is this service's with the marker alone: anybody may have used its token. One
/// that was adopted is its maker's.
fn block(account: &Account, recognised: &Account, own: AccountId) -> Option<HistoryEntry> {
    let ChangeRecord::By(act) = &account.blocked_by else {
        return None;
    };
    let marker = our_last_block(recognised, own).and(account.marker.as_ref());
    let made = marker.filter(|marker| marker.reason != ADOPTED);
    let by = made.map_or_else(|| by_account(act), |_| Blocker::ThisService);
    Some(HistoryEntry {
        at: Some(act.at),
        reason: marker.map(|marker| marker.reason.clone()),
        run: marker.map(|marker| marker.run.clone()),
        ..entry(account, HistoryEvent::Blocked, by)
    })
}

fn unblock(account: &Account, own: AccountId) -> Option<HistoryEntry> {
    let ChangeRecord::By(act) = &account.unblocked_by else {
        return None;
    };
    let by = if act.by == own {
        Blocker::ThisService
    } else {
        by_account(act)
    };
    Some(HistoryEntry {
        at: Some(act.at),
        ..entry(account, HistoryEvent::Unblocked, by)
    })
}

/// How the account came into the state it is in, where that is not on record: it was after all that
/// is.
fn in_force(account: &Account, own: AccountId) -> Option<HistoryEntry> {
    let (event, by) = match account.state {
        AccountState::Blocked | AccountState::LdapBlocked => {
            let block = BlockRecord::of(account, own).filter(|block| block.since.is_none())?;
            (HistoryEvent::Blocked, maker(block.by))
        }
        AccountState::Banned => (HistoryEvent::Banned, Blocker::Nobody),
        AccountState::Deactivated => (HistoryEvent::Deactivated, Blocker::Nobody),
        AccountState::Active => (HistoryEvent::Unblocked, lifted_by(account, own)?),
        AccountState::BlockedPendingApproval | AccountState::Unrecognised => return None,
    };
    Some(HistoryEntry {
        after: last_recorded(account),
        ..entry(account, event, by)
    })
}

/// Who made a block without a record: one that is this service's was adopted.
fn maker(by: Blocker) -> Blocker {
    match by {
        Blocker::ThisService => Blocker::Nobody,
        by @ (Blocker::Account { .. } | Blocker::IdentityProvider | Blocker::Nobody) => by,
    }
}

/// Who may have lifted a block of which GitLab has no end on record.
fn lifted_by(account: &Account, own: AccountId) -> Option<Blocker> {
    let ChangeRecord::By(act) = &account.blocked_by else {
        return None;
    };
    if is_undone_since(&account.unblocked_by, act.at) {
        return None;
    }
    Some(if is_lifted_without_record(account, own) {
        Blocker::IdentityProvider
    } else {
        Blocker::Nobody
    })
}

fn last_recorded(account: &Account) -> Option<Timestamp> {
    let at = |record: &ChangeRecord| match record {
        ChangeRecord::By(act) => Some(act.at),
        ChangeRecord::Absent | ChangeRecord::Unreadable => None,
    };
    at(&account.blocked_by).max(at(&account.unblocked_by))
}

/// Blocks that this service was about to make and that GitLab's record, which is of the last block
/// alone, does not confirm. A marker of an adopted block was no attempt.
fn attempts(account: &Account, own: AccountId) -> Vec<HistoryEntry> {
    let marker = account.marker.as_ref();
    let Some(marker) = marker.filter(|marker| marker.reason != ADOPTED) else {
        return Vec::new();
    };
    let attempt = |at: Timestamp, reason: &str, run: Option<&String>| HistoryEntry {
        at: Some(at),
        reason: Some(reason.to_owned()),
        run: run.cloned(),
        ..entry(account, HistoryEvent::BlockAttempted, Blocker::ThisService)
    };
    let last = our_last_block(account, own)
        .is_none()
        .then(|| attempt(marker.at, &marker.reason, Some(&marker.run)));
    let again = marker.again.iter().filter(|at| **at != marker.at);
    let lifted = BlockReason::UnblockedByIdentityProvider.as_str();
    let again = again.map(|at| attempt(*at, lifted, None));
    last.into_iter().chain(again).collect()
}
