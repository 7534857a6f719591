//! Where it is decided that an account is blocked, unblocked or kept: one pure, total function.

use std::fmt;

use jiff::{Span, Timestamp, ToSpan, civil::Date, tz::TimeZone};

use super::{
    account::{Account, AccountId, AccountState, LastSeen},
    class::{Class, Classes},
    ownership::{block_is_ours, is_lifted_without_record},
};
use crate::{directory::Standing, messaging::wire::Planned};

/// Everything a decision depends on, but for the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whose account it is.
    pub class: Class,
    /// Its state in GitLab.
    pub state: AccountState,
    /// Whether it is blocked by this service.
    pub ours: bool,
    /// That it was, until an identity provider lifted the block.
    pub lifted: Option<Box<Lifted>>,
    /// The latest sign of life; decides for external accounts.
    pub last_seen: LastSeen,
    /// What the directory says; decides for members.
    pub standing: Standing,
}

/// An account that is active although this service blocked it, and nobody is on record as having
/// unblocked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifted {
    /// Who may have: the providers of its identities, such as `saml, scim`.
    pub by: String,
    /// The days on which we blocked it again.
    pub again: Vec<Date>,
}

impl Lifted {
    fn of(account: &Account, own: AccountId) -> Option<Box<Self>> {
        let marker = account.marker.as_ref()?;
        let day = |at: &Timestamp| at.to_zoned_datetime(TimeZone::UTC).date();
        is_lifted_without_record(account, own).then(|| {
            Box::new(Self {
                by: account
                    .providers()
                    .into_iter()
                    .collect::<Vec<_>>()
                    .join(", "),
                again: marker.again.iter().map(day).collect(),
            })
        })
    }

    /// Whether it was blocked again as often as it may be.
    fn is_enough(&self, today: Date) -> bool {
        let counts = |day: &&Date| day.saturating_add(FIGHT_DAYS.days()) > today;
        self.again.iter().filter(counts).count() >= FIGHT_ROUNDS
    }
}

/// An account whose block an identity provider lifts is blocked again so often…
pub const FIGHT_ROUNDS: usize = 3;
/// …in so many days.
pub const FIGHT_DAYS: i32 = 7;

impl Facts {
    /// The facts of one account that was just read.
    pub fn of(account: &Account, classes: &Classes, own: AccountId, standing: Standing) -> Self {
        Self {
            class: classes.classify(account, own),
            state: account.state,
            ours: block_is_ours(account, own),
            lifted: Lifted::of(account, own),
            last_seen: account.last_seen(own),
            standing,
        }
    }
}

/// The configured part of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Calendar months without activity after which an external account is inactive.
    pub inactive_months: u32,
}

/// What is to be done with an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Block it.
    Block(BlockReason),
    /// Unblock it.
    Unblock(UnblockReason),
    /// Leave it as it is.
    Keep(KeepReason),
}

/// A decision that changes the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountChange {
    /// Block it.
    Block(BlockReason),
    /// Unblock it.
    Unblock(UnblockReason),
}

impl From<AccountChange> for Decision {
    fn from(change: AccountChange) -> Self {
        match change {
            AccountChange::Block(reason) => Self::Block(reason),
            AccountChange::Unblock(reason) => Self::Unblock(reason),
        }
    }
}

impl From<Decision> for Planned {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Block(_) => Self::Block,
            Decision::Unblock(_) => Self::Unblock,
            Decision::Keep(_) => Self::Keep,
        }
    }
}

/// Why an account is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockReason {
    /// The directory says the person is no longer a member.
    CancelledInLookup,
    /// An external account without a sign of life for too long.
    Inactive,
    /// One of these two still, and an identity provider has lifted our block of it.
    UnblockedByIdentityProvider,
}

/// Why an account is unblocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnblockReason {
    /// The directory says the person is a member, and it was we who blocked.
    NoLongerCancelled,
}

/// Why an account is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeepReason {
    /// A member in good standing who can sign in.
    Current,
    /// What should be blocked is blocked, by whomever.
    AlreadyBlocked,
    /// A member in good standing whom somebody else blocked.
    BlockedByAnother,
    /// The directory gave no explicit answer about this person.
    NotInLookup,
    /// An external account seen since.
    Active,
    /// An external account whose activity could not be read.
    ActivityUnknown,
    /// An operator or administrator exempted it.
    Exempt,
    /// Not a person's account.
    NotHuman,
    /// Nobody we know.
    OutOfScope,
    /// LDAP's, an abuse team's or an approver's business, or a state we do not know.
    StateOwnedElsewhere,
    /// It should be blocked, and an identity provider has lifted our block again and again: a
    /// person has to settle it.
    UnblockedByIdentityProvider,
}

/// Decides what is to be done with an account on the day `today` (UTC).
///
/// Total: every combination of facts has exactly one answer. An unknown standing or an unknown
/// activity is never a reason to write.
pub fn decide(facts: &Facts, policy: Policy, today: Date) -> Decision {
    match &facts.class {
        Class::Exempt => Decision::Keep(KeepReason::Exempt),
        Class::NotHuman => Decision::Keep(KeepReason::NotHuman),
        Class::OutOfScope => Decision::Keep(KeepReason::OutOfScope),
        Class::Member(_) => decide_member(facts, today),
        Class::External => decide_external(facts, policy, today),
    }
}

