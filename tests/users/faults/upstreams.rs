//! A GitLab and a Lookup without sockets, the people who change them by hand, and the truth about
//! both.

use std::sync::{Mutex, MutexGuard};

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use simulator::{
    gitlab::{self, SimulatedGitLab, SimulatedUser, UserState},
    lookup::{self, SimulatedLookup, SimulatedPerson},
};
use tokio::time::Instant;

use super::{
    anything::Anything,
    conditions::{Conditions, Side},
    ledger::{Action, Ledger, Owner, Said, Truth},
    population::{member, population},
    seconds::give_its_own_second,
};

pub const MARKER: &str = "lookup_gitlab_sync";
const EXEMPT: &str = "lookup_gitlab_sync_exempt";

/// Both servers and everything that is known about them.
pub struct Upstreams {
    pub gitlab: SimulatedGitLab,
    pub lookup: SimulatedLookup,
    inner: Mutex<Inner>,
}

pub struct Inner {
    pub rng: ChaCha8Rng,
    pub ledger: Ledger,
    pub conditions: Conditions,
    /// What the calls about some accounts meet, whatever the conditions.
    pub odd: std::collections::BTreeMap<u64, Anything>,
    /// How likely somebody changes something between two calls.
    pub meddling: f64,
    /// Texts in the servers' answers, and what the service reads in their place.
    pub lies: Vec<(&'static str, &'static str)>,
    /// What must never happen and did.
    pub wrong: Vec<String>,
    pub figures: Figures,
    /// What was published so far: which account may be changed how.
    pub planned: std::collections::BTreeSet<(u64, Action)>,
    /// Everything that happened, for comparing two runs of one seed.
    pub trace: Vec<String>,
    /// When each request was made, and to whom.
    pub asked: Vec<(Instant, Side)>,
    began: Instant,
}

/// What a campaign did, summed over its schedules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    pub requests: u64,
    /// Of these, pages of a light sweep.
    pub light_pages: u64,
    pub faults: u64,
    pub changes: u64,
    pub meddled: u64,
    pub kills: u64,
    pub messages: u64,
    pub deliveries: u64,
    pub lost_acks: u64,
    pub dead_letters: u64,
    pub exhausted: u64,
    /// Changes that were right when looked at and no longer so when they took effect.
    pub raced: u64,
    /// Of these, a ban lifted or a person's block undone.
    pub raced_unblocks: u64,
}

