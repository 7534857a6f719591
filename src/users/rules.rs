//! The configured rules of the user pipeline, compiled once.

use jiff::SignedDuration;

use super::{
    account::{Account, AccountId},
    class::{Classes, relying_on_case},
    guard::{GuardLimits, WINDOW},
    observe,
    policy::Policy,
};
use crate::{config, gitlab};

/// Everything that configuration says about whom to change and how many.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Who is who.
    pub classes: Classes,
    /// What is decided for them.
    pub policy: Policy,
    /// The accounts that this service used before its present one, and those of its predecessors.
    pub former: Vec<AccountId>,
    /// How much a run may change.
    pub limits: GuardLimits,
    /// Percent of the members asked for that the directory must know.
    pub min_known_percent: f64,
    /// How long after it was made a plan may be applied.
    pub plan_lapses: SignedDuration,
}

impl Rules {
    /// Whether what `account` did counts as done by this service, where a marker agrees.
    pub fn recognises(&self, account: AccountId) -> bool {
        self.former.contains(&account)
    }

    /// The account of one row, with what the service did under its former names, and what its
    /// predecessors did, counted as done by `own`.
    pub fn account(&self, row: &gitlab::User, own: AccountId) -> Account {
        observe::account(row).recognising(&self.former, own)
    }

    /// Compiles the configured rules.
    ///
    /// # Errors
    /// A pattern that is not a regular expression; see [`Classes::new`].
    pub fn new(
        users: &config::UsersConfig,
        guard: &config::GuardConfig,
    ) -> Result<Self, regex::Error> {
        for pattern in relying_on_case(users) {
            tracing::warn!(
                event = "pattern_relies_on_case",
                pattern,
                "usernames and identities are compared without case, as GitLab compares them: does this pattern match \
                 who it should?"
            );
        }
        Ok(Self {
            classes: Classes::new(users)?,
            policy: Policy {
                inactive_months: users.inactive_months,
            },
            former: users
                .former_ids
                .iter()
                .chain(&users.predecessors)
                .copied()
                .map(AccountId)
                .collect(),
            limits: limits(guard),
            min_known_percent: guard.min_known_percent,
            // Configuration allows no more than the guard's window.
            plan_lapses: SignedDuration::try_from(guard.plan_lapses).unwrap_or(WINDOW),
        })
    }
}

fn limits(guard: &config::GuardConfig) -> GuardLimits {
    GuardLimits {
        max_block_percent: guard.max_block_percent,
        max_unblock_percent: guard.max_unblock_percent,
        floor: guard.floor.into(),
        max_blocks: guard.max_blocks.into(),
    }
}
