//! What an account is: its state, its `user_type`, who it is to an identity provider.

use serde::{Deserialize, Serialize};

/// `state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserState {
    /// May sign in.
    Active,
    /// Blocked, by a person or through the API.
    Blocked,
    /// Blocked by LDAP, SAML or SCIM.
    LdapBlocked,
    /// Dormant; signing in makes it active again.
    Deactivated,
    /// Banned.
    Banned,
    /// Signed up, not yet approved.
    BlockedPendingApproval,
    /// A state that a later GitLab may bring.
    #[serde(untagged)]
    Other(String),
}

/// GitLab's `user_type` (`app/models/concerns/has_user_type.rb`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are GitLab's own")]
pub enum Kind {
    Human,
    ServiceAccount,
    ProjectBot,
    ServiceUser,
    AlertBot,
    SupportBot,
    VisualReviewBot,
    MigrationBot,
    SecurityBot,
    AutomationBot,
    SecurityPolicyBot,
    AdminBot,
    SuggestedReviewersBot,
    LlmBot,
    DuoCodeReviewBot,
    Ghost,
    Placeholder,
    ImportUser,
    /// One that a later GitLab may bring: neither human nor known to be internal.
    #[serde(other)]
    Unknown,
}

/// One of `identities`. GitLab's own validations do not keep either key from being null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserIdentity {
    /// `provider`
    pub provider: Option<String>,
    /// `extern_uid`
    pub extern_uid: Option<String>,
    /// `saml_provider_id`, of a group's own provider.
    #[serde(default)]
    pub saml_provider_id: Option<u64>,
}

impl UserIdentity {
    /// The usual one, of an instance's own provider.
    pub fn new(provider: &str, extern_uid: &str) -> Self {
        Self {
            provider: Some(provider.to_owned()),
            extern_uid: Some(extern_uid.to_owned()),
            saml_provider_id: None,
        }
    }
}

impl Kind {
    /// What `bot` shows: not every kind that is no human is one.
    pub fn is_bot(self) -> bool {
        match self {
            Self::ServiceAccount
            | Self::ProjectBot
            | Self::AlertBot
            | Self::SupportBot
            | Self::VisualReviewBot
            | Self::MigrationBot
            | Self::SecurityBot
            | Self::AutomationBot
            | Self::SecurityPolicyBot
            | Self::AdminBot
            | Self::SuggestedReviewersBot
            | Self::LlmBot
            | Self::DuoCodeReviewBot => true,
            Self::Human
            | Self::ServiceUser
            | Self::Ghost
            | Self::Placeholder
            | Self::ImportUser
            | Self::Unknown => false,
        }
    }

    /// Accounts GitLab keeps for itself, which cannot be blocked and whose tokens are refused.
    pub fn is_internal(self) -> bool {
        match self {
            Self::AlertBot
            | Self::SupportBot
            | Self::VisualReviewBot
            | Self::MigrationBot
            | Self::SecurityBot
            | Self::AutomationBot
            | Self::SecurityPolicyBot
            | Self::AdminBot
            | Self::SuggestedReviewersBot
            | Self::LlmBot
            | Self::DuoCodeReviewBot
            | Self::Ghost
            | Self::Placeholder
            | Self::ImportUser => true,
            Self::Human
            | Self::ServiceUser
            | Self::ServiceAccount
            | Self::ProjectBot
            | Self::Unknown => false,
        }
    }
}

impl UserState {
    /// What Rails' `blocked?` says of it (`app/models/user.rb`).
    pub fn is_some_block(&self) -> bool {
        match self {
            Self::Blocked | Self::LdapBlocked | Self::Banned | Self::BlockedPendingApproval => true,
            Self::Active | Self::Deactivated | Self::Other(_) => false,
        }
    }
}
