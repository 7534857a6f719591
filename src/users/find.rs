//! Which account a resync is about.

use super::{account::AccountId, class::Classes, look};
use crate::{
    directory::Crsid,
    gitlab::{self, User},
    messaging::wire::{Cause, UserRequest, Who},
    upstream::CallError,
};

/// The accounts that are whom was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No human account.
    Nobody,
    /// That one.
    One(AccountId),
    /// More than one: the asker has to choose.
    Several(Vec<AccountId>),
}

/// Finds the human account that `who` names. GitLab's filters may be ignored for a token that
/// lost its rights, so every row is checked.
///
/// # Errors
/// When GitLab gave no usable answer.
pub async fn find(
    who: &Who,
    own: AccountId,
    gitlab: &gitlab::Client,
    classes: &Classes,
) -> Result<Found, CallError> {
    let mut ids: Vec<AccountId> = match who {
        Who::Account(id) => by_id(*id, gitlab).await?,
        Who::Username(username) => by_username(username, gitlab).await?,
        Who::Person(person) => of_person(*person, own, gitlab, classes).await?,
    };
    ids.sort_unstable();
    ids.dedup();
    Ok(match ids.as_slice() {
        [] => Found::Nobody,
        [id] => Found::One(*id),
        _ => Found::Several(ids),
    })
}

/// The account a message is about. A run names it by id, after a listing that held it; a person is looked for.
///
/// # Errors
/// When GitLab gave no usable answer.
pub async fn find_requested(
    request: &UserRequest,
    own: AccountId,
    gitlab: &gitlab::Client,
    classes: &Classes,
) -> Result<Found, CallError> {
    match (&request.cause, &request.who) {
        (Cause::Tick { .. }, Who::Account(id)) => Ok(Found::One(AccountId(*id))),
        (Cause::Tick { .. } | Cause::Resync, who) => find(who, own, gitlab, classes).await,
    }
}

/// A listing leaves out what is not human and a row by id does not, so the id's username is listed.
async fn by_id(id: u64, gitlab: &gitlab::Client) -> Result<Vec<AccountId>, CallError> {
    let Some(row) = gitlab.user(id).await? else {
        return Ok(Vec::new());
    };
    let rows = by_username(&row.username, gitlab).await?;
    Ok(rows.into_iter().filter(|found| found.0 == id).collect())
}

async fn by_username(username: &str, gitlab: &gitlab::Client) -> Result<Vec<AccountId>, CallError> {
    let rows = gitlab.users_by_username(username).await?;
    let same = |row: &&User| row.username.eq_ignore_ascii_case(username);
    Ok(rows
        .iter()
        .filter(same)
        .map(|row| AccountId(row.id))
        .collect())
}

/// By username and by every identity that can be made of a CRSid; only an account that is
/// classified as that person counts.
async fn of_person(
    person: Crsid,
    own: AccountId,
    gitlab: &gitlab::Client,
    classes: &Classes,
) -> Result<Vec<AccountId>, CallError> {
    let mut rows = gitlab.users_by_username(person.as_str()).await?;
    for identity in classes.identities_of(person) {
        let identity = gitlab::Identity {
            provider: identity.provider,
            extern_uid: identity.extern_uid,
        };
        rows.extend(gitlab.users_by_identity(&identity).await?);
    }
    let theirs = |row: &&User| classes.classify(&look::account(row), own).crsid() == Some(&person);
    Ok(rows
        .iter()
        .filter(theirs)
        .map(|row| AccountId(row.id))
        .collect())
}
