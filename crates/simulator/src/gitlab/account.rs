//! One account of the simulated GitLab, and how it is read from a row of GitLab's users API.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    attributes::Attributes,
    defaults::fill,
    hidden::Hidden,
    kinds::{Kind, UserIdentity, UserState},
};

/// An account: what the server acts on in fields of its own, every other key of the row as it is
/// shown.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedUser {
    /// `id`
    pub id: u64,
    /// `username`
    pub username: String,
    /// `state`
    pub state: UserState,
    /// GitLab's `user_type`, which no row shows; `bot` and `humans=true` follow from it.
    pub kind: Kind,
    /// `external`, GitLab's own flag.
    pub external: bool,
    /// `is_admin`
    pub is_admin: bool,
    /// `identities`
    pub identities: Vec<UserIdentity>,
    /// `custom_attributes`
    pub custom_attributes: Attributes,
    /// The other keys, with whatever values they have.
    pub others: Map<String, Value>,
    /// Whether the keys that every administrator's row has are shown, empty, where `others` lacks
    /// them.
    pub filled: bool,
    /// What no row shows.
    pub hidden: Hidden,
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

impl SimulatedUser {
    /// An active human with the keys that every administrator's row has, all of them empty.
    pub fn new(id: u64, username: &str) -> Self {
        Self {
            id,
            username: username.to_owned(),
            state: UserState::Active,
            kind: Kind::Human,
            external: false,
            is_admin: false,
            identities: Vec::new(),
            custom_attributes: Attributes::default(),
            others: Map::new(),
            filled: true,
            hidden: Hidden::default(),
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
            fill(&mut self.others, self.id, &self.username);
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

    /// Reads a row in the format of `GET /users` with `with_custom_attributes=true`. A `user_type`
    /// and what is `hidden`, which GitLab does not send, are honoured; without the first a `bot` is
    /// a service account and everything else human.
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
            hidden: take(&mut row, "hidden")?.unwrap_or_default(),
            others: row,
            filled: false,
        })
    }

    /// Changes what a row in `changes` names. A custom attribute set to null is removed; other keys
    /// are shown so.
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
                None => drop(next.custom_attributes.remove(&key)),
            }
        }
        next.others.extend(changes);
        *self = next;
        Ok(())
    }

    /// Whether GitLab wrote the account's own row since: identities and custom attributes have
    /// rows of their own, and move no `updated_at`.
    pub(super) fn is_written_after(&self, before: &Self) -> bool {
        let own = |account: &Self| {
            let others: Map<String, Value> = account.others.clone();
            let flags = (account.external, account.is_admin, account.kind);
            (
                account.username.clone(),
                account.state.clone(),
                flags,
                others,
            )
        };
        own(self) != own(before)
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
