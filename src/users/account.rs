//! What an account is: the facts of one row that the policy needs, free of GitLab's JSON.

use std::{collections::BTreeSet, fmt};

use jiff::civil::Date;

use super::{marker::Marker, ownership::ChangeRecord};
pub use crate::gitlab::Identity;

/// GitLab's id of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub u64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The state of an account in GitLab (`app/models/user.rb`, `state_machine :state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountState {
    /// May sign in.
    Active,
    /// Dormant; signing in activates it again.
    Deactivated,
    /// Blocked by an administrator, by this service, or by another program.
    Blocked,
    /// Blocked by LDAP, SAML or SCIM.
    LdapBlocked,
    /// Banned by an administrator.
    Banned,
    /// Signed up and not yet approved.
    BlockedPendingApproval,
    /// A state this version does not know; never acted on.
    Unrecognised,
}

impl AccountState {
    /// The state that GitLab spells `name`.
    pub fn parse(name: &str) -> Self {
        match name {
            "active" => Self::Active,
            "deactivated" => Self::Deactivated,
            "blocked" => Self::Blocked,
            "ldap_blocked" => Self::LdapBlocked,
            "banned" => Self::Banned,
            "blocked_pending_approval" => Self::BlockedPendingApproval,
            _ => Self::Unrecognised,
        }
    }

    /// GitLab's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::Blocked => "blocked",
            Self::LdapBlocked => "ldap_blocked",
            Self::Banned => "banned",
            Self::BlockedPendingApproval => "blocked_pending_approval",
            Self::Unrecognised => "unrecognised",
        }
    }

    /// Whether a block would change it: the account can sign in, now or after activating itself.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Active | Self::Deactivated)
    }
}

/// The latest sign of life of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastSeen {
    /// On that day, UTC.
    On(Date),
    /// A time was there that could not be read, or none was: never a reason to block.
    Unknown,
}

impl LastSeen {
    /// The later of two signs; one that is unknown makes the whole unknown.
    #[must_use]
    pub fn latest(self, other: Self) -> Self {
        match (self, other) {
            (Self::On(a), Self::On(b)) => Self::On(a.max(b)),
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
        }
    }
}

/// One account as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// GitLab's id.
    pub id: AccountId,
    /// The username, as GitLab spells it.
    pub username: String,
    /// The state.
    pub state: AccountState,
    /// False for bots and for what a `humans=true` listing leaves out.
    pub human: bool,
    /// Whether it is an administrator.
    pub administrator: bool,
    /// Whether the custom attribute `lookup_gitlab_sync_exempt` is set, to whatever value.
    pub exempt_attribute: bool,
    /// Its identities.
    pub identities: Vec<Identity>,
    /// What SCIM knows it by.
    pub scim_identities: Vec<String>,
    /// The latest of GitLab's own records of activity, sign-in, creation and confirmation.
    pub activity: LastSeen,
    /// What we wrote before our own last block.
    pub marker: Option<Marker>,
    /// GitLab's record of the last block through its API or interface.
    pub blocked_by: ChangeRecord,
    /// GitLab's record of the last unblock.
    pub unblocked_by: ChangeRecord,
}

impl Account {
    /// The same, with what the accounts `former` did counted as done by `own`.
    #[must_use]
    pub fn recognising(mut self, former: &[AccountId], own: AccountId) -> Self {
        for recorded in [&mut self.blocked_by, &mut self.unblocked_by] {
            if let ChangeRecord::By(act) = recorded
                && former.contains(&act.by)
            {
                act.by = own;
            }
        }
        self
    }

    /// What may make it active again without a record in GitLab: the providers of its identities,
    /// and SCIM.
    pub fn providers(&self) -> BTreeSet<&str> {
        let of_identities = self.identities.iter().map(|one| one.provider.as_str());
        let scim = self.scim_identities.iter().map(|_| "scim");
        of_identities.chain(scim).collect()
    }

    /// The latest sign of life: activity, or the last unblock by a person, which starts the time
    /// anew.
    ///
    /// `own` is the id of the token's own account, whose unblocks are not a person's.
    pub fn last_seen(&self, own: AccountId) -> LastSeen {
        match &self.unblocked_by {
            ChangeRecord::Absent => self.activity,
            ChangeRecord::By(act) if act.by == own => self.activity,
            ChangeRecord::By(act) => self.activity.latest(LastSeen::On(act.date())),
            ChangeRecord::Unreadable => LastSeen::Unknown,
        }
    }
}
