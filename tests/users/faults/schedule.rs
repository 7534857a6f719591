//! One schedule: a seed decides who does what when and what goes wrong; afterwards it is quiet, and
//! the end is compared with what the rules say.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lookup_gitlab_sync::messaging::DeadLetterReason;
use rand::Rng;
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    conditions::Conditions,
    process::{Process, Queues},
    upstreams::{Figures, Upstreams},
};

/// How long it may take, after all is well again, until nothing waits any more: the longest
/// `Retry-After` and the longest pause of the retry policy are each far below it.
const QUIET: Duration = Duration::from_hours(3);

/// How a schedule went.
pub struct Report {
    pub wrong: Vec<String>,
    pub figures: Figures,
    pub trace: Vec<String>,
}

/// Plays the schedule of `seed` in a runtime of its own, under virtual time.
pub fn play(seed: u64) -> Report {
    fastrand::seed(seed);
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(Schedule::play(seed))
}

/// One run over `upstreams` with nothing wrong, compared like any other.
pub async fn settle(upstreams: Upstreams) -> Report {
    let mut schedule = Schedule::new(upstreams);
    schedule.start_process();
    schedule.last_run().await
}

struct Schedule {
    upstreams: Arc<Upstreams>,
    queues: Queues,
    processes: Vec<Process>,
    /// The reason for which each must be a dead letter, by message id.
    poison: BTreeMap<String, &'static str>,
}

impl Schedule {
    fn new(upstreams: Upstreams) -> Self {
        let upstreams = Arc::new(upstreams);
        Self {
            queues: Queues::new(&upstreams),
            upstreams,
            processes: Vec::new(),
            poison: BTreeMap::new(),
        }
    }

    async fn play(seed: u64) -> Report {
        let mut schedule = Self::new(Upstreams::new(seed));
        schedule.storm().await;
        schedule.calm();
        schedule.drain("after the storm").await;
        schedule.last_run().await
    }

    /// One more run, then everything must be right.
    async fn last_run(self) -> Report {
        self.put_tick("{}");
        self.drain("after the last run").await;
        self.compare();
        self.report()
    }

    fn put_tick(&self, body: &'static str) {
        self.queues.ticks.put(body.into(), BTreeMap::new());
    }

    /// Everything at once, for a while.
    async fn storm(&mut self) {
        let (end, share) = self.draw(|rng| {
            let minutes = rng.random_range(2..30);
            (
                Instant::now() + Duration::from_mins(minutes),
                rng.random_range(0.001..0.15),
            )
        });
        self.upstreams.lock().meddling = share;
        let processes = self.draw(|rng| rng.random_range(1..=2));
        for _ in 0..processes {
            self.start_process();
        }
        self.put_tick("{}");
        let mut conditions_until = Instant::now();
        while Instant::now() < end {
            if conditions_until <= Instant::now() {
                let (conditions, lasts) = self.draw(Conditions::draw);
                self.upstreams
                    .trace(format!("{conditions:?} for {lasts:?}"));
                self.upstreams.lock().conditions = conditions;
                conditions_until = Instant::now() + lasts;
            }
            let next = Instant::now()
                + self.draw(|rng| Duration::from_millis(rng.random_range(1..20_000)));
            sleep_until(next.min(conditions_until)).await;
            self.event().await;
        }
    }

    async fn event(&mut self) {
        match self.draw(|rng| rng.random_range(0..24)) {
            0 => self.tick(),
            1..=3 => self.resync(),
            4 => self.poison(),
            5 | 6 => self.kill().await,
            7 => self.again(),
            8..=12 => self.upstreams.meddle_somewhere(),
            _ => {}
        }
    }

    fn tick(&self) {
        let body = match self.draw(|rng| rng.random_range(0..4)) {
            0 => r#"{"dry_run":true}"#,
            1 => r#"{"dry_run":false,"reason":"by hand"}"#,
            _ => "{}",
        };
        self.put_tick(body);
    }

    fn resync(&self) {
        let (id, form, dry) = self.draw(|rng| {
            (
                rng.random_range(9..30),
                rng.random_range(0..3),
                rng.random_bool(0.2),
            )
        });
        let mut body = match form {
            0 => json!({"gitlab_user_id": id}),
            1 => json!({"crsid": format!("ab{id}")}),
            _ => json!({"username": format!("ab{id}")}),
        };
        if dry {
            body["dry_run"] = json!(true);
        }
        self.queues
            .users
            .put(body.to_string().into(), BTreeMap::new());
    }

