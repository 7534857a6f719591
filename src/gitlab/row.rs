//! Rows as GitLab sends them: strict about what decisions rest on, tolerant of everything else.

use jiff::civil::Date;
use serde::Deserialize;

use super::{
    CurrentUser, CustomAttribute, Identity, Timed, TokenDetails, Unreadable, User,
    pairs::{Keys, Pair, Pairs},
    rows::Shown,
};
use crate::{
    gate::ErrorKind,
    upstream::{ClaimedScope, Fault, LenientValue, UpstreamResponse},
};

#[derive(Deserialize)]
pub(super) struct Row<'a> {
    #[serde(borrow, default)]
    id: LenientValue<'a>,
    #[serde(borrow, default)]
    username: LenientValue<'a>,
    #[serde(borrow, default)]
    state: LenientValue<'a>,
    #[serde(borrow, default)]
    bot: LenientValue<'a>,
    #[serde(borrow, default)]
    is_admin: LenientValue<'a>,
    #[serde(borrow, default)]
    last_activity_on: LenientValue<'a>,
    #[serde(borrow, default)]
    current_sign_in_at: LenientValue<'a>,
    #[serde(borrow, default)]
    last_sign_in_at: LenientValue<'a>,
    #[serde(borrow, default)]
    created_at: LenientValue<'a>,
    #[serde(borrow, default)]
    confirmed_at: LenientValue<'a>,
    #[serde(borrow, default)]
    identities: Pairs<'a, IdentityKeys>,
    #[serde(borrow, default)]
    scim_identities: Pairs<'a, IdentityKeys>,
    #[serde(borrow, default)]
    custom_attributes: Pairs<'a, AttributeKeys>,
}

#[derive(Debug)]
struct IdentityKeys;

impl Keys for IdentityKeys {
    const FIRST: &'static str = "provider";
    const SECOND: &'static str = "extern_uid";
}

#[derive(Debug)]
struct AttributeKeys;

impl Keys for AttributeKeys {
    const FIRST: &'static str = "key";
    const SECOND: &'static str = "value";
}

#[derive(Deserialize)]
struct TokenRow<'a> {
    #[serde(borrow, default)]
    name: LenientValue<'a>,
    #[serde(default)]
    scopes: Option<Vec<String>>,
    #[serde(borrow, default)]
    expires_at: LenientValue<'a>,
}

/// The one account of `GET /users/:id`.
pub(super) fn user(answer: &UpstreamResponse) -> Result<User, Fault> {
    shown(answer.json()?)?.alone()
}

/// The same, and it is account `id`.
pub(super) fn user_with(id: u64, answer: &UpstreamResponse) -> Result<User, Fault> {
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
pub(super) fn current_user(answer: &UpstreamResponse) -> Result<CurrentUser, Fault> {
    let row: Row<'_> = answer.json()?;
    let id = id_of(&row)?;
    Ok(CurrentUser {
        id,
        username: required(&row.username, "username").map_err(|key| {
            Fault::new(
                ErrorKind::Unreadable,
                format!("showed account {id} without a usable `{key}`"),
            )
        })?,
    })
}

#[derive(Deserialize)]
struct VersionRow<'a> {
    #[serde(borrow, default)]
    version: LenientValue<'a>,
}

/// GitLab's version.
pub(super) fn version(answer: &UpstreamResponse) -> Result<String, Fault> {
    let row: VersionRow<'_> = answer.json()?;
    required(&row.version, "version")
        .map_err(|_| Fault::new(ErrorKind::Unreadable, "told no usable `version`".to_owned()))
}

/// The token itself.
pub(super) fn token_details(answer: &UpstreamResponse) -> Result<TokenDetails, Fault> {
    let row: TokenRow<'_> = answer.json()?;
    let expires_at = row
        .expires_at
        .text()
        .and_then(|text| text.parse::<Date>().ok());
    Ok(TokenDetails {
        name: row.name.text().map(str::to_owned),
        scopes: row.scopes.unwrap_or_default(),
        expires_at,
    })
}

/// What a row shows.
///
/// # Errors
/// A row that proves nothing about its account: without an id, or without what only administrators
/// are shown.
pub(super) fn shown(row: Row<'_>) -> Result<Shown, Fault> {
    let id = id_of(&row)?;
    if row.is_admin == LenientValue::Absent {
        return Err(blinded(id, "is_admin"));
    }
    if row.last_activity_on == LenientValue::Absent {
        return Err(blinded(id, "last_activity_on"));
    }
    if matches!(row.custom_attributes, Pairs::Absent) {
        return Err(blinded(id, "custom_attributes"));
    }
    Ok(match user_of(row, id) {
        Ok(user) => Shown::User(user),
        Err(key) => Shown::Odd(Unreadable {
            id,
            why: format!("showed account {id} without a usable `{key}`"),
        }),
    })
}

