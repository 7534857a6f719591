//! What GitLab's audit events tell.

use std::collections::{BTreeMap, BTreeSet};

use super::{HistoryEntry, HistoryEvent, HistorySource, NamedAccount};
use crate::{
    gitlab::{self, AuditAction, AuditAnswer, AuditEvent, AuditScope},
    upstream::CallError,
    users::{account::AccountId, block_record::Blocker},
};

/// Pages that are read at most, of a hundred events each, changes of accounts' states or not.
const MOST_PAGES: usize = 100;
/// Authors who are looked up at most: there are as many administrators as that, or fewer.
const MOST_AUTHORS: usize = 20;

/// What was read of the audit events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditTrail {
    /// GitLab has none for this token; with the status of its answer.
    Unavailable(u16),
    /// These.
    Read {
        /// The changes of accounts' states.
        events: Vec<AuditEvent>,
        /// How many events tell too little to be used.
        unreadable: usize,
        /// Whether these are all.
        complete: bool,
    },
}

/// Reads the audit events of `scope`; `progress` is told how many pages were read.
///
/// # Errors
/// When GitLab gave no usable answer.
pub async fn read_audit_events(
    gitlab: &gitlab::Client,
    scope: AuditScope,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<AuditTrail, CallError> {
    let (mut events, mut unreadable) = (Vec::new(), 0);
    let mut cursor: Option<String> = None;
    for pages in 1..=MOST_PAGES {
        let page = match gitlab.audit_events(scope, cursor.as_deref()).await? {
            AuditAnswer::Unavailable(status) => return Ok(AuditTrail::Unavailable(status)),
            AuditAnswer::Page(page) => page,
        };
        events.extend(page.events);
        unreadable += page.unreadable;
        progress(pages);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(AuditTrail::Read {
        events,
        unreadable,
        complete: cursor.is_none(),
    })
}

/// The usernames of accounts that did something: audit events have ids alone.
#[derive(Clone, Debug, Default)]
pub struct Authors {
    names: BTreeMap<AccountId, String>,
}

impl Authors {
    /// Remembers an account that was read.
    pub fn insert(&mut self, id: AccountId, username: &str) {
        self.names.insert(id, username.to_owned());
    }

    /// Looks up who is not known yet, as far as that is a few. Who cannot be shown stays an id.
    pub async fn look_up(&mut self, events: &[AuditEvent], gitlab: &gitlab::Client) {
        let authors: BTreeSet<u64> = events.iter().filter_map(|event| event.author).collect();
        let unknown = authors
            .into_iter()
            .filter(|id| !self.names.contains_key(&AccountId(*id)));
        for id in unknown.take(MOST_AUTHORS).collect::<Vec<_>>() {
            if let Ok(Ok(Some(user))) = gitlab.try_user(id).await {
                self.insert(AccountId(id), &user.username);
            }
        }
    }

    /// What `event` tells. What the token's own account did, `own`, the service did, unless another
    /// source knows better.
    pub fn entry(&self, event: &AuditEvent, own: AccountId) -> HistoryEntry {
        let (kind, by_provider) = match event.action {
            AuditAction::Blocked => (HistoryEvent::Blocked, false),
            AuditAction::BlockedByProvider => (HistoryEvent::Blocked, true),
            AuditAction::Unblocked => (HistoryEvent::Unblocked, false),
            AuditAction::Banned => (HistoryEvent::Banned, false),
            AuditAction::Unbanned => (HistoryEvent::Unbanned, false),
        };
        let by = match event.author.map(AccountId) {
            _ if by_provider => Blocker::IdentityProvider,
            None => Blocker::Nobody,
            Some(id) if id == own => Blocker::ThisService,
            Some(id) => Blocker::Account {
                id,
                username: self.name(id).into(),
            },
        };
        HistoryEntry {
            at: Some(event.at),
            after: None,
            account: Some(NamedAccount {
                id: AccountId(event.account),
                username: event.username.clone(),
            }),
            event: kind,
            by,
            reason: None,
            run: None,
            detail: None,
            sources: BTreeSet::from([HistorySource::Audit]),
        }
    }

    fn name(&self, id: AccountId) -> &str {
        self.names.get(&id).map_or("", String::as_str)
    }
}