    fn poison(&mut self) {
        let bodies = [
            ("no json", "undecodable"),
            (r#"{"crsid":3}"#, "invalid_field"),
            (r#"{"reason":"nobody"}"#, "no_identifier"),
            (r#"{"crsid":"x'); --"}"#, "invalid_field"),
        ];
        let (body, reason) = bodies[self.draw(|rng| rng.random_range(0..bodies.len()))];
        let id = self.queues.users.put(body.into(), BTreeMap::new());
        self.poison.insert(id, reason);
    }

    /// What a run published is published again: by hand, or by a publisher whose confirmation was
    /// lost.
    fn again(&self) {
        let (id, planned) = self.draw(|rng| (rng.random_range(10..30), rng.random_range(0..3)));
        let (planned, reason) = [
            ("block", "cancelled_in_lookup"),
            ("unblock", "no_longer_cancelled"),
            ("keep", "current"),
        ][planned];
        let body = json!({"gitlab_user_id": id, "cause": "tick", "planned": planned, "planned_reason": reason,
            "planned_at": "2026-01-01T00:00:00Z"});
        let attributes = BTreeMap::from([("run".to_owned(), "an-old-run".to_owned())]);
        self.queues.users.put(body.to_string().into(), attributes);
    }

    /// A process ends in the middle of whatever it does, or is asked to; another takes its place.
    async fn kill(&mut self) {
        let (which, softly, pause) = self.draw(|rng| {
            (
                rng.random_range(0..2_usize),
                rng.random_bool(0.3),
                rng.random_range(0..30_000),
            )
        });
        if which < self.processes.len() {
            let process = self.processes.swap_remove(which);
            if softly {
                process.stopping.cancel();
                sleep(Duration::from_secs(8)).await;
            }
            drop(process);
            self.upstreams.trace("a process is killed");
            self.upstreams.lock().figures.kills += 1;
            sleep(Duration::from_millis(pause)).await;
            self.start_process();
        }
    }

    fn start_process(&mut self) {
        let places = self.draw(|rng| rng.random_range(1..8));
        self.processes
            .push(Process::start(&self.upstreams, &self.queues, places));
    }

    fn calm(&self) {
        let mut inner = self.upstreams.lock();
        inner.conditions = Conditions::Calm;
        inner.meddling = 0.0;
        drop(inner);
        self.upstreams.trace("calm");
    }

    async fn drain(&self, when: &str) {
        let until = Instant::now() + QUIET;
        while !self.queues.is_empty() {
            if Instant::now() > until {
                return self.upstreams.wrong(format!("{when} messages still wait"));
            }
            sleep(Duration::from_secs(1)).await;
        }
        // A request that arrives late still arrives.
        sleep(Duration::from_mins(2)).await;
    }

    /// Every account is where the rules leave it, and nothing is a dead letter that should not be.
    fn compare(&self) {
        let ids: Vec<u64> = self
            .upstreams
            .lock()
            .ledger
            .owners
            .keys()
            .copied()
            .collect();
        for id in ids {
            let (expected, truth, owner) = {
                let inner = self.upstreams.lock();
                let owner = inner.ledger.owners.get(&id).cloned();
                (inner.ledger.expected(id), inner.ledger.now(id), owner)
            };
            let is = self
                .upstreams
                .gitlab
                .account(id)
                .map(|account| account.state);
            if is != expected {
                self.upstreams.wrong(format!(
                    "account {id} ({owner:?}) is {is:?} and should be {expected:?}: {truth:?}"
                ));
            }
        }
        self.queues.users.judge_poison(&self.poison);
        let allowed = [
            DeadLetterReason::Undecodable,
            DeadLetterReason::InvalidField,
            DeadLetterReason::NoIdentifier,
            DeadLetterReason::AttemptsExhausted,
            // More resyncs in an hour than a worker does.
            DeadLetterReason::GuardRefused,
        ];
        let dead = [self.queues.users.dead(), self.queues.ticks.dead()].concat();
        for reason in dead {
            if !allowed.contains(&reason) {
                self.upstreams.wrong(format!("a dead letter for {reason}"));
            }
        }
    }

    fn report(self) -> Report {
        drop(self.processes);
        let mut inner = self.upstreams.lock();
        Report {
            wrong: std::mem::take(&mut inner.wrong),
            figures: inner.figures.clone(),
            trace: std::mem::take(&mut inner.trace),
        }
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut rand_chacha::ChaCha8Rng) -> T) -> T {
        draw(&mut self.upstreams.lock().rng)
    }
}
