//! The first look: all of GitLab, and everybody in it whom the directory may know.

use jiff::Timestamp;

use super::{
    account::{Account, AccountId},
    class::Class,
    guard::Counted,
    look,
    policy::Facts,
    rules::Rules,
};
use crate::{
    directory::{Crsid, Directory, Standing},
    gitlab,
    upstream::CallError,
};

/// Everything a run needs of both sides; a few hundred bytes an account.
#[derive(Debug)]
pub struct Sweep {
    /// When the first account was read.
    pub began: Timestamp,
    /// The token's own account.
    pub own: AccountId,
    /// Every account, by ascending id.
    pub accounts: Vec<Swept>,
}

/// What is kept of one account.
#[derive(Debug)]
pub struct Swept {
    /// GitLab's id.
    pub id: AccountId,
    /// The username.
    pub username: Box<str>,
    /// What the decision depends on.
    pub facts: Facts,
    /// What the guard counts.
    pub counted: Counted,
}

/// Why there is no sweep. Nothing may be concluded from a part of one.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A call to GitLab or the directory got no usable answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The directory knows too few of the people asked for to be believed.
    #[error(
        "the directory knows {known} of the {asked} members asked for, fewer than {percent} %: \
         is it complete, and may these credentials see cancelled people?"
    )]
    Implausible {
        /// Members asked for.
        asked: usize,
        /// Members with an explicit standing.
        known: usize,
        /// The configured minimum.
        percent: f64,
    },
}

/// Reads every account page by page and then everybody's standing, calling `progress` with the
/// number of accounts read so far.
///
/// # Errors
/// See [`SweepError`].
pub async fn sweep(
    gitlab: &gitlab::Client,
    directory: &dyn Directory,
    rules: &Rules,
    now: Timestamp,
    progress: &(dyn Fn(usize) + Send + Sync),
) -> Result<Sweep, SweepError> {
    let own = AccountId(gitlab.current_user().await?.id);
    let mut accounts = read_accounts(gitlab, rules, own, now, progress).await?;
    fill_standings(&mut accounts, directory, rules.min_known_percent).await?;
    Ok(Sweep {
        began: now,
        own,
        accounts,
    })
}

async fn read_accounts(
    gitlab: &gitlab::Client,
    rules: &Rules,
    own: AccountId,
    now: Timestamp,
    progress: &(dyn Fn(usize) + Send + Sync),
) -> Result<Vec<Swept>, CallError> {
    let mut accounts = Vec::new();
    let mut cursor = None;
    loop {
        let page = gitlab.users_page(cursor.as_deref()).await?;
        accounts.extend(
            page.users
                .iter()
                .map(|row| Swept::of(&look::account(row), rules, own, now)),
        );
        progress(accounts.len());
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(accounts),
        }
    }
}

impl Swept {
    /// The standing is not known yet.
    fn of(account: &Account, rules: &Rules, own: AccountId, now: Timestamp) -> Self {
        Self {
            id: account.id,
            username: account.username.as_str().into(),
            facts: Facts::of(account, &rules.classes, own, Standing::Unknown),
            counted: Counted::of(account, own, now),
        }
    }
}

async fn fill_standings(
    accounts: &mut [Swept],
    directory: &dyn Directory,
    percent: f64,
) -> Result<(), SweepError> {
    let mut people: Vec<Crsid> = accounts
        .iter()
        .filter_map(|account| account.facts.class.crsid())
        .cloned()
        .collect();
    people.sort_unstable();
    people.dedup();
    let standings = directory.standings(&people).await?;
    let known = people
        .iter()
        .filter(|person| {
            matches!(
                standings.get(person),
                Some(Standing::Current | Standing::Cancelled)
            )
        })
        .count();
    if is_implausible(known, people.len(), percent) {
        return Err(SweepError::Implausible {
            asked: people.len(),
            known,
            percent,
        });
    }
    for account in accounts {
        if let Class::Member(person) = &account.facts.class {
            account.facts.standing = standings.get(person).copied().unwrap_or(Standing::Unknown);
        }
    }
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a number of people is far below 2^52"
)]
fn is_implausible(known: usize, asked: usize, percent: f64) -> bool {
    (known as f64) * 100.0 < percent * (asked as f64)
}
