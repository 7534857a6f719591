//! What a row shows: of an account, to whom, and how much of it.

use std::fmt::Write;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    account::SimulatedUser,
    activity::Activity,
    authorization::Caller,
    defaults::fill,
    entities::{self, ATTRIBUTES, BASIC, DETAILS, Entity},
    json::JsonRow,
    kinds::UserState,
};

/// Keys of `PROFILE` that depend on who looks.
const FOLLOWING: [&str; 3] = ["followers", "following", "is_followed"];

/// Who looks at an account, and what was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowView<'a> {
    pub(super) entity: Entity,
    pub(super) with_custom_attributes: bool,
    pub(super) caller: Caller,
    pub(super) url: &'a str,
    pub(super) activity: &'a Activity,
}

impl RowView<'_> {
    /// The row. GitLab cannot make an administrator's of an account without a namespace: `None`.
    pub(super) fn row(&self, account: &SimulatedUser) -> Option<JsonRow> {
        if self.entity >= Entity::Admin && account.hidden.without_namespace {
            return None;
        }
        let known = known(account, self.url, self.activity);
        let mut row = JsonRow::default();
        for key in self.entity.keys() {
            if self.shows(key, account) {
                self.push(&mut row, key, &known, account);
            }
        }
        if self.entity >= Entity::Admin {
            push_unknown(&mut row, account);
        }
        Some(row)
    }

    /// Whether the viewer sees this key: attributes are for administrators who ask, blocked
    /// accounts and private profiles show less of themselves to others, and nobody follows himself.
    fn shows(&self, key: &str, account: &SimulatedUser) -> bool {
        let own = self.caller.user_id == account.id;
        let private = account.others.get("private_profile") == Some(&Value::Bool(true));
        let veiled = !self.caller.admin && !own && (account.state.is_some_block() || private);
        match key {
            ATTRIBUTES => self.with_custom_attributes && self.entity >= Entity::Admin,
            "created_at" => !veiled,
            key if FOLLOWING.contains(&key) => !veiled && !own,
            _ => true,
        }
    }

    fn push(
        &self,
        row: &mut JsonRow,
        key: &str,
        known: &Map<String, Value>,
        account: &SimulatedUser,
    ) {
        match key {
            ATTRIBUTES => row.push(key, &custom_attributes(account)),
            "identities" => row.push(key, &account.identities),
            "created_by" | "scim_identities" => {
                if let Some(value) = known.get(key) {
                    self.push_nested(row, key, value);
                }
            }
            _ => {
                if let Some(value) = known.get(key) {
                    row.push(key, value);
                }
            }
        }
    }

    fn push_nested(&self, row: &mut JsonRow, key: &str, value: &Value) {
        let scim = ["extern_uid", "group_id", "active"];
        match value {
            Value::Object(_) if self.with_custom_attributes => {
                row.push(key, &JsonRow::ordered(value, &BASIC));
            }
            Value::Object(_) => {
                let keys: Vec<&str> = BASIC.into_iter().filter(|key| *key != ATTRIBUTES).collect();
                row.push(key, &JsonRow::ordered(value, &keys));
            }
            Value::Array(values) => {
                let rows: Vec<JsonRow> = values
                    .iter()
                    .map(|one| JsonRow::ordered(one, &scim))
                    .collect();
                row.push(key, &rows);
            }
            other => row.push(key, other),
        }
    }
}

/// Keys that a later GitLab may bring, as a saved page had them.
fn push_unknown(row: &mut JsonRow, account: &SimulatedUser) {
    for (key, value) in &account.others {
        if !entities::is_known(key) {
            row.push(key, value);
        }
    }
}

/// Every key that has a value of its own, but identities and attributes.
fn known(account: &SimulatedUser, url: &str, activity: &Activity) -> Map<String, Value> {
    let mut row = account.others.clone();
    if account.filled {
        fill(&mut row, account.id, &account.username);
    }
    if let Some(day) = activity.seen_on(account.id) {
        row.insert("last_activity_on".to_owned(), json!(day));
    }
    if let Some(created) = row.get("created_at").and_then(Value::as_str) {
        let created = json!(milliseconds(created));
        row.insert("created_at".to_owned(), created);
    }
    if account.filled && row.get("avatar_url").is_none_or(Value::is_null) {
        let avatar = row.get("email").and_then(Value::as_str).and_then(gravatar);
        row.insert("avatar_url".to_owned(), json!(avatar));
    }
    row.entry("web_url")
        .or_insert_with(|| json!(format!("{url}/{}", account.username)));
    row.insert("id".to_owned(), json!(account.id));
    row.insert("username".to_owned(), json!(account.username));
    row.insert("state".to_owned(), json!(account.state));
    row.insert("bot".to_owned(), json!(account.kind.is_bot()));
    row.insert("external".to_owned(), json!(account.external));
    row.insert("is_admin".to_owned(), json!(account.is_admin));
    let details = [
        ("highest_role", json!(0)),
        ("current_sign_in_ip", Value::Null),
        ("last_sign_in_ip", Value::Null),
        ("sign_in_count", json!(0)),
        ("plan", Value::Null),
        ("trial", json!(false)),
    ];
    for (key, value) in details {
        row.entry(key).or_insert(value);
    }
    row
}

/// GitLab stores microseconds and prints milliseconds, cut off.
fn milliseconds(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, rest)) if rest.ends_with('Z') => {
            let digits: String = rest.chars().filter(char::is_ascii_digit).take(3).collect();
            format!("{seconds}.{digits:0<3}Z")
        }
        _ => time.to_owned(),
    }
}

/// Where the picture of an e-mail address is.
fn gravatar(email: &str) -> Option<String> {
    let hash = (!email.is_empty()).then(|| Sha256::digest(email.to_lowercase()))?;
    let mut hex = String::with_capacity(64);
    for byte in hash {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Some(format!(
        "https://www.gravatar.com/avatar/{hex}?s=80&d=identicon"
    ))
}

/// `[{"key","value"}]`.
pub(super) fn custom_attributes(account: &SimulatedUser) -> Vec<JsonRow> {
    let pairs = account.custom_attributes.iter();
    pairs.map(|(key, value)| attribute(key, value)).collect()
}

/// `{"key","value"}`.
pub(super) fn attribute(key: &str, value: &str) -> JsonRow {
    let mut row = JsonRow::default();
    row.push("key", &key);
    row.push("value", &value);
    row
}

/// Everything the server knows of an account: an administrator's row, the `user_type` and what is
/// hidden, as [`SimulatedUser::from_row`] reads it.
pub(super) fn everything(account: &SimulatedUser, url: &str) -> Map<String, Value> {
    let mut row = known(account, url, &Activity::default());
    for key in DETAILS {
        if !account.others.contains_key(key) {
            row.remove(key);
        }
    }
    row.insert("identities".to_owned(), json!(account.identities));
    row.insert(ATTRIBUTES.to_owned(), json!(custom_attributes(account)));
    row.insert("user_type".to_owned(), json!(account.kind));
    row.insert("hidden".to_owned(), json!(account.hidden));
    row
}

impl UserState {
    /// Whether a listing hides it from who is no administrator; pending approval is not.
    pub(super) fn is_hidden_from_others(&self) -> bool {
        match self {
            Self::Blocked | Self::LdapBlocked | Self::Banned => true,
            Self::Active | Self::Deactivated | Self::BlockedPendingApproval | Self::Other(_) => {
                false
            }
        }
    }
}
