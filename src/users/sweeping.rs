//! A sweep under way: it can be interrupted, and goes on from where it was.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::{
    account::AccountId,
    class::Class,
    rules::Rules,
    standings::StandingsReader,
    sweep::{Progress, Sweep, SweepError, SweptAccount, check_left_out, fill_standings},
};
use crate::{
    directory::{Crsid, Directory, Standing},
    gitlab::{self, Listing, ListingPosition, Unreadable},
    moment::Moment,
};

/// A sweep under way. What it has read stays when a call fails, and it goes on from there: a GitLab
/// that restarts every few minutes would never let one end that begins again at the first page.
#[derive(Debug)]
pub struct Sweeping {
    rules: Arc<Rules>,
    own: Option<AccountId>,
    ahead: Listing,
    /// Parts that were read too long ago, to be read again.
    again: VecDeque<Listing>,
    /// The pages read, oldest first.
    pages: VecDeque<ReadPage>,
    read: Progress,
    accounts: Vec<SweptAccount>,
    unreadable: BTreeMap<AccountId, Unreadable>,
    people: StandingsReader,
}

/// A sweep that did not come to its end. Nothing may be concluded from what it has read.
#[derive(Debug)]
pub struct Stopped {
    /// Why.
    pub error: SweepError,
    /// What can be gone on with, where the trouble may pass.
    pub so_far: Option<Box<Sweeping>>,
}

impl Stopped {
    fn for_good(error: SweepError) -> Self {
        Self {
            error,
            so_far: None,
        }
    }
}

/// A page that was read.
#[derive(Debug)]
struct ReadPage {
    from: ListingPosition,
    last: u64,
    at: Moment,
}

impl Sweeping {
    /// Nothing read yet.
    pub fn new(directory: Arc<dyn Directory>, rules: Arc<Rules>) -> Self {
        Self {
            rules,
            own: None,
            ahead: Listing::default(),
            again: VecDeque::new(),
            pages: VecDeque::new(),
            read: Progress::default(),
            accounts: Vec::new(),
            unreadable: BTreeMap::new(),
            people: StandingsReader::new(directory),
        }
    }