impl Upstreams {
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut ledger = Ledger::default();
        let (accounts, people) = population(&mut rng, &mut ledger);
        Self::of(accounts, people, ledger, rng)
    }

    /// Members only, half of them cancelled and not yet blocked, half blocked by the service and no
    /// longer cancelled.
    pub fn of_members(count: u64) -> Self {
        let mut ledger = Ledger::default();
        let mut people = Vec::new();
        let accounts = (10..10 + count)
            .map(|id| {
                let account = member(id, 1 + u32::from(id % 2 == 0), &mut people, &mut ledger);
                let owner = Owner::Member(account.username.clone());
                ledger.owners.insert(id, owner);
                account
            })
            .collect();
        Self::of(accounts, people, ledger, ChaCha8Rng::seed_from_u64(1))
    }

    /// One member in that case of the decision table.
    pub fn of_one(id: u64, case: u32) -> Self {
        let (mut people, mut ledger) = (Vec::new(), Ledger::default());
        let account = member(id, case, &mut people, &mut ledger);
        let owner = Owner::Member(account.username.clone());
        ledger.owners.insert(id, owner);
        Self::of(vec![account], people, ledger, ChaCha8Rng::seed_from_u64(1))
    }

    fn of(
        accounts: Vec<SimulatedUser>,
        people: Vec<SimulatedPerson>,
        ledger: Ledger,
        rng: ChaCha8Rng,
    ) -> Self {
        let gitlab = SimulatedGitLab::in_memory(gitlab::GitLabSettings {
            accounts,
            ..gitlab::GitLabSettings::default()
        });
        let lookup = SimulatedLookup::in_memory(lookup::LookupSettings {
            people,
            ..lookup::LookupSettings::default()
        });
        let upstreams = Self {
            gitlab,
            lookup,
            inner: Mutex::new(Inner {
                rng,
                ledger,
                conditions: Conditions::default(),
                odd: std::collections::BTreeMap::new(),
                meddling: 0.0,
                lies: Vec::new(),
                wrong: Vec::new(),
                figures: Figures::default(),
                planned: std::collections::BTreeSet::new(),
                trace: Vec::new(),
                asked: Vec::new(),
                began: Instant::now(),
            }),
        };
        upstreams.lock().ledger.owners.insert(1, Owner::Nobody);
        for id in upstreams.gitlab.snapshot().into_keys() {
            upstreams.note(id);
        }
        upstreams
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Puts the account as it is now into the ledger. Who blocked it is what the ledger knows.
    pub fn note(&self, id: u64) {
        let known = self.lock().ledger.now(id);
        let truth = self.gitlab.account(id).map(|account| Truth {
            blocked_by_service: known.as_ref().is_some_and(|known| known.blocked_by_service),
            marker: known.as_ref().is_some_and(|known| known.marker),
            reactivated: known.as_ref().is_some_and(|known| known.reactivated),
            ..truth(&account)
        });
        self.lock().ledger.account(id, truth);
    }

    /// The service blocked it, or wrote its marker on it.
    pub fn note_of_service(&self, id: u64, blocked: bool) {
        let Some(truth) = self.gitlab.account(id).map(|account| truth(&account)) else {
            return;
        };
        let mut inner = self.lock();
        let known = inner.ledger.now(id).expect("known");
        let truth = Truth {
            blocked_by_service: known.blocked_by_service || blocked,
            marker: known.marker || !blocked,
            reactivated: known.reactivated,
            ..truth
        };
        inner.ledger.account(id, Some(truth));
    }

    /// Somebody changes something about the account, or about its person.
    pub fn meddle(&self, id: u64) {
        let owner = self.lock().ledger.owners.get(&id).cloned();
        let in_lookup = self.lock().rng.random_bool(0.4);
        self.lock().figures.meddled += 1;
        match owner {
            Some(Owner::Member(crsid)) if in_lookup => self.meddle_in_lookup(&crsid),
            Some(Owner::Member(_) | Owner::External) => self.meddle_in_gitlab(id),
            Some(Owner::Nobody) | None => {}
        }
    }

    /// Of anybody at all.
    pub fn meddle_somewhere(&self) {
        let id = {
            let mut inner = self.lock();
            let ids: Vec<u64> = inner.ledger.owners.keys().copied().collect();
            *ids.choose(&mut inner.rng).unwrap()
        };
        self.meddle(id);
    }

    fn meddle_in_lookup(&self, crsid: &str) {
        let choice = self.lock().rng.random_range(0..10);
        let said = match choice {
            0..=3 => Said::Cancelled,
            4..=7 => Said::Current,
            _ => Said::Nothing,
        };
        match (said, choice) {
            (Said::Nothing, 8) => drop(self.lookup.remove_person(crsid)),
            (Said::Nothing, _) => {
                let odd = serde_json::Map::from_iter([("cancelled".to_owned(), json!("yes"))]);
                self.lookup.change_person(crsid, odd);
            }
            _ => self.lookup.set_cancelled(crsid, said == Said::Cancelled),
        }
        self.trace(format!("person {crsid} {said:?}"));
        self.lock().ledger.person(crsid, said);
    }

    fn meddle_in_gitlab(&self, id: u64) {
        let Some(account) = self.gitlab.account(id) else {
            return;
        };
        let choice = self.lock().rng.random_range(0..20);
        match (&account.state, choice) {
            (_, 0) => return self.delete(id),
            (_, 1 | 2) => return self.spoil_marker(id, choice == 1),
            (_, 3) => {
                let exempt = account.custom_attributes.contains_key(EXEMPT);
                let value = if exempt {
                    json!(null)
                } else {
                    json!("by hand")
                };
                self.change(id, &json!({"custom_attributes": {EXEMPT: value}}));
            }
            (UserState::Active, 4..=8) | (UserState::Deactivated, 10..=14) => {
                self.set_state(id, "blocked");
            }
            (UserState::Active, 9..=12) => self.set_state(id, "banned"),
            (UserState::Active, 13 | 14) => self.set_state(id, "ldap_blocked"),
            (UserState::Active, 15 | 16) => self.set_state(id, "deactivated"),
            (UserState::Active, _) => {
                let today = jiff::Timestamp::now().to_string();
                self.change(id, &json!({"last_activity_on": today[..10]}));
            }
            // What an administrator does who wants more than a block.
            (UserState::Blocked, 10..=15) => {
                self.set_state(id, "active");
                self.set_state(id, "banned");
            }
            (UserState::Blocked, _) => {
                self.set_state(id, "active");
                self.set_state(id, "blocked");
            }
            (_, 4..=8) => self.set_state(id, "active"),
            _ => {}
        }
        self.note(id);
    }

    fn set_state(&self, id: u64, state: &str) {
        let truth = self.lock().ledger.now(id);
        self.change(id, &json!({ "state": state }));
        match state {
            "blocked" => give_its_own_second(&self.gitlab, id, "blocked_by"),
            "active" => give_its_own_second(&self.gitlab, id, "unblocked_by"),
            _ => {}
        }
        let truth = truth.map(|truth| Truth {
            blocked_by_service: truth.blocked_by_service && state != "blocked",
            reactivated: truth.reactivated
                || (truth.state == UserState::Blocked && state == "active"),
            state: self.gitlab.account(id).expect("still there").state,
            ..truth
        });
        self.lock().ledger.account(id, truth);
        self.note(id);
        self.trace(format!("account {id} by hand {state}"));
    }

    fn spoil_marker(&self, id: u64, garble: bool) {
        let value = if garble {
            json!("mine now")
        } else {
            json!(null)
        };
        self.change(id, &json!({"custom_attributes": {MARKER: value}}));
        let truth = self.lock().ledger.now(id);
        let truth = truth.map(|truth| Truth {
            marker: false,
            ..truth
        });
        self.lock().ledger.account(id, truth);
        self.trace(format!("account {id} marker spoiled"));
    }

    fn delete(&self, id: u64) {
        self.gitlab.delete_user(id);
        self.note(id);
        self.trace(format!("account {id} deleted"));
    }

    fn change(&self, id: u64, change: &serde_json::Value) {
        self.gitlab.change_user(id, change.clone()).unwrap();
    }

    pub fn trace(&self, what: impl std::fmt::Display) {
        let mut inner = self.lock();
        let at = inner.began.elapsed().as_millis();
        inner.trace.push(format!("{at:>9} {what}"));
    }

    pub fn wrong(&self, what: String) {
        self.trace(format!("WRONG: {what}"));
        self.lock().wrong.push(what);
    }
}

pub fn truth(account: &SimulatedUser) -> Truth {
    let day = account.others.get("last_activity_on");
    Truth {
        state: account.state.clone(),
        blocked_by_service: false,
        marker: false,
        reactivated: false,
        exempt: account.custom_attributes.contains_key(EXEMPT),
        // Made-up accounts were last seen in 2019 or this very day.
        inactive: day
            .and_then(serde_json::Value::as_str)
            .is_some_and(|day| day.starts_with("2019")),
    }
}
