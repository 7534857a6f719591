//! What a run would do: every in-scope account with its decision, the counts, and the guard's word.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};

use super::{
    account::AccountId,
    guard::{GuardLimits, GuardRefusal, GuardTally},
    policy::{Decision, Policy, decide},
    sweep::{Sweep, SweptAccount},
};
use crate::{directory::Crsid, gitlab::Unreadable};

/// What is decided for an account that GitLab cannot show.
pub const UNREADABLE: (&str, &str) = ("keep", "account_unreadable");

/// The decisions of one run.
#[derive(Debug, Default)]
pub struct Plan {
    /// Every in-scope account, by ascending id.
    pub decided: Vec<Decided>,
    /// When the account was read that was read first.
    pub began: Timestamp,
    /// Accounts read, those out of scope included.
    pub accounts: usize,
    /// Accounts that GitLab cannot show, which are kept as they are.
    pub unreadable: Vec<Unreadable>,
    /// People whom the directory cannot show; they are unknown.
    pub unreadable_people: Vec<Crsid>,
    /// How many accounts have each decision, those out of scope and those that cannot be shown
    /// included.
    pub counts: BTreeMap<(&'static str, &'static str), u64>,
    /// What the guard counts.
    pub tally: GuardTally,
    /// How many accounts are blocked with a marker of ours by each account that is not ours.
    pub blocked_as: BTreeMap<AccountId, u64>,
}

/// One in-scope account and its decision.
#[derive(Debug)]
pub struct Decided {
    /// The account as it was swept.
    pub account: SweptAccount,
    /// What is to be done with it.
    pub decision: Decision,
}

impl Plan {
    /// Decides for every account of a sweep on the day `today` (UTC).
    pub fn of(sweep: Sweep, policy: Policy, today: Date) -> Self {
        let mut plan = Self {
            began: sweep.began,
            accounts: sweep.accounts.len(),
            unreadable: sweep.unreadable,
            unreadable_people: sweep.unreadable_people,
            ..Self::default()
        };
        for account in sweep.accounts {
            plan.add(account, policy, today);
        }
        if !plan.unreadable.is_empty() {
            let left_out = plan.unreadable.len() as u64;
            plan.counts.insert(UNREADABLE, left_out);
        }
        plan
    }

    fn add(&mut self, account: SweptAccount, policy: Policy, today: Date) {
        let decision = decide(&account.facts, policy, today);
        *self
            .counts
            .entry((decision.action(), decision.reason()))
            .or_default() += 1;
        if let Some(other) = account.blocked_as {
            *self.blocked_as.entry(other).or_default() += 1;
        }
        if account.facts.class.is_in_scope() {
            self.tally.add(account.counted, decision);
            self.decided.push(Decided { account, decision });
        }
    }

    /// Whether the run may go on.
    ///
    /// # Errors
    /// The kinds of change that are over their limit.
    pub fn check(&self, limits: &GuardLimits) -> Result<(), GuardRefusal> {
        self.tally.check(limits)
    }

    /// The accounts that would be changed.
    pub fn changes(&self) -> impl Iterator<Item = &Decided> {
        self.decided
            .iter()
            .filter(|decided| decided.decision.is_change())
    }

    /// The changes, then the rest, each by ascending id: a change takes calls, and the rest passes
    /// by meanwhile.
    pub fn changes_first(&self) -> impl Iterator<Item = &Decided> {
        let rest = |decided: &&Decided| !decided.decision.is_change();
        self.changes().chain(self.decided.iter().filter(rest))
    }

    /// How many in-scope accounts are kept as they are.
    pub fn kept(&self) -> u64 {
        self.decided.len() as u64 - self.tally.blocks.now - self.tally.unblocks.now
    }

    /// The id of every in-scope account.
    pub fn ids(&self) -> impl Iterator<Item = AccountId> {
        self.decided.iter().map(|decided| decided.account.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        directory::Standing,
        users::{
            account::{AccountState, LastSeen},
            class::Class,
            guard::{GuardFacts, PossibleChange},
            policy::{BlockReason, Facts, KeepReason, UnblockReason},
        },
    };

    fn decided(id: u64, decision: Decision) -> Decided {
        let facts = Facts {
            class: Class::External,
            state: AccountState::Active,
            ours: false,
            lifted: None,
            last_seen: LastSeen::Unknown,
            standing: Standing::Unknown,
        };
        let counted = GuardFacts {
            reach: PossibleChange::Nothing,
            recently_blocked: false,
            recently_unblocked: false,
        };
        let account = SweptAccount {
            id: AccountId(id),
            username: "external-a".into(),
            facts,
            counted,
            blocked_as: None,
            block: None,
        };
        Decided { account, decision }
    }

    #[test]
    fn changes_are_published_before_what_is_kept() {
        let plan = Plan {
            decided: vec![
                decided(1, Decision::Keep(KeepReason::Active)),
                decided(2, Decision::Block(BlockReason::Inactive)),
                decided(3, Decision::Keep(KeepReason::Active)),
                decided(4, Decision::Unblock(UnblockReason::NoLongerCancelled)),
            ],
            ..Plan::default()
        };
        let ids: Vec<u64> = plan.changes_first().map(|one| one.account.id.0).collect();
        assert_eq!(ids, [2, 4, 1, 3]);
    }
}
