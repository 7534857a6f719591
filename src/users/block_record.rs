//! Who blocked an account, and when, as far as GitLab has a record of it.

use std::fmt;

use jiff::Timestamp;

use super::{
    account::{Account, AccountId, AccountState},
    ownership::{ChangeRecord, block_is_ours, is_undone_since},
};

/// The block that is in force on an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRecord {
    /// Who made it.
    pub by: Blocker,
    /// Since when, where GitLab recorded that: of bans and of what an identity provider does it
    /// keeps no time.
    pub since: Option<Timestamp>,
}

/// Who blocked an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocker {
    /// This service, as its marker and GitLab's record prove.
    ThisService,
    /// The account that GitLab recorded, by the username that it had then. Any administrator can
    /// overwrite the record.
    Account {
        /// GitLab's id.
        id: AccountId,
        /// The username.
        username: Box<str>,
    },
    /// LDAP, SAML or SCIM; GitLab does not say which.
    IdentityProvider,
    /// There is no record, or none of the block in force.
    Nobody,
}

impl BlockRecord {
    /// Of an account that is blocked or banned; `own` is the token's own account.
    pub fn of(account: &Account, own: AccountId) -> Option<Self> {
        let unrecorded = |by| Some(Self { by, since: None });
        match account.state {
            AccountState::Blocked => {}
            AccountState::Banned => return unrecorded(Blocker::Nobody),
            AccountState::LdapBlocked => return unrecorded(Blocker::IdentityProvider),
            AccountState::Active
            | AccountState::Deactivated
            | AccountState::BlockedPendingApproval
            | AccountState::Unrecognised => return None,
        }
        let ours = block_is_ours(account, own);
        let ChangeRecord::By(act) = &account.blocked_by else {
            return unrecorded(if ours {
                Blocker::ThisService
            } else {
                Blocker::Nobody
            });
        };
        if is_undone_since(&account.unblocked_by, act.at) {
            return unrecorded(Blocker::Nobody);
        }
        let by = if ours {
            Blocker::ThisService
        } else {
            Blocker::Account {
                id: act.recorded,
                username: act.username.clone(),
            }
        };
        Some(Self {
            by,
            since: Some(act.at),
        })
    }
}

impl Blocker {
    /// The name in results.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::ThisService => "this_service",
            Self::Account { .. } => "account",
            Self::IdentityProvider => "identity_provider",
            Self::Nobody => "nobody",
        }
    }

    /// The username of the account on record.
    pub fn username(&self) -> Option<&str> {
        match self {
            Self::Account { username, .. } => Some(username),
            Self::ThisService | Self::IdentityProvider | Self::Nobody => None,
        }
    }

    /// The id of the account on record.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Account { id, .. } => Some(*id),
            Self::ThisService | Self::IdentityProvider | Self::Nobody => None,
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThisService => f.write_str("this service"),
            Self::Account { id, username } => write!(f, "{username} ({id})"),
            Self::IdentityProvider => f.write_str("LDAP, SAML or SCIM"),
            Self::Nobody => f.write_str("nobody on record"),
        }
    }
}
