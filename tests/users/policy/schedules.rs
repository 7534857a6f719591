//! The guard's promise over time: whatever the directory, the ticks and the workers do, never more
//! than allowed in any 24 hours. In memory, with the service's own parts.

use std::collections::{BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use lookup_gitlab_sync::{
    directory::Standing,
    users::{
        account::{Account, AccountId, AccountState},
        class::Classes,
        guard::{GuardFacts, GuardLimits},
        lapse::Lapse,
        marker::Marker,
        on_its_way::OnItsWay,
        ownership::{ChangeRecord, StateChange},
        plan::Plan,
        policy::{Decision, Facts, decide},
        sweep::{Sweep, SweptAccount},
    },
};
use proptest::prelude::*;

use super::build::{OWN, PERSON, POLICY, account, at, day, users};

const PEOPLE: usize = 60;
const WORKERS: usize = 3;
const LIMITS: GuardLimits = GuardLimits {
    max_block_percent: 20.0,
    max_unblock_percent: 100.0,
    floor: 3,
    max_blocks: 10,
};
/// The cap is what bounds it: a fifth of sixty is more.
const ALLOWED: usize = 10;
const LAPSES: SignedDuration = SignedDuration::from_hours(2);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What happens next.
#[derive(Clone, Debug)]
enum Event {
    /// These people are cancelled, or not.
    Directory(usize, usize, bool),
    Tick,
    /// A worker handles so many messages, the oldest or the newest first.
    Work(usize, usize, bool),
    /// A worker forgets everything.
    Restart(usize),
    /// A message that was handled comes again.
    Replay(usize),
    /// Somebody unblocks these by hand.
    Unblock(usize, usize),
    Minutes(i64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => (0..PEOPLE, 1..12_usize, any::<bool>()).prop_map(|(from, many, gone)| Event::Directory(from, many, gone)),
        4 => Just(Event::Tick),
        4 => (0..WORKERS, 1..40_usize, any::<bool>()).prop_map(|(worker, many, newest)| Event::Work(worker, many, newest)),
        1 => (0..WORKERS).prop_map(Event::Restart),
        1 => (0..10_000_usize).prop_map(Event::Replay),
        1 => (0..PEOPLE, 1..6_usize).prop_map(|(from, many)| Event::Unblock(from, many)),
        4 => prop_oneof![1..20_i64, 30..130_i64, 600..1_500_i64].prop_map(Event::Minutes),
    ];
    prop::collection::vec(event, 1..120)
}

#[derive(Clone, Copy, Debug)]
struct Message {
    person: usize,
    decision: Decision,
    planned_at: Timestamp,
}

struct Simulation {
    now: Timestamp,
    accounts: Vec<Account>,
    cancelled: Vec<bool>,
    classes: Classes,
    on_its_way: OnItsWay,
    workers: Vec<Lapse>,
    queue: VecDeque<Message>,
    handled: Vec<Message>,
    blocks: Vec<(Timestamp, usize)>,
}

impl Simulation {
    fn new() -> Self {
        let accounts = (0..PEOPLE).map(|number| Account {
            id: AccountId(100 + number as u64),
            ..account(&format!("ab{number}"))
        });
        Self {
            now: at("2026-11-01T00:00:00Z"),
            accounts: accounts.collect(),
            cancelled: vec![false; PEOPLE],
            classes: Classes::new(&users()).unwrap(),
            on_its_way: OnItsWay::new(LAPSES),
            workers: (0..WORKERS).map(|_| Lapse::new(LAPSES)).collect(),
            queue: VecDeque::new(),
            handled: Vec::new(),
            blocks: Vec::new(),
        }
    }

    fn facts(&self, person: usize) -> Facts {
        let standing = if self.cancelled[person] {
            Standing::Cancelled
        } else {
            Standing::Current
        };
        Facts::of(&self.accounts[person], &self.classes, OWN, standing)
    }

    fn happen(&mut self, event: &Event) {
        let some = |from: usize, many: usize| from..(from + many).min(PEOPLE);
        match *event {
            Event::Directory(from, many, gone) => self.cancelled[some(from, many)].fill(gone),
            Event::Tick => self.tick(),
            Event::Work(worker, many, newest) => {
                for _ in 0..many {
                    let next = if newest {
                        self.queue.pop_back()
                    } else {
                        self.queue.pop_front()
                    };
                    let Some(message) = next else { break };
                    self.handle(worker, message);
                }
            }
            Event::Restart(worker) => self.workers[worker] = Lapse::new(LAPSES),
            Event::Replay(which) => {
                if let Some(index) = which.checked_rem(self.handled.len()) {
                    self.queue.push_back(self.handled[index]);
                }
            }
            Event::Unblock(from, many) => {
                for account in &mut self.accounts[some(from, many)] {
                    account.state = AccountState::Active;
                    account.unblocked_by = ChangeRecord::By(StateChange {
                        by: PERSON,
                        recorded: PERSON,
                        username: "someone".into(),
                        at: self.now,
                    });
                }
            }
            Event::Minutes(minutes) => self.now += SignedDuration::from_mins(minutes),
        }
    }

    /// As the fan-out does it.
    fn tick(&mut self) {
        self.now += SignedDuration::from_secs(2);
        let swept = |person: usize| SweptAccount {
            id: self.accounts[person].id,
            username: self.accounts[person].username.as_str().into(),
            facts: self.facts(person),
            counted: GuardFacts::of(&self.accounts[person], OWN, self.now),
            blocked_as: None,
            block: None,
        };
        let sweep = Sweep {
            began: self.now,
            own: OWN,
            accounts: (0..PEOPLE).map(swept).collect(),
            unreadable: Vec::new(),
            unreadable_people: Vec::new(),
        };
        let mut plan = Plan::of(sweep, POLICY, day("2026-11-01"));
        self.on_its_way.count_in(&mut plan, self.now);
        if plan.check(&LIMITS).is_err() {
            return;
        }
        self.on_its_way.remember(&plan, self.now);
        for decided in plan.changes() {
            let person = usize::try_from(decided.account.id.0 - 100).unwrap();
            self.queue.push_back(Message {
                person,
                decision: decided.decision,
                planned_at: self.now,
            });
        }
    }

    /// As the worker does it.
    fn handle(&mut self, worker: usize, message: Message) {
        self.now += SignedDuration::from_secs(2);
        self.handled.push(message);
        self.workers[worker].saw(message.planned_at, self.now);
        let fresh = decide(&self.facts(message.person), POLICY, day("2026-11-01"));
        let over = self.workers[worker]
            .validity()
            .is_over(Some(message.planned_at), self.now);
        if fresh != message.decision || over {
            return;
        }
        let act = ChangeRecord::By(StateChange {
            by: OWN,
            recorded: OWN,
            username: "someone".into(),
            at: self.now,
        });
        let account = &mut self.accounts[message.person];
        match fresh {
            Decision::Block(reason) => {
                account.marker = Some(Marker::new(reason.as_str(), self.now, "run"));
                account.blocked_by = act;
                account.state = AccountState::Blocked;
                self.blocks.push((self.now, message.person));
            }
            Decision::Unblock(_) => {
                account.unblocked_by = act;
                account.state = AccountState::Active;
            }
            Decision::Keep(_) => {}
        }
    }

    fn blocked_in_the_last_24_hours(&self) -> usize {
        let recent = |(when, _): &&(Timestamp, usize)| self.now.duration_since(*when) < DAY;
        let people: BTreeSet<usize> = self
            .blocks
            .iter()
            .filter(recent)
            .map(|(_, who)| *who)
            .collect();
        people.len()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn never_more_than_allowed_are_blocked_in_any_24_hours(events in events()) {
        let mut simulation = Simulation::new();
        for event in &events {
            simulation.happen(event);
            prop_assert!(simulation.blocked_in_the_last_24_hours() <= ALLOWED, "after {event:?}");
        }
    }
}

/// As it was seen: two runs are planned while no worker runs, and the directory flaps between them.
#[test]
fn what_an_earlier_run_still_has_on_its_way_is_counted() {
    let mut simulation = Simulation::new();
    let schedule = [
        Event::Directory(0, 8, true),
        Event::Tick,
        Event::Directory(0, 8, false),
        Event::Directory(20, 8, true),
        Event::Tick,
        Event::Directory(0, 8, true),
        Event::Work(0, 100, false),
    ];
    for event in &schedule {
        simulation.happen(event);
    }
    assert_eq!(simulation.blocks.len(), 8);
    // What was refused is done once the first run's changes count no more.
    for event in [
        Event::Minutes(25 * 60),
        Event::Tick,
        Event::Work(0, 100, false),
    ] {
        simulation.happen(&event);
    }
    assert_eq!(simulation.blocks.len(), 16);
}

#[test]
fn a_plan_lapses_with_its_time_and_with_a_later_one() {
    let lapse = Lapse::new(LAPSES);
    let now = at("2026-11-01T12:00:00Z");
    let ago = |minutes| Some(now - SignedDuration::from_mins(minutes));
    assert!(!lapse.validity().is_over(ago(0), now));
    assert!(!lapse.validity().is_over(ago(120), now));
    assert!(lapse.validity().is_over(ago(121), now));
    assert!(!lapse.validity().is_over(ago(-10), now), "two clocks");
    assert!(
        lapse.validity().is_over(ago(-11), now),
        "a plan from the future"
    );
    assert!(
        lapse.validity().is_over(None, now),
        "nobody knows how old it is"
    );
    lapse.saw(now + SignedDuration::from_hours(1), now);
    assert!(
        !lapse.validity().is_over(ago(30), now),
        "no plan of ours is so late"
    );
    lapse.saw(ago(20).unwrap(), now);
    assert!(lapse.validity().is_over(ago(30), now));
    assert!(!lapse.validity().is_over(ago(20), now));
    assert!(!lapse.validity().is_over(ago(10), now));
}
