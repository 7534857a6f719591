//! The light sweep: everybody's state by GraphQL, and exact rows only where a decision could change.
//!
//! It promises that every change it leads to was decided on an exact row. What it cannot see until
//! the next full sweep are new identities and custom attributes of an account whose name and state
//! stay as they were: the decision for such an account may be a day late, never wrong.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures::{StreamExt, stream};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    account::{AccountId, AccountState, LastSeen},
    class::Class,
    kept_view::KeptView,
    policy::decide,
    rules::Rules,
    standings::StandingsReader,
    sweep::{Progress, Sweep, SweepError, SweptAccount, check_left_out, fill_standings},
};
use crate::{
    directory::{Crsid, Directory, Standing},
    gitlab::{self, LightRow, LightUnavailable, Timed, Unreadable},
    upstream::CallError,
};

/// Exact rows read at once.
const AT_ONCE: usize = 8;
/// More exact rows than these, or than a tenth of the accounts, are dearer than a full sweep.
const MOST_EXACT: usize = 200;

/// How a light sweep ended.
pub(super) enum LightSweep {
    /// With everything that a run needs.
    Whole {
        /// What was seen.
        sweep: Sweep,
        /// How many accounts were read exactly.
        exact: usize,
    },
    /// A full one is needed: why.
    NeedsFull(String),
}

/// What an exact look at one account found.
enum ExactLook {
    Row(Box<gitlab::User>),
    Gone,
    Unreadable(Unreadable),
}

/// A light sweep under way.
pub(super) struct LightSweeping<'a> {
    gitlab: &'a gitlab::Client,
    rules: &'a Rules,
    view: &'a KeptView,
    now: Timestamp,
    people: StandingsReader,
    accounts: BTreeMap<AccountId, SweptAccount>,
    unreadable: BTreeMap<AccountId, Unreadable>,
    exact: BTreeSet<AccountId>,
    read: Progress,
}

impl<'a> LightSweeping<'a> {
    /// Nothing read yet; `view` is what is known.
    pub(super) fn new(
        gitlab: &'a gitlab::Client,
        directory: Arc<dyn Directory>,
        rules: &'a Rules,
        view: &'a KeptView,
        now: Timestamp,
    ) -> Self {
        Self {
            gitlab,
            rules,
            view,
            now,
            people: StandingsReader::new(directory),
            accounts: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            exact: BTreeSet::new(),
            read: Progress::default(),
        }
    }

