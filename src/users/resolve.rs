//! Which account a resync is about.

use super::{
    account::{Account, AccountId},
    class::{Class, Classes},
    observe,
};
use crate::{
    directory::Crsid,
    gitlab::{self, User},
    messaging::wire::{Cause, UserRequest, Who},
    upstream::CallError,
};

/// The accounts that are whom was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// No human account.
    Nobody,
    /// That one.
    One(AccountId),
    /// That one, which is no person's: a bot, a ghost, a service account. It is never touched.
    NotHuman(AccountId),
    /// More than one: the asker has to choose.
    Several(Vec<AccountId>),
}

/// Finds the account that `who` names. GitLab's filters may be ignored for a token that lost its
/// rights, so every row is checked.
///
/// # Errors
/// When GitLab gave no usable answer.
pub async fn resolve(
    who: &Who,
    own: AccountId,
    gitlab: &gitlab::Client,
    classes: &Classes,
) -> Result<Resolution, CallError> {
    match who {
        Who::Account(id) => by_id(*id, gitlab).await,
        Who::Username(username) => by_username(username, gitlab).await,
        Who::Person(person) => of_person(*person, own, gitlab, classes).await,
    }
}

/// The account a message is about. A run names it by id, after a listing that held it; a person is
/// looked for.
///
/// # Errors
/// When GitLab gave no usable answer.
pub async fn resolve_request(
    request: &UserRequest,
    own: AccountId,
    gitlab: &gitlab::Client,
    classes: &Classes,
) -> Result<Resolution, CallError> {
    match (&request.cause, &request.who) {
        (Cause::Tick { .. }, Who::Account(id)) => Ok(Resolution::One(AccountId(*id))),
        (Cause::Tick { .. } | Cause::Resync, who) => resolve(who, own, gitlab, classes).await,
    }
}

impl Resolution {
    fn of(mut ids: Vec<AccountId>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        match ids.as_slice() {
            [] => Self::Nobody,
            [id] => Self::One(*id),
            _ => Self::Several(ids),
        }
    }
}

/// A listing leaves out what is not human and a row by id does not, so the id's username is listed.
async fn by_id(id: u64, gitlab: &gitlab::Client) -> Result<Resolution, CallError> {
    let Some(row) = gitlab.user(id).await? else {
        return Ok(Resolution::Nobody);
    };
    let people = named(
        &row.username,
        gitlab.users_by_username(&row.username).await?,
    );
    Ok(if people.contains(&AccountId(id)) {
        Resolution::One(AccountId(id))
    } else {
        Resolution::NotHuman(AccountId(id))
    })
}

async fn by_username(username: &str, gitlab: &gitlab::Client) -> Result<Resolution, CallError> {
    let people = named(username, gitlab.users_by_username(username).await?);
    if !people.is_empty() {
        return Ok(Resolution::of(people));
    }
    let others = named(username, gitlab.anything_by_username(username).await?);
    Ok(others
        .first()
        .map_or(Resolution::Nobody, |id| Resolution::NotHuman(*id)))
}

fn named(username: &str, rows: Vec<User>) -> Vec<AccountId> {
    rows.into_iter()
        .filter(|row| row.username.eq_ignore_ascii_case(username))
        .map(|row| AccountId(row.id))
        .collect()
}

/// By username and by every identity that can be made of a CRSid; only an account that is
/// classified as that person counts, or, where there is none, one that would be if nobody had
/// exempted it.
async fn of_person(
    person: Crsid,
    own: AccountId,
    gitlab: &gitlab::Client,
    classes: &Classes,
) -> Result<Resolution, CallError> {
    let mut rows = gitlab.users_by_username(person.as_str()).await?;
    for identity in classes.identities_of(person) {
        rows.extend(gitlab.users_by_identity(&identity).await?);
    }
    let accounts: Vec<Account> = rows.iter().map(observe::account).collect();
    let those = |class: &dyn Fn(&Account) -> Class| -> Vec<AccountId> {
        let theirs = |account: &&Account| class(account).crsid() == Some(&person);
        accounts
            .iter()
            .filter(theirs)
            .map(|account| account.id)
            .collect()
    };
    let decided_about = those(&|account| classes.classify(account, own));
    Ok(Resolution::of(if decided_about.is_empty() {
        those(&|account| classes.unless_exempt(account))
    } else {
        decided_about
    }))
}
