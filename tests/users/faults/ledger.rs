//! What both upstreams truly looked like, and when: the truth that a write is judged by. It is kept from
//! what was done, by whom, and never read back from what the service itself reads.

use std::collections::BTreeMap;

use simulator::gitlab::UserState;
use tokio::time::Instant;

/// Whose account it is, as the one who made it up knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A member of the university.
    Member(String),
    /// An external collaborator.
    External,
    /// Bots, robots, the service itself: never to be touched.
    Nobody,
}

/// What Lookup says of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Cancelled,
    Current,
    /// Absent, or without a usable answer.
    Nothing,
}

/// One account at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Truth {
    pub state: UserState,
    /// The last block was the service's.
    pub blocked_by_service: bool,
    /// What the service wrote beside its block is still there.
    pub marker: bool,
    pub exempt: bool,
    /// An external account without a sign of life.
    pub inactive: bool,
    /// A person unblocked it, which is a sign of life.
    pub reactivated: bool,
}

/// A change that the service may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Block,
    Unblock,
}

/// Everything that ever was.
#[derive(Debug, Default)]
pub struct Ledger {
    pub owners: BTreeMap<u64, Owner>,
    accounts: BTreeMap<u64, Vec<(Instant, Option<Truth>)>>,
    people: BTreeMap<String, Vec<(Instant, Said)>>,
}

impl Ledger {
    pub fn account(&mut self, id: u64, truth: Option<Truth>) {
        let history = self.accounts.entry(id).or_default();
        if history.last().is_none_or(|(_, last)| *last != truth) {
            history.push((Instant::now(), truth));
        }
    }

    pub fn person(&mut self, crsid: &str, said: Said) {
        let history = self.people.entry(crsid.to_owned()).or_default();
        history.push((Instant::now(), said));
    }

    /// The account now; `None` if it is gone.
    pub fn now(&self, id: u64) -> Option<Truth> {
        self.accounts.get(&id)?.last()?.1.clone()
    }

    pub fn said(&self, crsid: &str) -> Said {
        let history = self.people.get(crsid);
        history
            .and_then(|history| history.last())
            .map_or(Said::Nothing, |(_, said)| *said)
    }

    /// Whether the rules called for `action` at some time since `since`, taking each side for
    /// itself: a look reads one after the other.
    pub fn was_right(&self, id: u64, action: Action, since: Instant) -> bool {
        let truths = self.accounts.get(&id).map(|all| during(all, since));
        let mut truths = truths.into_iter().flatten().flatten();
        match (self.owners.get(&id), action) {
            (Some(Owner::Member(crsid)), Action::Block) => {
                truths.any(|truth| is_open(&truth.state) && !truth.exempt)
                    && self.ever_said(crsid, Said::Cancelled, since)
            }
            (Some(Owner::Member(crsid)), Action::Unblock) => {
                truths.any(|truth| is_ours(&truth) && !truth.exempt)
                    && self.ever_said(crsid, Said::Current, since)
            }
            (Some(Owner::External), Action::Block) => {
                truths.any(|truth| is_open(&truth.state) && !truth.exempt && is_inactive(&truth))
            }
            (Some(Owner::External), Action::Unblock) | (Some(Owner::Nobody) | None, _) => false,
        }
    }

    fn ever_said(&self, crsid: &str, said: Said, since: Instant) -> bool {
        let history = self.people.get(crsid);
        history.is_some_and(|history| during(history, since).contains(&said))
    }

    /// The state in which the rules leave the account, from what it is now.
    pub fn expected(&self, id: u64) -> Option<UserState> {
        let truth = self.now(id)?;
        if truth.exempt {
            return Some(truth.state);
        }
        let open = is_open(&truth.state);
        let settled = match self.owners.get(&id)? {
            Owner::Member(crsid) => match self.said(crsid) {
                Said::Cancelled if open => UserState::Blocked,
                Said::Current if is_ours(&truth) => UserState::Active,
                Said::Cancelled | Said::Current | Said::Nothing => truth.state,
            },
            Owner::External if open && is_inactive(&truth) => UserState::Blocked,
            Owner::External | Owner::Nobody => truth.state,
        };
        Some(settled)
    }
}

pub fn is_open(state: &UserState) -> bool {
    matches!(state, UserState::Active | UserState::Deactivated)
}

fn is_ours(truth: &Truth) -> bool {
    truth.state == UserState::Blocked && truth.blocked_by_service && truth.marker
}

fn is_inactive(truth: &Truth) -> bool {
    truth.inactive && !truth.reactivated
}

/// What held at `since` or came after it.
fn during<T: Clone>(history: &[(Instant, T)], since: Instant) -> Vec<T> {
    let first = history
        .iter()
        .rposition(|(at, _)| *at <= since)
        .unwrap_or(0);
    history
        .iter()
        .skip(first)
        .map(|(_, what)| what.clone())
        .collect()
}