    /// Reads all of both sides, telling `progress` how far it is.
    ///
    /// # Errors
    /// See [`SweepError`].
    pub(super) async fn run(
        mut self,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<LightSweep, SweepError> {
        let began = Timestamp::now();
        if AccountId(self.gitlab.current_user().await?.id) != self.view.own() {
            return Ok(needs_full("the token belongs to another account now"));
        }
        if self.gitlab.is_without_clock() {
            self.people.keep_time();
        }
        let unsettled = match self.list(progress).await? {
            Ok(unsettled) => unsettled,
            Err(LightUnavailable(why)) => return Ok(LightSweep::NeedsFull(why)),
        };
        if self.is_too_much(unsettled.len()) {
            return Ok(needs_full("too many accounts differ from what was known"));
        }
        self.read_exactly(unsettled).await?;
        self.ask_directory(progress).await?;
        let open = self.open_questions();
        if self.is_too_much(open.len()) {
            return Ok(needs_full("too many accounts may have to change"));
        }
        self.read_exactly(open).await?;
        self.ask_directory(progress).await?;
        self.whole(began)
    }

    /// Lists everybody; those of whom the listing alone does not tell enough.
    async fn list(
        &mut self,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Result<Vec<AccountId>, LightUnavailable>, SweepError> {
        let mut seen = BTreeSet::new();
        let mut unsettled = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let asked = self.gitlab.light_page(after.as_deref());
            let page = match self.people.beside(asked).await? {
                Ok(page) => page,
                Err(unavailable) => return Ok(Err(unavailable)),
            };
            for row in &page.rows {
                if !seen.insert(AccountId(row.id)) {
                    let why = format!("GraphQL lists account {} twice", row.id);
                    return Ok(Err(LightUnavailable(why)));
                }
                unsettled.extend(self.settle(row));
            }
            self.read.pages += 1;
            after = page.next;
            progress(self.progress());
            if after.is_none() {
                break;
            }
        }
        self.read.is_listed = true;
        let gone = self.view.ids().filter(|id| !seen.contains(id));
        unsettled.extend(gone);
        Ok(Ok(unsettled))
    }

    /// Takes the account as it was known, where nothing says that it is another now; else its id.
    fn settle(&mut self, row: &LightRow) -> Option<AccountId> {
        let id = AccountId(row.id);
        let Some(known) = self
            .view
            .account(id)
            .filter(|known| self.is_as_known(known, row))
        else {
            return Some(id);
        };
        let mut account = known.clone();
        if let Timed::On(day) = row.last_activity_on {
            account.facts.last_seen = account.facts.last_seen.latest(LastSeen::On(day));
        }
        self.take_in(account);
        None
    }

    /// Whether the listing says nothing that could make it another account than was known. What the
    /// guard counts by the hour, what an administrator exempted, and whose sign of life could not be
    /// read is looked at each time.
    fn is_as_known(&self, known: &SweptAccount, row: &LightRow) -> bool {
        let may_be_exempt_no_more =
            known.facts.class == Class::Exempt && known.id != self.view.own();
        let may_be_seen_now =
            known.facts.class == Class::External && known.facts.last_seen == LastSeen::Unknown;
        *known.username == *row.username
            && known.facts.state == AccountState::parse(&row.state)
            && known.facts.state != AccountState::Unrecognised
            && row.last_activity_on != Timed::Unreadable
            && !may_be_exempt_no_more
            && !may_be_seen_now
            && !known.counted.recently_blocked
            && !known.counted.recently_unblocked
    }

    fn take_in(&mut self, account: SweptAccount) {
        if let Class::Member(person) = &account.facts.class {
            self.people.add(*person);
        }
        self.accounts.insert(account.id, account);
    }

    fn leave_out(&mut self, account: Unreadable) {
        account.warn();
        self.unreadable.insert(AccountId(account.id), account);
    }

    async fn read_exactly(&mut self, ids: Vec<AccountId>) -> Result<(), SweepError> {
        let (gitlab, view) = (self.gitlab, self.view);
        let mut looks = stream::iter(ids)
            .map(|id| async move { (id, look(gitlab, id, view.unreadable(id)).await) })
            .buffer_unordered(AT_ONCE);
        while let Some((id, found)) = looks.next().await {
            self.accounts.remove(&id);
            match found? {
                ExactLook::Row(row) => {
                    let own = self.view.own();
                    let account = self.rules.account(&row, own);
                    self.exact.insert(id);
                    self.take_in(SweptAccount::of(&account, self.rules, own, self.now));
                }
                ExactLook::Gone => {}
                ExactLook::Unreadable(account) => self.leave_out(account),
            }
        }
        check_left_out(self.unreadable.len(), self.read.pages, &self.people)
    }

    async fn ask_directory(
        &mut self,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), SweepError> {
        self.people.ask_about_rest();
        while self.people.next_answer().await? {
            progress(self.progress());
        }
        check_left_out(self.unreadable.len(), self.read.pages, &self.people)
    }

    /// The accounts whose decision could be a change, and of which no exact row was read.
    fn open_questions(&self) -> Vec<AccountId> {
        let standings: HashMap<Crsid, Standing> = self.people.standings().collect();
        let today = self.now.to_zoned_datetime(TimeZone::UTC).date();
        let open = self.accounts.values().filter(|account| {
            !self.exact.contains(&account.id) && self.could_change(account, &standings, today)
        });
        open.map(|account| account.id).collect()
    }

    fn could_change(
        &self,
        account: &SweptAccount,
        standings: &HashMap<Crsid, Standing>,
        today: Date,
    ) -> bool {
        let mut facts = account.facts.clone();
        if let Class::Member(person) = &facts.class {
            facts.standing = standings.get(person).copied().unwrap_or(Standing::Unknown);
        }
        // Whose block it is may have become known since.
        let may_be_ours =
            facts.state == AccountState::Blocked && facts.standing == Standing::Current;
        may_be_ours || decide(&facts, self.rules.policy, today).is_change()
    }

    fn is_too_much(&self, more: usize) -> bool {
        let exact = self.exact.len() + more;
        exact > MOST_EXACT.max(self.accounts.len() / 10)
    }

    fn whole(self, began: Timestamp) -> Result<LightSweep, SweepError> {
        let mut accounts: Vec<_> = self.accounts.into_values().collect();
        let standings: HashMap<Crsid, Standing> = self.people.standings().collect();
        fill_standings(&mut accounts, &standings, self.rules.min_known_percent)?;
        Ok(LightSweep::Whole {
            exact: self.exact.len(),
            sweep: Sweep {
                began,
                own: self.view.own(),
                accounts,
                unreadable: self.unreadable.into_values().collect(),
                unreadable_people: self.people.unreadable().iter().copied().collect(),
            },
        })
    }

    fn progress(&self) -> Progress {
        Progress {
            accounts: self.accounts.len() as u64,
            people: self.people.answered(),
            lists: self.people.lists(),
            answered_lists: self.people.answered_lists(),
            ..self.read
        }
    }
}

fn needs_full(why: &str) -> LightSweep {
    LightSweep::NeedsFull(why.to_owned())
}

/// Reads one account exactly; once only where it is `known` that GitLab could not show it before.
async fn look(
    gitlab: &gitlab::Client,
    id: AccountId,
    known: Option<&Unreadable>,
) -> Result<ExactLook, CallError> {
    if let Some(known) = known {
        return Ok(match gitlab.try_user(id.0).await? {
            Ok(Some(row)) => ExactLook::Row(Box::new(row)),
            Ok(None) => ExactLook::Gone,
            Err(_) => ExactLook::Unreadable(known.clone()),
        });
    }
    match gitlab.user(id.0).await {
        Ok(Some(row)) => Ok(ExactLook::Row(Box::new(row))),
        Ok(None) => Ok(ExactLook::Gone),
        Err(error) if error.may_lie_in_what_was_asked() => {
            gitlab.proves_well().await?;
            let why = format!("could not show account {id}: {}", error.what());
            Ok(ExactLook::Unreadable(Unreadable { id: id.0, why }))
        }
        Err(error) => Err(error),
    }
}
