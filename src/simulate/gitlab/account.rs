//! One account of the simulated GitLab, and how it is read from a row of GitLab's users API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An account: what the server acts on in fields of its own, every other key of the row as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// `id`
    pub id: u64,
    /// `username`
    pub username: String,
    /// `state`
    pub state: State,
    /// GitLab's `user_type`, which no row shows; `bot` and `humans=true` follow from it.
    pub kind: Kind,
    /// `external`, GitLab's own flag.
    pub external: bool,
    /// `is_admin`
    pub is_admin: bool,
    /// `identities`
    pub identities: Vec<Identity>,
    /// `custom_attributes`
    pub custom_attributes: BTreeMap<String, String>,
    /// The other keys, with whatever values they have.
    pub others: Map<String, Value>,
    /// Whether the keys that every administrator's row has are shown, empty, where `others` lacks them.
    pub filled: bool,
}

/// `state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
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
    Ghost,
    Placeholder,
    ImportUser,
}

/// One of `identities`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `provider`
    pub provider: String,
    /// `extern_uid`
    pub extern_uid: String,
}

impl Kind {
    /// What `bot` shows: not every kind that is no human is one.
    pub fn is_bot(self) -> bool {
        match self {
            Self::ServiceAccount | Self::ProjectBot | Self::AlertBot | Self::SupportBot => true,
            Self::Human
            | Self::ServiceUser
            | Self::Ghost
            | Self::Placeholder
            | Self::ImportUser => false,
        }
    }

    /// Accounts GitLab keeps for itself, which cannot be blocked.
    pub fn is_internal(self) -> bool {
        match self {
            Self::AlertBot
            | Self::SupportBot
            | Self::Ghost
            | Self::Placeholder
            | Self::ImportUser => true,
            Self::Human | Self::ServiceUser | Self::ServiceAccount | Self::ProjectBot => false,
        }
    }
}

impl State {
    /// What Rails' `blocked?` says of it (`app/models/user.rb`).
    pub fn is_some_block(&self) -> bool {
        match self {
            Self::Blocked | Self::LdapBlocked | Self::Banned | Self::BlockedPendingApproval => true,
            Self::Active | Self::Deactivated | Self::Other(_) => false,
        }
    }
}

/// A row that is no row of GitLab's users API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct RowError {
    /// The key.
    pub key: &'static str,
    /// What is wrong with its value.
    pub problem: String,
}

impl Account {
    /// An active human with the keys that every administrator's row has, all of them empty.
    pub fn new(id: u64, username: &str) -> Self {
        Self {
            id,
            username: username.to_owned(),
            state: State::Active,
            kind: Kind::Human,
            external: false,
            is_admin: false,
            identities: Vec::new(),
            custom_attributes: BTreeMap::new(),
            others: Map::new(),
            filled: true,
        }
    }

    /// Sets one of the keys the server only shows.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.others.insert(key.to_owned(), value.into());
        self
    }

    /// Takes one of the keys the server only shows out of the row.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        if std::mem::take(&mut self.filled) {
            super::rows::fill(&mut self.others, self.id, &self.username);
        }
        self.others.remove(key);
        self
    }

    /// Sets a custom attribute.
    #[must_use]
    pub fn with_attribute(mut self, key: &str, value: impl Into<String>) -> Self {
        self.custom_attributes.insert(key.to_owned(), value.into());
        self
    }

    /// Reads a row in the format of `GET /users` with `with_custom_attributes=true`. A `user_type`, which GitLab does
    /// not send, is honoured; without it a `bot` is a service account and everything else human.
    ///
    /// # Errors
    ///
    /// When `id`, `username` or `state` is missing, or a key the server acts on has a wrong type.
    pub fn from_row(row: Value) -> Result<Self, RowError> {
        let Value::Object(mut row) = row else {
            return Err(RowError {
                key: "row",
                problem: format!("an object was expected, not {row}"),
            });
        };
        let bot = take::<Option<bool>>(&mut row, "bot")?
            .flatten()
            .unwrap_or(false);
        let kind = take(&mut row, "user_type")?.unwrap_or(if bot {
            Kind::ServiceAccount
        } else {
            Kind::Human
        });
        let attributes: Option<Vec<Attribute>> = take(&mut row, "custom_attributes")?;
        Ok(Self {
            id: required(&mut row, "id")?,
            username: required(&mut row, "username")?,
            state: required(&mut row, "state")?,
            kind,
            external: take::<Option<bool>>(&mut row, "external")?
                .flatten()
                .unwrap_or(false),
            is_admin: take::<Option<bool>>(&mut row, "is_admin")?
                .flatten()
                .unwrap_or(false),
            identities: take(&mut row, "identities")?.unwrap_or_default(),
            custom_attributes: attributes
                .unwrap_or_default()
                .into_iter()
                .map(|a| (a.key, a.value))
                .collect(),
            others: row,
            filled: false,
        })
    }

    /// Changes what a row in `changes` names. A custom attribute set to null is removed; other keys are shown so.
    ///
    /// # Errors
    ///
    /// When a key the server acts on has a wrong type; nothing is changed then.
    pub fn merge(&mut self, mut changes: Map<String, Value>) -> Result<(), RowError> {
        let mut next = self.clone();
        if let Some(bot) = take::<bool>(&mut changes, "bot")? {
            next.kind = if bot {
                Kind::ServiceAccount
            } else {
                Kind::Human
            };
        }
        set(&mut next.kind, take(&mut changes, "user_type")?);
        set(&mut next.username, take(&mut changes, "username")?);
        set(&mut next.state, take(&mut changes, "state")?);
        set(&mut next.external, take(&mut changes, "external")?);
        set(&mut next.is_admin, take(&mut changes, "is_admin")?);
        set(&mut next.identities, take(&mut changes, "identities")?);
        let attributes: Option<BTreeMap<String, Option<String>>> =
            take(&mut changes, "custom_attributes")?;
        for (key, value) in attributes.unwrap_or_default() {
            match value {
                Some(value) => next.custom_attributes.insert(key, value),
                None => next.custom_attributes.remove(&key),
            };
        }
        next.others.extend(changes);
        *self = next;
        Ok(())
    }
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    value: String,
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Removes `key` and reads it; a key that is absent is `None`.
fn take<T: for<'de> Deserialize<'de>>(
    row: &mut Map<String, Value>,
    key: &'static str,
) -> Result<Option<T>, RowError> {
    row.remove(key)
        .map(|value| {
            serde_json::from_value(value.clone()).map_err(|error| RowError {
                key,
                problem: format!("{value} is not possible ({error})"),
            })
        })
        .transpose()
}

fn required<T: for<'de> Deserialize<'de>>(
    row: &mut Map<String, Value>,
    key: &'static str,
) -> Result<T, RowError> {
    take(row, key)?.ok_or(RowError {
        key,
        problem: "missing".to_owned(),
    })
}
