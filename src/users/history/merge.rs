//! One entry of what several sources tell of the same change.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::SignedDuration;

use super::{HistoryEntry, HistoryEvent, HistorySource, ServiceAccounts};
use crate::users::{account::AccountId, block_record::Blocker, ownership::SAME_BLOCK};

/// The entries of all sources as one list, the newest first, those without a time last.
///
/// Two entries are the same change where they are of one account and of one kind, by the same
/// account and of the same run as far as both tell, and as near in time as a marker and GitLab's
/// record of one block. No source tells of a change twice; what an outcome repeats is left out
/// before.
pub fn merged(entries: Vec<HistoryEntry>, service: &ServiceAccounts) -> Vec<HistoryEntry> {
    let mut accounts: BTreeMap<Option<AccountId>, Vec<HistoryEntry>> = BTreeMap::new();
    for entry in without_repetitions(entries) {
        let id = entry.account.as_ref().map(|account| account.id);
        accounts.entry(id).or_default().push(entry);
    }
    let mut all: Vec<HistoryEntry> = accounts
        .into_values()
        .flat_map(|entries| of_one_account(entries, service))
        .collect();
    all.sort_by_key(|entry| {
        let id = entry.account.as_ref().map(|account| account.id);
        (Reverse(entry.at.or(entry.after)), entry.at.is_some(), id)
    });
    all
}

/// An outcome may be published twice, by a process that is killed before it acks: of one run, one
/// account and one kind the first counts.
fn without_repetitions(mut entries: Vec<HistoryEntry>) -> Vec<HistoryEntry> {
    entries.sort_by_key(|entry| entry.at);
    let mut known = BTreeSet::new();
    entries.retain(|entry| {
        let is_outcome = entry.sources.contains(&HistorySource::Outcome);
        let id = entry.account.as_ref().map(|account| account.id);
        match &entry.run {
            Some(run) if is_outcome => known.insert((run.clone(), id, entry.event)),
            Some(_) | None => true,
        }
    });
    entries
}

fn of_one_account(entries: Vec<HistoryEntry>, service: &ServiceAccounts) -> Vec<HistoryEntry> {
    let (dated, undated): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.at.is_some());
    let mut merged = join(dated, service);
    for entry in undated {
        match told_with_a_time(&entry, &mut merged) {
            Some(known) => known.sources.extend(entry.sources),
            None => merged.push(entry),
        }
    }
    merged
}

/// The entry that tells when the state came about of which `undated` tells: the last change, where
/// there is one that is the last.
fn told_with_a_time<'e>(
    undated: &HistoryEntry,
    dated: &'e mut [HistoryEntry],
) -> Option<&'e mut HistoryEntry> {
    let last = dated
        .iter()
        .filter(|entry| changes_state(entry.event))
        .map(|entry| entry.at)
        .max()?;
    let mut at_last = dated
        .iter_mut()
        .filter(|entry| changes_state(entry.event) && entry.at == last);
    let known = at_last.next()?;
    let is_alone = at_last.next().is_none();
    (is_alone && known.event == undated.event && known.at > undated.after).then_some(known)
}

const fn changes_state(event: HistoryEvent) -> bool {
    match event {
        HistoryEvent::Blocked
        | HistoryEvent::Unblocked
        | HistoryEvent::Banned
        | HistoryEvent::Unbanned
        | HistoryEvent::Deactivated => true,
        HistoryEvent::BlockAttempted
        | HistoryEvent::BlockRefused
        | HistoryEvent::UnblockRefused
        | HistoryEvent::RunRefused => false,
    }
}

/// Joins the entries of one account, the nearest in time first, so that of two blocks within minutes
/// each finds its own.
fn join(mut dated: Vec<HistoryEntry>, service: &ServiceAccounts) -> Vec<HistoryEntry> {
    dated.sort_by_key(|entry| entry.at);
    let mut pairs = near_pairs(&dated);
    pairs.sort_by_key(|(apart, ..)| *apart);
    let mut group_of: Vec<usize> = (0..dated.len()).collect();
    let mut groups: Vec<Option<HistoryEntry>> = dated.into_iter().map(Some).collect();
    for (_, one, other) in pairs {
        let (Some(&one), Some(&other)) = (group_of.get(one), group_of.get(other)) else {
            continue;
        };
        let pair = (
            groups.get(one).and_then(Option::as_ref),
            groups.get(other).and_then(Option::as_ref),
        );
        let (Some(first), Some(second)) = pair else {
            continue;
        };
        if one == other || !is_same(first, second, service) {
            continue;
        }
        let joined = joined(first, second);
        for group in &mut group_of {
            if *group == other {
                *group = one;
            }
        }
        if let Some(group) = groups.get_mut(other) {
            *group = None;
        }
        if let Some(group) = groups.get_mut(one) {
            *group = Some(joined);
        }
    }
    groups.into_iter().flatten().collect()
}

