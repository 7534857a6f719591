//! Rows as GitLab sends them: strict about what decisions rest on, tolerant of everything else.

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de::IgnoredAny};

use super::{CurrentUser, CustomAttribute, Identity, Timed, TokenDetails, User};
use crate::upstream::{Answer, ErrorKind, Fault, Scalar};

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    username: Scalar<'a>,
    #[serde(borrow, default)]
    state: Scalar<'a>,
    #[serde(borrow, default)]
    bot: Scalar<'a>,
    #[serde(borrow, default)]
    is_admin: Scalar<'a>,
    #[serde(borrow, default)]
    last_activity_on: Scalar<'a>,
    #[serde(borrow, default)]
    current_sign_in_at: Scalar<'a>,
    #[serde(borrow, default)]
    last_sign_in_at: Scalar<'a>,
    #[serde(borrow, default)]
    created_at: Scalar<'a>,
    #[serde(borrow, default)]
    confirmed_at: Scalar<'a>,
    #[serde(borrow, default)]
    identities: Option<Vec<IdentityRow<'a>>>,
    #[serde(borrow, default)]
    scim_identities: Known<'a>,
    #[serde(borrow, default)]
    custom_attributes: Listed<AttributeRow<'a>>,
}

/// A list whose key has to be there; null is an empty one.
#[derive(Default)]
enum Listed<T> {
    #[default]
    Absent,
    Present(Vec<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Listed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<Vec<T>>::deserialize(deserializer)
            .map(|list| Self::Present(list.unwrap_or_default()))
    }
}

/// A list that only tells who may have changed an account: what has another form says nothing.
#[derive(Deserialize)]
#[serde(untagged)]
enum Known<'a> {
    By(#[serde(borrow)] Vec<IdentityRow<'a>>),
    Otherwise(IgnoredAny),
}

impl Default for Known<'_> {
    fn default() -> Self {
        Self::By(Vec::new())
    }
}

impl Known<'_> {
    fn extern_uids(&self) -> Vec<String> {
        match self {
            Self::By(rows) => rows
                .iter()
                .filter_map(|row| row.extern_uid.text().map(str::to_owned))
                .collect(),
            Self::Otherwise(_) => Vec::new(),
        }
    }
}

#[derive(Deserialize)]
struct IdentityRow<'a> {
    #[serde(borrow, default)]
    provider: Scalar<'a>,
    #[serde(borrow, default)]
    extern_uid: Scalar<'a>,
}

#[derive(Deserialize)]
struct AttributeRow<'a> {
    #[serde(borrow, default)]
    key: Scalar<'a>,
    #[serde(borrow, default)]
    value: Scalar<'a>,
}

#[derive(Deserialize)]
struct TokenRow<'a> {
    #[serde(default)]
    scopes: Option<Vec<String>>,
    #[serde(borrow, default)]
    expires_at: Scalar<'a>,
}

/// A row that was judged as soon as it was read: a page of rows is not held beside its users.
struct Judged(Result<User, Fault>);

impl<'de> Deserialize<'de> for Judged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Row::deserialize(deserializer).map(|row| Self(user_of(row)))
    }
}

/// The accounts of a listing.
pub(super) fn users(answer: &Answer) -> Result<Vec<User>, Fault> {
    let users: Vec<Judged> = answer.json()?;
    users.into_iter().map(|Judged(user)| user).collect()
}

/// The one account of `GET /users/:id`.
pub(super) fn user(answer: &Answer) -> Result<User, Fault> {
    user_of(answer.json()?)
}

/// The same, and it is account `id`.
pub(super) fn user_with(id: u64, answer: &Answer) -> Result<User, Fault> {
    let user = user(answer)?;
    if user.id == id {
        return Ok(user);
    }
    Err(Fault::new(
        ErrorKind::Unreadable,
        format!(
            "answered with account {} when asked for account {id}",
            user.id
        ),
    ))
}

/// The token's owner.
pub(super) fn current_user(answer: &Answer) -> Result<CurrentUser, Fault> {
    let row: Row<'_> = answer.json()?;
    let id = id_of(&row)?;
    Ok(CurrentUser {
        id,
        username: required(&row.username, "username", id)?,
    })
}