/// The account, or the key that is not usable.
fn user_of(row: Row<'_>, id: u64) -> Result<User, &'static str> {
    Ok(User {
        id,
        username: required(&row.username, "username")?,
        state: required(&row.state, "state")?,
        bot: flag(&row.bot, "bot")?,
        is_admin: flag(&row.is_admin, "is_admin")?,
        last_activity_on: timed(&row.last_activity_on),
        current_sign_in_at: timed(&row.current_sign_in_at),
        last_sign_in_at: timed(&row.last_sign_in_at),
        created_at: timed(&row.created_at),
        confirmed_at: timed(&row.confirmed_at),
        identities: identities(row.identities)?,
        scim_identities: extern_uids(row.scim_identities),
        custom_attributes: custom_attributes(row.custom_attributes)?,
    })
}

fn id_of(row: &Row<'_>) -> Result<u64, Fault> {
    match row.id {
        LenientValue::Number(id) => Ok(id),
        LenientValue::Absent
        | LenientValue::Null
        | LenientValue::Bool(_)
        | LenientValue::Text(_)
        | LenientValue::Other => Err(Fault::new(
            ErrorKind::Unreadable,
            "answered with an account whose `id` is missing or not a number",
        )),
    }
}

/// GitLab answers 200 with fewer keys to a token that is no administrator's
/// (`API::Entities::UserBasic`), and leaves blocked accounts out: such a listing must decide
/// nothing.
fn blinded(id: u64, key: &str) -> Fault {
    Fault::new(
        ErrorKind::Forbidden,
        format!(
            "showed account {id} without `{key}`: the token no longer sees everything (is its owner an administrator, and has it admin_mode?)"
        ),
    )
    .of(ClaimedScope::Everybody)
}

/// Longer than any username, state or key of an attribute that means something here.
const LONGEST_NAME: usize = 255;
/// Longer than any identity.
const LONGEST_IDENTITY: usize = 1_024;
/// Longer than any attribute that is read here; GitLab takes values of any length.
const LONGEST_VALUE: usize = 4_096;

fn required(value: &LenientValue<'_>, key: &'static str) -> Result<String, &'static str> {
    value
        .text()
        .filter(|text| !text.is_empty() && text.len() <= LONGEST_NAME)
        .map(str::to_owned)
        .ok_or(key)
}

fn flag(value: &LenientValue<'_>, key: &'static str) -> Result<bool, &'static str> {
    match value {
        LenientValue::Bool(flag) => Ok(*flag),
        LenientValue::Absent | LenientValue::Null => Ok(false),
        LenientValue::Number(_) | LenientValue::Text(_) | LenientValue::Other => Err(key),
    }
}

fn timed(value: &LenientValue<'_>) -> Timed {
    match value {
        LenientValue::Absent | LenientValue::Null => Timed::Never,
        LenientValue::Text(text) => Timed::parse(text),
        LenientValue::Bool(_) | LenientValue::Number(_) | LenientValue::Other => Timed::Unreadable,
    }
}

/// One that cannot be read may be the one that says whose account it is.
fn identities(read: Pairs<'_, IdentityKeys>) -> Result<Vec<Identity>, &'static str> {
    const KEY: &str = "identities";
    let identities = match read {
        Pairs::Absent => Vec::new(),
        Pairs::Listed(identities, _) => identities,
        Pairs::Odd => return Err(KEY),
    };
    let too_long = |text: &LenientValue<'_>| {
        text.text()
            .is_some_and(|text| text.len() > LONGEST_IDENTITY)
    };
    if identities
        .iter()
        .any(|identity| too_long(&identity.first) || too_long(&identity.second))
    {
        return Err(KEY);
    }
    Ok(identities.iter().filter_map(identity).collect())
}

/// A list that only tells who may have changed an account: what has another form says nothing.
fn extern_uids(read: Pairs<'_, IdentityKeys>) -> Vec<String> {
    match read {
        Pairs::Listed(identities, _) => identities
            .iter()
            .filter_map(|identity| identity.second.text())
            .filter(|uid| uid.len() <= LONGEST_IDENTITY)
            .map(str::to_owned)
            .collect(),
        Pairs::Absent | Pairs::Odd => Vec::new(),
    }
}

/// An identity without a provider or an identifier names nobody.
fn identity(identity: &Pair<'_>) -> Option<Identity> {
    let (provider, extern_uid) = (identity.first.text()?, identity.second.text()?);
    Some(Identity {
        provider: provider.to_owned(),
        extern_uid: extern_uid.to_owned(),
    })
}

/// An attribute's mere presence can exempt an account, so one that cannot be read must not vanish:
/// an odd value becomes an empty one, an odd key refuses the row. A key that is longer than any of
/// ours is nobody's business here.
fn custom_attributes(read: Pairs<'_, AttributeKeys>) -> Result<Vec<CustomAttribute>, &'static str> {
    const KEY: &str = "custom_attributes";
    let Pairs::Listed(attributes, _) = read else {
        return Err(KEY);
    };
    let mut kept = Vec::with_capacity(attributes.len());
    for attribute in &attributes {
        let key = attribute
            .first
            .text()
            .filter(|key| !key.is_empty())
            .ok_or(KEY)?;
        if key.len() > LONGEST_NAME {
            continue;
        }
        let value = attribute.second.text();
        let value = value.filter(|value| value.len() <= LONGEST_VALUE);
        kept.push(CustomAttribute {
            key: key.to_owned(),
            value: value.unwrap_or_default().to_owned(),
        });
    }
    Ok(kept)
}
