//! Personal access tokens.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A personal access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SimulatedToken {
    /// `id`, of the token itself.
    pub id: u64,
    /// `name`
    pub name: String,
    /// The account it belongs to.
    pub user_id: u64,
    /// Whether it has administrator's rights, as far as its owner has: false is a token without the
    /// scope `admin_mode` where Admin Mode is on.
    pub admin: bool,
    /// With a number, the rights of an administrator end after so many more requests.
    pub admin_for: Option<u64>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// `scopes`
    pub scopes: Vec<String>,
    /// `expires_at`; it is refused from that day on.
    pub expires_at: Option<Date>,
}

/// What a person may change on a token; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenChange {
    /// [`SimulatedToken::user_id`]
    pub user_id: Option<u64>,
    /// [`SimulatedToken::admin`]; also ends a running `admin_for`.
    pub admin: Option<bool>,
    /// [`SimulatedToken::admin_for`]
    pub admin_for: Option<u64>,
    /// [`SimulatedToken::revoked`]
    pub revoked: Option<bool>,
    /// [`SimulatedToken::scopes`]
    pub scopes: Option<Vec<String>>,
    /// [`SimulatedToken::expires_at`]
    pub expires_at: Option<Date>,
}

/// The tokens by their secret.
pub(super) type TokenStore = BTreeMap<String, SimulatedToken>;

impl SimulatedToken {
    /// A token of `user_id` that never expires.
    pub fn new(user_id: u64, admin: bool) -> Self {
        let scopes = if admin {
            vec!["api".to_owned(), "admin_mode".to_owned()]
        } else {
            vec!["api".to_owned()]
        };
        Self {
            id: user_id,
            name: super::OWNER.to_owned(),
            user_id,
            admin,
            admin_for: None,
            revoked: false,
            scopes,
            expires_at: None,
        }
    }

    pub(super) fn change(&mut self, change: TokenChange) {
        let TokenChange {
            user_id,
            admin,
            admin_for,
            revoked,
            scopes,
            expires_at,
        } = change;
        self.user_id = user_id.unwrap_or(self.user_id);
        if admin.is_some() {
            self.admin_for = None;
        }
        self.admin = admin.unwrap_or(self.admin);
        self.admin_for = admin_for.or(self.admin_for);
        self.revoked = revoked.unwrap_or(self.revoked);
        self.scopes = scopes.unwrap_or_else(|| std::mem::take(&mut self.scopes));
        self.expires_at = expires_at.or(self.expires_at);
    }

    /// Counts one request, and says whether it still has administrator's rights.
    pub(super) fn spend(&mut self) -> bool {
        match &mut self.admin_for {
            Some(0) => self.admin = false,
            Some(left) => *left -= 1,
            None => {}
        }
        self.admin
    }
}