    /// Reads on to the end, telling `progress` how far it is. What was read more than `max_age` ago
    /// is read again.
    ///
    /// # Errors
    /// See [`Stopped`].
    pub async fn to_the_end(
        mut self,
        gitlab: &gitlab::Client,
        now: Timestamp,
        max_age: Duration,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Sweep, Stopped> {
        match self.read_on(gitlab, now, max_age, progress).await {
            Ok(()) => self.whole(now).map_err(Stopped::for_good),
            Err(error @ SweepError::Call(_)) => Err(Stopped {
                error,
                so_far: Some(Box::new(self)),
            }),
            Err(
                error @ (SweepError::Implausible { .. }
                | SweepError::TooManyAccounts { .. }
                | SweepError::TooManyPeople { .. }),
            ) => Err(Stopped::for_good(error)),
        }
    }

    async fn read_on(
        &mut self,
        gitlab: &gitlab::Client,
        now: Timestamp,
        max_age: Duration,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), SweepError> {
        let own = AccountId(gitlab.current_user().await?.id);
        if gitlab.is_without_clock() {
            self.people.keep_time();
        }
        if self.own.is_some_and(|known| known != own) {
            self.forget_everything();
        }
        self.own = Some(own);
        self.say_that_it_goes_on();
        self.forget_older_than(max_age);
        self.people.go_on(max_age);
        while !self.ahead.has_ended() {
            let mut ahead = self.ahead.clone();
            let stepped = self.step(&mut ahead, gitlab, own, now).await;
            self.ahead = ahead;
            stepped?;
            progress(self.progress());
        }
        while let Some(mut again) = self.again.front().cloned() {
            let stepped = self.step(&mut again, gitlab, own, now).await;
            if again.has_ended() {
                self.again.pop_front();
            } else if let Some(front) = self.again.front_mut() {
                *front = again;
            }
            stepped?;
            progress(self.progress());
        }
        self.people.ask_about_rest();
        progress(self.progress());
        while self.people.next_answer().await? {
            progress(self.progress());
        }
        self.check()
    }

    /// What was read, once all of it was.
    fn whole(self, now: Timestamp) -> Result<Sweep, SweepError> {
        let mut accounts = self.accounts;
        accounts.sort_unstable_by_key(|account| account.id);
        let standings: HashMap<Crsid, Standing> = self.people.standings().collect();
        fill_standings(&mut accounts, &standings, self.rules.min_known_percent)?;
        let oldest_page = self.pages.front().and_then(|oldest| oldest.at.wall());
        let oldest = oldest_page.into_iter().chain(self.people.oldest()).min();
        Ok(Sweep {
            began: oldest.unwrap_or(now),
            own: self.own.unwrap_or(AccountId(0)),
            accounts,
            unreadable: self.unreadable.into_values().collect(),
            unreadable_people: self.people.unreadable().iter().copied().collect(),
        })
    }

    /// Takes in what `listing` gives next.
    async fn step(
        &mut self,
        listing: &mut Listing,
        gitlab: &gitlab::Client,
        own: AccountId,
        now: Timestamp,
    ) -> Result<(), SweepError> {
        let at = Moment::now();
        let from = listing.position().clone();
        let batch = self.people.beside(listing.next(gitlab)).await?;
        if batch.users.is_empty() && batch.unreadable.is_empty() {
            return Ok(());
        }
        for row in &batch.users {
            let account = SweptAccount::of(&self.rules.account(row, own), &self.rules, own, now);
            if let Class::Member(person) = &account.facts.class {
                self.people.add(*person);
            }
            self.accounts.push(account);
        }
        self.read.pages += 1;
        let last = listing.position().last();
        self.pages.push_back(ReadPage { from, last, at });
        for account in batch.unreadable {
            self.leave_out(account);
        }
        self.check()
    }

    fn leave_out(&mut self, account: Unreadable) {
        account.warn();
        self.unreadable.insert(AccountId(account.id), account);
    }

    fn check(&self) -> Result<(), SweepError> {
        check_left_out(self.unreadable.len(), self.read.pages, &self.people)
    }

    fn progress(&self) -> Progress {
        Progress {
            accounts: self.accounts.len() as u64,
            people: self.people.answered(),
            lists: self.people.lists(),
            answered_lists: self.people.answered_lists(),
            is_listed: self.ahead.has_ended() && self.again.is_empty(),
            ..self.read
        }
    }

    fn say_that_it_goes_on(&self) {
        if let Some(oldest) = self.pages.front() {
            let Progress {
                pages, accounts, ..
            } = self.progress();
            let oldest_seconds = oldest.at.age().as_secs();
            tracing::info!(
                event = "sweep_goes_on",
                pages,
                accounts,
                oldest_seconds,
                "the sweep goes on after {accounts} accounts, the first of which was read {oldest_seconds} s ago"
            );
        }
    }

    /// Pages that are too old are to be read again, and what they showed is gone.
    fn forget_older_than(&mut self, max_age: Duration) {
        while let Some(page) = self.pages.pop_front_if(|page| page.at.age() > max_age) {
            let within = |id: u64| id > page.from.last() && id <= page.last;
            self.accounts.retain(|account| !within(account.id.0));
            self.unreadable.retain(|id, _| !within(id.0));
            match self.again.back_mut() {
                Some(part) if part.reaches(page.from.last()) => part.extend_to(page.last),
                Some(_) | None => self
                    .again
                    .push_back(Listing::between(page.from.clone(), page.last)),
            }
        }
    }

    fn forget_everything(&mut self) {
        self.ahead = Listing::default();
        self.again.clear();
        self.pages.clear();
        self.accounts.clear();
        self.unreadable.clear();
    }
}
