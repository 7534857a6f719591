//! The people and accounts that the simulated servers start with: made from a seed, or read from
//! files.
//!
//! Each account that is made carries its expected end, written down from how it was made. No
//! deciding code is asked, so that a mistake there cannot agree with itself. The ends hold for the
//! default configuration.

mod builder;
mod bulk;
mod check;
mod draft;
mod externals;
mod files;
mod members;
mod odd;
mod recording;
mod service_accounts;

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{
    gitlab::{SimulatedToken, SimulatedUser},
    lookup::SimulatedPerson,
};

pub use check::{Expected, ExpectedReason, Mismatch};
pub use files::PopulationFileError;

use builder::PopulationBuilder;
use draft::AccountDraft;

/// Accounts of GitLab, people of Lookup, and what is to become of each account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Population {
    accounts: Vec<SimulatedUser>,
    people: Vec<SimulatedPerson>,
    expected: BTreeMap<u64, Expected>,
    origins: BTreeMap<u64, Origin>,
    tokens: BTreeMap<String, SimulatedToken>,
}

/// How an account was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The name of the case, such as `member_cancelled`.
    pub case: &'static str,
    /// Who it stands for.
    pub class: AccountClass,
}

/// Who an account stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountClass {
    /// A member of the university, present or former.
    Member,
    /// An `external-` account.
    External,
    /// Robots, group administrators, GitLab's own accounts, odd names.
    Other,
}

/// How many there are, and how many changes are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accounts in GitLab.
    pub accounts: usize,
    /// People in Lookup.
    pub people: usize,
    /// Accounts due to be blocked.
    pub blocks: usize,
    /// Accounts due to be unblocked.
    pub unblocks: usize,
    /// Accounts to be left alone.
    pub untouched: usize,
}

impl Population {
    /// `users` accounts, the same for the same arguments.
    ///
    /// About 80 % are members, 12 % external and 8 % others, in every class and state of the
    /// decision table; each edge case is there once from 100 accounts on, and the more important of
    /// them as far as they fit below. With 50 accounts or more, the changes due stay inside the
    /// default guard whatever the seed: 9 blocks or 0.8 % of the accounts, 4 unblocks or 0.2 %,
    /// whichever is more. At least the service's own account is there.
    pub fn generate(users: usize, seed: u64, today: Date) -> Self {
        let mut builder = PopulationBuilder::new(seed, today);
        let mut drafts = vec![
            service_accounts::own_account(&mut builder),
            service_accounts::administrator(&mut builder),
        ];
        drafts.extend(edge_cases(&mut builder));
        drafts.truncate(users.max(1));
        bulk::fill(&mut builder, &mut drafts, users);
        let strangers = builder.strangers(users / 4);
        Self::number(&mut builder, drafts, strangers)
    }

    /// Gives the first two accounts the ids 1 and 2, and the others ids in an order that says
    /// nothing, with gaps.
    fn number(
        builder: &mut PopulationBuilder,
        mut drafts: Vec<AccountDraft>,
        strangers: Vec<SimulatedPerson>,
    ) -> Self {
        if let Some(rest) = drafts.get_mut(2..) {
            builder.shuffle(rest);
        }
        let mut population = Self {
            people: strangers,
            ..Self::default()
        };
        let mut id = 0;
        for (position, draft) in drafts.into_iter().enumerate() {
            id += if position < 2 { 1 } else { builder.gap() };
            population.admit(id, draft);
        }
        population
    }

    fn admit(&mut self, id: u64, draft: AccountDraft) {
        let AccountDraft {
            case,
            class,
            account,
            people,
            expected,
        } = draft;
        self.expected.insert(id, expected);
        self.origins.insert(id, Origin { case, class });
        self.people.extend(people);
        self.accounts.push(SimulatedUser { id, ..account });
    }

    /// Adds the accounts that only a real GitLab has, behind the others: one without a personal
    /// namespace, one that does not validate, rows without `created_at`, one whose deletion is
    /// under way, one that an identity provider makes active again. The same for the same
    /// arguments.
    #[must_use]
    pub fn with_odd_accounts(mut self, today: Date) -> Self {
        let mut builder = PopulationBuilder::beside(&self, today);
        let last = self.accounts.iter().map(|account| account.id).max();
        for (id, draft) in (last.unwrap_or(0) + 1..).zip(odd::cases(&mut builder)) {
            self.admit(id, draft);
        }
        self
    }

    /// GitLab's accounts, by id.
    pub fn accounts(&self) -> &[SimulatedUser] {
        &self.accounts
    }

    /// Lookup's people; many have no account.
    pub fn people(&self) -> &[SimulatedPerson] {
        &self.people
    }

    /// GitLab's tokens by their secret, beside those that are always there.
    pub fn tokens(&self) -> &BTreeMap<String, SimulatedToken> {
        &self.tokens
    }

    /// What is to become of each account; empty for a population read from files.
    pub fn expected(&self) -> &BTreeMap<u64, Expected> {
        &self.expected
    }

    /// How each account was made; empty for a population read from files.
    pub fn origins(&self) -> &BTreeMap<u64, Origin> {
        &self.origins
    }

    /// How many there are, and how many changes are due.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            accounts: self.accounts.len(),
            people: self.people.len(),
            ..Counts::default()
        };
        for expected in self.expected.values() {
            match expected {
                Expected::Blocked { .. } | Expected::Contested { .. } => counts.blocks += 1,
                Expected::Unblocked => counts.unblocks += 1,
                Expected::Untouched | Expected::Refused => counts.untouched += 1,
            }
        }
        counts
    }
}

/// Every edge case once, the kinds mixed, so that a small population has some of each.
fn edge_cases(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    let mut members = members::cases(builder).into_iter();
    let mut externals = externals::cases(builder).into_iter();
    let mut service_accounts = service_accounts::cases(builder).into_iter();
    let mut mixed = Vec::new();
    loop {
        let before = mixed.len();
        mixed.extend(members.by_ref().take(3));
        mixed.extend(externals.next());
        mixed.extend(service_accounts.next());
        if mixed.len() == before {
            return mixed;
        }
    }
}
