//! The first look: all of GitLab, and everybody in it whom the directory may know.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    account::{Account, AccountId},
    block_record::BlockRecord,
    class::Class,
    guard::GuardFacts,
    ownership::blocked_as_another,
    policy::Facts,
    rules::Rules,
    standings::StandingsReader,
    sweeping::Sweeping,
};
use crate::{
    directory::{Crsid, Directory, Standing},
    gitlab::{self, Unreadable},
    upstream::CallError,
};

/// So many accounts, and so many people, may be unreadable in any run; of accounts one more for
/// each hundred pages. More are a sign of something else than single accounts.
const MOST_UNREADABLE: usize = 10;

/// Everything a run needs of both sides; a few hundred bytes an account.
#[derive(Debug)]
pub struct Sweep {
    /// When the account was read that was read first: nothing here is older.
    pub began: Timestamp,
    /// The token's own account.
    pub own: AccountId,
    /// Every account that could be read, by ascending id.
    pub accounts: Vec<SweptAccount>,
    /// Those that could not, by ascending id. They are kept as they are.
    pub unreadable: Vec<Unreadable>,
    /// People whom the directory cannot show; they are unknown.
    pub unreadable_people: Vec<Crsid>,
}

/// What is kept of one account.
#[derive(Clone, Debug)]
pub struct SweptAccount {
    /// GitLab's id.
    pub id: AccountId,
    /// The username.
    pub username: Box<str>,
    /// What the decision depends on.
    pub facts: Facts,
    /// What the guard counts.
    pub counted: GuardFacts,
    /// Whose block it is, where a marker of ours stands beside another account's block.
    pub blocked_as: Option<AccountId>,
    /// Who blocked it, where it is blocked.
    pub block: Option<Box<BlockRecord>>,
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
    /// Too many accounts for each of them to be to blame.
    #[error(
        "GitLab cannot show {found} accounts, and a run leaves out at most {allowed}: \
         repair those that the log names as account_unreadable"
    )]
    TooManyAccounts {
        /// Accounts found so far.
        found: usize,
        /// How many may be left out.
        allowed: usize,
    },
    /// Too many people for each of them to be to blame.
    #[error(
        "the directory cannot show {found} people, and a run leaves out at most {allowed}: \
         ask its operators about those that the log names as person_unreadable"
    )]
    TooManyPeople {
        /// People found.
        found: usize,
        /// How many may be left out.
        allowed: usize,
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
    /// Lists of people that the directory was asked about so far.
    pub lists: u64,
    /// Those of them that it has answered.
    pub answered_lists: u64,
    /// Whether GitLab's listing has ended, and with it what the directory is asked.
    pub is_listed: bool,
}

/// Reads all of both sides in one go, telling `progress` how far it is.
///
/// # Errors
/// See [`SweepError`].
pub async fn sweep(
    gitlab: &gitlab::Client,
    directory: Arc<dyn Directory>,
    rules: Arc<Rules>,
    now: Timestamp,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Sweep, SweepError> {
    Sweeping::new(directory, rules)
        .to_the_end(gitlab, now, Duration::MAX, progress)
        .await
        .map_err(|stopped| stopped.error)
}

impl SweptAccount {
    /// The standing is not known yet.
    pub(super) fn of(account: &Account, rules: &Rules, own: AccountId, now: Timestamp) -> Self {
        Self {
            id: account.id,
            username: account.username.as_str().into(),
            facts: Facts::of(account, &rules.classes, own, Standing::Unknown),
            counted: GuardFacts::of(account, own, now),
            blocked_as: blocked_as_another(account, own),
            block: BlockRecord::of(account, own).map(Box::new),
        }
    }
}

/// Whether so few accounts and people cannot be shown that each of them may be to blame.
///
/// # Errors
/// [`SweepError::TooManyAccounts`], [`SweepError::TooManyPeople`].
pub(super) fn check_left_out(
    accounts: usize,
    pages: u64,
    people: &StandingsReader,
) -> Result<(), SweepError> {
    let allowed = MOST_UNREADABLE + usize::try_from(pages / 100).unwrap_or(0);
    if accounts > allowed {
        return Err(SweepError::TooManyAccounts {
            found: accounts,
            allowed,
        });
    }
    let people = people.unreadable().len();
    if people > MOST_UNREADABLE {
        return Err(SweepError::TooManyPeople {
            found: people,
            allowed: MOST_UNREADABLE,
        });
    }
    Ok(())
}

/// Tells each account its person's standing.
///
/// # Errors
/// [`SweepError::Implausible`].
pub(super) fn fill_standings(
    accounts: &mut [SweptAccount],
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
