//! What an earlier service has done and what this one would do, account by account.

use jiff::civil::Date;

use super::{
    account::{AccountId, AccountState},
    block_record::Blocker,
    plan::Decided,
    policy::{Decision, Facts, Policy, decide},
};

/// How the two services judge one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agreement {
    /// The earlier service blocked it, and this one would.
    BothBlock,
    /// It is open, and this one would keep it so.
    BothOpen,
    /// The earlier service blocked it, and this one would not have.
    OnlyTheyBlock,
    /// It is open, and this one would block it.
    OnlyWeBlock,
    /// This service blocked it, or has adopted the block.
    Ours,
    /// Somebody else blocked it, or has the say over it: neither service decides.
    DecidedElsewhere,
}

impl Agreement {
    /// The word in results.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BothBlock => "both_block",
            Self::BothOpen => "both_open",
            Self::OnlyTheyBlock => "only_they_block",
            Self::OnlyWeBlock => "only_we_block",
            Self::Ours => "ours",
            Self::DecidedElsewhere => "decided_elsewhere",
        }
    }

    /// Whether they would do different things.
    pub const fn is_difference(self) -> bool {
        match self {
            Self::OnlyTheyBlock | Self::OnlyWeBlock => true,
            Self::BothBlock | Self::BothOpen | Self::Ours | Self::DecidedElsewhere => false,
        }
    }
}

/// Compares what the accounts `theirs` of an earlier service did to an account with what this
/// service would decide for it if nobody had blocked it, and why.
///
/// It rests on GitLab's record of the last block, which knows one act and no history.
pub fn compare(
    decided: &Decided,
    theirs: &[AccountId],
    policy: Policy,
    today: Date,
) -> (Agreement, Decision) {
    let facts = &decided.account.facts;
    let ours = decide(&if_open(facts), policy, today);
    let we_block = matches!(ours, Decision::Block(_));
    let agreement = match (facts.state, decided.account.block.as_deref()) {
        (AccountState::Active | AccountState::Deactivated, _) if we_block => Agreement::OnlyWeBlock,
        (AccountState::Active | AccountState::Deactivated, _) => Agreement::BothOpen,
        (AccountState::Blocked, Some(block)) if is_one_of(&block.by, theirs) => {
            if we_block {
                Agreement::BothBlock
            } else {
                Agreement::OnlyTheyBlock
            }
        }
        (AccountState::Blocked, Some(block)) if block.by == Blocker::ThisService => Agreement::Ours,
        (
            AccountState::Blocked
            | AccountState::LdapBlocked
            | AccountState::Banned
            | AccountState::BlockedPendingApproval
            | AccountState::Unrecognised,
            _,
        ) => Agreement::DecidedElsewhere,
    };
    (agreement, ours)
}

fn if_open(facts: &Facts) -> Facts {
    Facts {
        state: AccountState::Active,
        lifted: None,
        ..facts.clone()
    }
}

fn is_one_of(blocker: &Blocker, accounts: &[AccountId]) -> bool {
    blocker.account().is_some_and(|by| accounts.contains(&by))
}
