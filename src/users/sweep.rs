//! The first look: all of GitLab, and everybody in it whom the directory may know.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    account::{Account, AccountId},
    class::Class,
    guard::Counted,
    marker::blocked_as_another,
    policy::Facts,
    roll_call::RollCall,
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
    /// Whose block it is, where a marker of ours stands beside another account's block.
    pub blocked_as: Option<AccountId>,
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

/// How far a sweep is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Pages of GitLab's listing read.
    pub pages: u64,
    /// Accounts in them.
    pub accounts: u64,
    /// People the directory has answered about.
    pub people: u64,
}

/// Reads every account page by page and meanwhile everybody's standing, telling `progress` how far it is.
///
/// # Errors
/// See [`SweepError`].
pub async fn sweep(
    gitlab: &gitlab::Client,
    directory: &dyn Directory,
    rules: &Rules,
    now: Timestamp,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Sweep, SweepError> {
    let own = AccountId(gitlab.current_user().await?.id);
    if gitlab.is_without_clock() {
        directory.keep_time();
    }
    let mut people = RollCall::new(directory);
    let mut accounts = Vec::new();
    let mut cursor = None;
    let mut pages = 0;
    loop {
        let page = people.beside(gitlab.users_page(cursor.as_deref())).await?;
        for row in &page.users {
            let account = Swept::of(&rules.account(row, own), rules, own, now);
            if let Class::Member(person) = &account.facts.class {
                people.add(*person);
            }
            accounts.push(account);
        }
        pages += 1;
        progress(Progress {
            pages,
            accounts: accounts.len() as u64,
            people: people.answered(),
        });
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    fill_standings(
        &mut accounts,
        &people.finish().await?,
        rules.min_known_percent,
    )?;
    Ok(Sweep {
        began: now,
        own,
        accounts,
    })
}

impl Swept {
    /// The standing is not known yet.
    fn of(account: &Account, rules: &Rules, own: AccountId, now: Timestamp) -> Self {
        Self {
            id: account.id,
            username: account.username.as_str().into(),
            facts: Facts::of(account, &rules.classes, own, Standing::Unknown),
            counted: Counted::of(account, own, now),
            blocked_as: blocked_as_another(account, own),
        }
    }
}

fn fill_standings(
    accounts: &mut [Swept],
    standings: &HashMap<Crsid, Standing>,
    percent: f64,
) -> Result<(), SweepError> {
    let asked = standings.len();
    let known = standings
        .values()
        .filter(|standing| matches!(standing, Standing::Current | Standing::Cancelled))
        .count();
    if is_implausible(known, asked, percent) {
        return Err(SweepError::Implausible {
            asked,
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