fn decide_member(facts: &Facts, today: Date) -> Decision {
    match (facts.state, facts.standing) {
        (state, _) if is_owned_elsewhere(state) => Decision::Keep(KeepReason::StateOwnedElsewhere),
        (_, Standing::Unknown) => Decision::Keep(KeepReason::NotInLookup),
        (AccountState::Blocked, Standing::Cancelled) => Decision::Keep(KeepReason::AlreadyBlocked),
        (AccountState::Blocked, Standing::Current) if facts.ours => {
            Decision::Unblock(UnblockReason::NoLongerCancelled)
        }
        (AccountState::Blocked, Standing::Current) => Decision::Keep(KeepReason::BlockedByAnother),
        (_, Standing::Cancelled) => block(facts, BlockReason::CancelledInLookup, today),
        (_, Standing::Current) => Decision::Keep(KeepReason::Current),
    }
}

fn decide_external(facts: &Facts, policy: Policy, today: Date) -> Decision {
    match (facts.state, facts.last_seen) {
        (state, _) if is_owned_elsewhere(state) => Decision::Keep(KeepReason::StateOwnedElsewhere),
        (AccountState::Blocked, _) => Decision::Keep(KeepReason::AlreadyBlocked),
        (_, LastSeen::Unknown) => Decision::Keep(KeepReason::ActivityUnknown),
        (_, LastSeen::On(day)) if is_inactive(day, policy, today) => {
            block(facts, BlockReason::Inactive, today)
        }
        (_, LastSeen::On(_)) => Decision::Keep(KeepReason::Active),
    }
}

/// A block that is due for `reason`. A directory that says "cancelled" and an identity provider
/// that says "active" would fight for ever: after some rounds a person has to say who is right.
fn block(facts: &Facts, reason: BlockReason, today: Date) -> Decision {
    match &facts.lifted {
        None => Decision::Block(reason),
        Some(lifted) if lifted.is_enough(today) => {
            Decision::Keep(KeepReason::UnblockedByIdentityProvider)
        }
        Some(_) => Decision::Block(BlockReason::UnblockedByIdentityProvider),
    }
}

/// Whether somebody or something else has the say over accounts in this state.
const fn is_owned_elsewhere(state: AccountState) -> bool {
    match state {
        AccountState::Active | AccountState::Deactivated | AccountState::Blocked => false,
        AccountState::LdapBlocked
        | AccountState::Banned
        | AccountState::BlockedPendingApproval
        | AccountState::Unrecognised => true,
    }
}

/// Whether the day has come on which an account last seen on that day becomes inactive.
fn is_inactive(last_seen: Date, policy: Policy, today: Date) -> bool {
    policy
        .inactive_on(last_seen)
        .is_some_and(|due| due <= today)
}

impl Policy {
    /// The day on which an external account becomes inactive if it is not seen again: the calendar
    /// months after `last_seen`. 29 February plus 24 months is 28 February. `None` where no calendar
    /// holds the day: it never comes.
    pub fn inactive_on(self, last_seen: Date) -> Option<Date> {
        let months = Span::new().try_months(self.inactive_months).ok()?;
        last_seen.checked_add(months).ok()
    }
}

impl Decision {
    /// `block`, `unblock` or `keep`.
    pub const fn action(self) -> &'static str {
        match self {
            Self::Block(_) => "block",
            Self::Unblock(_) => "unblock",
            Self::Keep(_) => "keep",
        }
    }

    /// The reason's name in records, markers and tables.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Block(reason) => reason.as_str(),
            Self::Unblock(UnblockReason::NoLongerCancelled) => "no_longer_cancelled",
            Self::Keep(reason) => reason.as_str(),
        }
    }

    /// Whether it changes GitLab.
    pub const fn is_change(self) -> bool {
        self.change().is_some()
    }

    /// The change, unless the account is kept.
    pub const fn change(self) -> Option<AccountChange> {
        match self {
            Self::Block(reason) => Some(AccountChange::Block(reason)),
            Self::Unblock(reason) => Some(AccountChange::Unblock(reason)),
            Self::Keep(_) => None,
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.action(), self.reason())
    }
}

impl BlockReason {
    /// The name in records and markers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CancelledInLookup => "cancelled_in_lookup",
            Self::Inactive => "inactive",
            Self::UnblockedByIdentityProvider => "unblocked_by_identity_provider",
        }
    }
}

impl KeepReason {
    /// The name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::AlreadyBlocked => "already_blocked",
            Self::BlockedByAnother => "blocked_by_another",
            Self::NotInLookup => "not_in_lookup",
            Self::Active => "active",
            Self::ActivityUnknown => "activity_unknown",
            Self::Exempt => "exempt",
            Self::NotHuman => "not_human",
            Self::OutOfScope => "out_of_scope",
            Self::StateOwnedElsewhere => "state_owned_elsewhere",
            Self::UnblockedByIdentityProvider => "unblocked_by_identity_provider",
        }
    }
}