/// The token itself.
pub(super) fn token_details(answer: &Answer) -> Result<TokenDetails, Fault> {
    let row: TokenRow<'_> = answer.json()?;
    let expires_at = row
        .expires_at
        .text()
        .and_then(|text| text.parse::<Date>().ok());
    Ok(TokenDetails {
        scopes: row.scopes.unwrap_or_default(),
        expires_at,
    })
}

fn user_of(row: Row<'_>) -> Result<User, Fault> {
    let id = id_of(&row)?;
    if row.is_admin == Scalar::Absent {
        return Err(blinded(id, "is_admin"));
    }
    if row.last_activity_on == Scalar::Absent {
        return Err(blinded(id, "last_activity_on"));
    }
    let Listed::Present(custom_attributes) = row.custom_attributes else {
        return Err(blinded(id, "custom_attributes"));
    };
    Ok(User {
        id,
        username: required(&row.username, "username", id)?,
        state: required(&row.state, "state", id)?,
        bot: flag(&row.bot, "bot", id)?,
        is_admin: flag(&row.is_admin, "is_admin", id)?,
        last_activity_on: timed(&row.last_activity_on),
        current_sign_in_at: timed(&row.current_sign_in_at),
        last_sign_in_at: timed(&row.last_sign_in_at),
        created_at: timed(&row.created_at),
        confirmed_at: timed(&row.confirmed_at),
        identities: row
            .identities
            .unwrap_or_default()
            .iter()
            .filter_map(identity)
            .collect(),
        scim_identities: row.scim_identities.extern_uids(),
        custom_attributes: custom_attributes
            .iter()
            .map(|attribute| custom_attribute(attribute, id))
            .collect::<Result<_, _>>()?,
    })
}

fn id_of(row: &Row<'_>) -> Result<u64, Fault> {
    match row.id {
        Scalar::Number(id) => Ok(id),
        Scalar::Absent | Scalar::Null | Scalar::Bool(_) | Scalar::Text(_) | Scalar::Other => {
            Err(Fault::new(
                ErrorKind::Unreadable,
                "answered with an account whose `id` is missing or not a number",
            ))
        }
    }
}

/// GitLab answers 200 with fewer keys to a token that is no administrator's (`API::Entities::UserBasic`), and leaves
/// blocked accounts out: such a listing must decide nothing.
fn blinded(id: u64, key: &str) -> Fault {
    Fault::new(
        ErrorKind::Forbidden,
        format!(
            "showed account {id} without `{key}`: the token no longer sees everything (is its owner an administrator, and has it admin_mode?)"
        ),
    )
}

fn mistyped(id: u64, key: &str) -> Fault {
    Fault::new(
        ErrorKind::Unreadable,
        format!("showed account {id} without a usable `{key}`"),
    )
}

fn required(value: &Scalar<'_>, key: &str, id: u64) -> Result<String, Fault> {
    value
        .text()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| mistyped(id, key))
}

fn flag(value: &Scalar<'_>, key: &str, id: u64) -> Result<bool, Fault> {
    match value {
        Scalar::Bool(flag) => Ok(*flag),
        Scalar::Absent | Scalar::Null => Ok(false),
        Scalar::Number(_) | Scalar::Text(_) | Scalar::Other => Err(mistyped(id, key)),
    }
}

fn timed(value: &Scalar<'_>) -> Timed {
    match value {
        Scalar::Absent | Scalar::Null => Timed::Never,
        Scalar::Text(text) => Timed::parse(text),
        Scalar::Bool(_) | Scalar::Number(_) | Scalar::Other => Timed::Unreadable,
    }
}

/// An identity without a provider or an identifier names nobody.
fn identity(row: &IdentityRow<'_>) -> Option<Identity> {
    let (provider, extern_uid) = (row.provider.text()?, row.extern_uid.text()?);
    Some(Identity {
        provider: provider.to_owned(),
        extern_uid: extern_uid.to_owned(),
    })
}

/// An attribute's mere presence can exempt an account, so one that cannot be read must not vanish: an odd value
/// becomes an empty one, an odd key refuses the row.
fn custom_attribute(row: &AttributeRow<'_>, id: u64) -> Result<CustomAttribute, Fault> {
    Ok(CustomAttribute {
        key: required(&row.key, "custom_attributes", id)?,
        value: row.value.text().unwrap_or_default().to_owned(),
    })
}
