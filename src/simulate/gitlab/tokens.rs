//! Who a token is, and what it may see.

use std::collections::BTreeMap;

use axum::{
    http::{HeaderMap, StatusCode},
    response::Response,
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{answers, store::Store};

/// A personal access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Token {
    /// The account it belongs to.
    pub user_id: u64,
    /// Whether it has administrator's rights, as far as its owner has: false is a token without the scope
    /// `admin_mode` where Admin Mode is on.
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
    /// [`Token::user_id`]
    pub user_id: Option<u64>,
    /// [`Token::admin`]; also ends a running `admin_for`.
    pub admin: Option<bool>,
    /// [`Token::admin_for`]
    pub admin_for: Option<u64>,
    /// [`Token::revoked`]
    pub revoked: Option<bool>,
    /// [`Token::scopes`]
    pub scopes: Option<Vec<String>>,
    /// [`Token::expires_at`]
    pub expires_at: Option<Date>,
}

/// The caller of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) user_id: u64,
    pub(super) admin: bool,
}

/// The tokens by their secret.
pub(super) type Tokens = BTreeMap<String, Token>;

impl Token {
    /// A token of `user_id` that never expires.
    pub fn new(user_id: u64, admin: bool) -> Self {
        let scopes = if admin {
            vec!["api".to_owned(), "admin_mode".to_owned()]
        } else {
            vec!["api".to_owned()]
        };
        Self {
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
    fn spend(&mut self) -> bool {
        match &mut self.admin_for {
            Some(0) => self.admin = false,
            Some(left) => *left -= 1,
            None => {}
        }
        self.admin
    }
}

impl Store {
    /// The caller, or the answer that turns it away.
    pub(super) fn authenticate(
        &mut self,
        headers: &HeaderMap,
        today: Date,
    ) -> Result<Caller, Box<Response>> {
        let unauthorized = || {
            Box::new(answers::message(
                StatusCode::UNAUTHORIZED,
                "401 Unauthorized",
            ))
        };
        let token = secret(headers)
            .and_then(|secret| self.tokens.get_mut(secret))
            .ok_or_else(unauthorized)?;
        if token.revoked {
            return Err(Box::new(answers::invalid_token(
                "Token was revoked. You have to re-authorize from the user.",
            )));
        }
        if token.expires_at.is_some_and(|day| day <= today) {
            return Err(Box::new(answers::invalid_token(
                "Token is expired. You can either do re-authorization or token refresh.",
            )));
        }
        let (user_id, admin) = (token.user_id, token.spend());
        let owner = self.accounts.get(&user_id).ok_or_else(unauthorized)?;
        if owner.state.is_some_block() {
            return Err(Box::new(answers::message(
                StatusCode::FORBIDDEN,
                "403 Forbidden - Your account has been blocked.",
            )));
        }
        Ok(Caller {
            user_id,
            admin: admin && owner.is_admin,
        })
    }
}

/// `PRIVATE-TOKEN: x` or `Authorization: Bearer x`.
pub(super) fn secret(headers: &HeaderMap) -> Option<&str> {
    let private = headers
        .get("private-token")
        .and_then(|value| value.to_str().ok());
    let bearer = || {
        headers
            .get("authorization")?
            .to_str()
            .ok()?
            .strip_prefix("Bearer ")
    };
    private.or_else(bearer)
}
