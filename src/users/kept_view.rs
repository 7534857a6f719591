//! What the last sweep saw, kept in memory: a light sweep reads exactly only what differs from it.

use std::time::Duration;

use super::{
    account::AccountId,
    sweep::{Sweep, SweptAccount},
};
use crate::{gitlab::Unreadable, moment::Moment};

/// All accounts as they were seen last. Nothing of it is stored: a process that starts begins with
/// a full sweep.
#[derive(Debug)]
pub(super) struct KeptView {
    /// When the full sweep began by which the parts were read that a light one cannot see.
    full: Moment,
    own: AccountId,
    /// By ascending id.
    accounts: Vec<SweptAccount>,
    unreadable: Vec<Unreadable>,
}

impl KeptView {
    /// What a full sweep saw that began at `full`.
    pub(super) fn of(sweep: &Sweep, full: Moment) -> Self {
        Self {
            full,
            own: sweep.own,
            accounts: sweep.accounts.clone(),
            unreadable: sweep.unreadable.clone(),
        }
    }

    /// The same after a light sweep.
    pub(super) fn after(&self, sweep: &Sweep) -> Self {
        Self::of(sweep, self.full)
    }

    /// How long ago everything was read exactly.
    pub(super) fn age(&self) -> Duration {
        self.full.age()
    }

    /// The token's own account.
    pub(super) const fn own(&self) -> AccountId {
        self.own
    }

    /// The account as it was seen last.
    pub(super) fn account(&self, id: AccountId) -> Option<&SweptAccount> {
        let place = self
            .accounts
            .binary_search_by_key(&id, |account| account.id);
        place.ok().and_then(|place| self.accounts.get(place))
    }

    /// Why GitLab could not show the account at the last full sweep, if it could not.
    pub(super) fn unreadable(&self, id: AccountId) -> Option<&Unreadable> {
        self.unreadable.iter().find(|account| account.id == id.0)
    }

    /// Every account that was seen.
    pub(super) fn ids(&self) -> impl Iterator<Item = AccountId> {
        self.accounts.iter().map(|account| account.id)
    }

    /// The accounts that a full `sweep` shows to be another kind of account than was known, with
    /// nothing else to tell it by: what light sweeps could not see.
    pub(super) fn unseen(&self, sweep: &Sweep) -> Vec<AccountId> {
        let changed = |now: &&SweptAccount| {
            self.account(now.id).is_some_and(|before| {
                before.username == now.username && before.facts.class != now.facts.class
            })
        };
        let changed = sweep.accounts.iter().filter(changed);
        changed.map(|account| account.id).collect()
    }
}
