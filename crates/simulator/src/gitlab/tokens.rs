//! Personal access tokens, and how one replaces itself.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    answers::{self, ErrorResponse},
    authorization::{self, RequiredScope},
    json::{JsonRow, respond},
    reads::ApiResult,
    request::{ApiRequest, RequestBody},
    settings::Health,
    store::GitLabStore,
};

/// So long a rotated token lasts where nobody says how long.
const USUAL_DAYS: i32 = 7;

/// A day further away was not recorded.
const LONGEST_DAYS: i32 = 365;

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
    /// The secret of the token that this one was rotated into.
    #[serde(skip)]
    pub successor: Option<String>,
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
            successor: None,
        }
    }

    /// The token as GitLab shows it.
    pub(super) fn row(&self, created_at: &str, last_used_at: Option<&str>) -> JsonRow {
        let mut row = JsonRow::default();
        row.push("id", &self.id);
        row.push("name", &self.name);
        row.push("revoked", &self.revoked);
        row.push("created_at", &created_at);
        row.push("description", &json!(null));
        row.push("scopes", &self.scopes);
        row.push("user_id", &self.user_id);
        row.push("last_used_at", &last_used_at);
        row.push("active", &true);
        row.push("expires_at", &self.expires_at);
        row
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

/// `POST /personal_access_tokens/self/rotate`. A token that was rotated before revokes all that
/// came of it: GitLab takes its second use for a thief's.
pub(super) fn rotate(
    store: &mut GitLabStore,
    call: &ApiRequest,
    url: &str,
    now: Timestamp,
) -> ApiResult {
    if let Some(secret) = authorization::secret(call) {
        revoke_successors(&mut store.tokens, secret);
    }
    store
        .enter(call, RequiredScope::ToRotate, url, now)?
        .ok_or_else(answers::unauthorized)?;
    let expires_at = expiry(call, now)?;
    if store.conditions.database == Health::ReadOnly {
        return Err(answers::internal_error().into());
    }
    let id = store.tokens.values().map(|token| token.id).max();
    let id = id.unwrap_or_default() + 1;
    let secret = format!("glpat-simulated-{id}");
    let old = authorization::secret(call).and_then(|secret| store.tokens.get_mut(secret));
    let old = old.ok_or_else(answers::unauthorized)?;
    let new = SimulatedToken {
        id,
        expires_at: Some(expires_at),
        ..old.clone()
    };
    old.revoked = true;
    old.successor = Some(secret.clone());
    let mut row = new.row(&now.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string(), None);
    row.push("token", &secret);
    store.tokens.insert(secret, new);
    Ok(respond(StatusCode::OK, &row))
}

/// The day that is asked for, or the usual one.
fn expiry(call: &ApiRequest, now: Timestamp) -> Result<Date, ErrorResponse> {
    let today = now.to_zoned_datetime(TimeZone::UTC).date();
    let asked = match &call.body {
        RequestBody::Json(body) => body.get("expires_at").and_then(Value::as_str),
        RequestBody::Form(form) => form.get("expires_at"),
        RequestBody::Nothing | RequestBody::Broken | RequestBody::Unsupported(_) => None,
    };
    let asked = asked.or_else(|| call.parameters.get("expires_at"));
    let Some(asked) = asked.filter(|text| !text.is_empty()) else {
        return Ok(today.saturating_add(USUAL_DAYS.days()));
    };
    let day: Date = asked
        .parse()
        .map_err(|_| answers::error(StatusCode::BAD_REQUEST, "expires_at is invalid"))?;
    if day <= today || day > today.saturating_add(LONGEST_DAYS.days()) {
        return Err(
            answers::not_simulated("a rotation to a day in the past or past a year").into(),
        );
    }
    Ok(day)
}

fn revoke_successors(tokens: &mut TokenStore, secret: &str) {
    let mut secret = secret.to_owned();
    while let Some(next) = tokens
        .get(&secret)
        .and_then(|token| token.successor.clone())
    {
        if let Some(token) = tokens.get_mut(&next) {
            token.revoked = true;
        }
        secret = next;
    }
}