/// The pairs of entries that may be one, by their places in `dated`, with how far they lie apart.
fn near_pairs(dated: &[HistoryEntry]) -> Vec<(SignedDuration, usize, usize)> {
    let mut pairs = Vec::new();
    for (one, first) in dated.iter().enumerate() {
        for (other, second) in dated.iter().enumerate().skip(one + 1) {
            let (Some(from), Some(to)) = (first.at, second.at) else {
                continue;
            };
            let apart = to.duration_since(from);
            if apart > SAME_BLOCK {
                break;
            }
            if first.sources.is_disjoint(&second.sources) {
                pairs.push((apart, one, other));
            }
        }
    }
    pairs
}

fn is_same(one: &HistoryEntry, other: &HistoryEntry, service: &ServiceAccounts) -> bool {
    let run_differs = one.run.is_some() && other.run.is_some() && one.run != other.run;
    one.sources.is_disjoint(&other.sources)
        && event_of_both(one.event, other.event).is_some()
        && !run_differs
        && may_be_same_actor(&one.by, &other.by, service)
}

fn may_be_same_actor(one: &Blocker, other: &Blocker, service: &ServiceAccounts) -> bool {
    let account = |by: &Blocker| match by {
        Blocker::ThisService => Some(service.own),
        Blocker::Account { id, .. } => Some(service.present(*id)),
        Blocker::IdentityProvider | Blocker::Nobody => None,
    };
    let is_unknown = |by: &Blocker| matches!(by, Blocker::Nobody);
    is_unknown(one) || is_unknown(other) || account(one) == account(other)
}

/// What happened where two sources call it so; an attempt is what became of it.
fn event_of_both(one: HistoryEvent, other: HistoryEvent) -> Option<HistoryEvent> {
    use HistoryEvent::{BlockAttempted, BlockRefused, Blocked};
    match (one, other) {
        (BlockAttempted, end @ (Blocked | BlockRefused))
        | (end @ (Blocked | BlockRefused), BlockAttempted) => Some(end),
        (one, other) => (one == other).then_some(one),
    }
}

fn joined(one: &HistoryEntry, other: &HistoryEntry) -> HistoryEntry {
    // Of the time, what an audit event says is exact, and an outcome comes after.
    let exact = by_rank(one, other, &[HistorySource::Audit, HistorySource::GitLab]);
    // Of who it was, what the service says of itself is certain, and an audit event knows its token
    // alone.
    let certain = by_rank(one, other, &[HistorySource::Outcome, HistorySource::GitLab]);
    // The username that an account has now.
    let current = by_rank(one, other, &[HistorySource::GitLab, HistorySource::Audit]);
    let either =
        |of: fn(&HistoryEntry) -> &Option<String>| of(one).clone().or_else(|| of(other).clone());
    HistoryEntry {
        at: exact.at,
        after: None,
        account: current.account.clone(),
        event: event_of_both(one.event, other.event).unwrap_or(one.event),
        by: certain.by.clone(),
        reason: either(|entry| &entry.reason),
        run: either(|entry| &entry.run),
        detail: either(|entry| &entry.detail),
        sources: one.sources.union(&other.sources).copied().collect(),
    }
}

/// Whichever of two entries comes from the source that ranks first.
fn by_rank<'e>(
    one: &'e HistoryEntry,
    other: &'e HistoryEntry,
    ranks: &[HistorySource],
) -> &'e HistoryEntry {
    let tells = |source: &HistorySource| {
        let first = one.sources.contains(source).then_some(one);
        first.or_else(|| other.sources.contains(source).then_some(other))
    };
    ranks.iter().find_map(tells).unwrap_or(one)
}
