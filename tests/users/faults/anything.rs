//! Up to a hundred accounts whose calls may answer anything at all, for ever: every other account
//! reaches its end.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use testkit::variable::number;
use tokio::time::{Instant, sleep};

use super::{
    conditions::Conditions,
    process::{Process, Queues},
    upstreams::Upstreams,
};

/// In the suite; a campaign is some hundreds.
const SEEDS: u64 = 12;
/// Schedules in which every slot came to be held by an account that fails for a reason of its own,
/// each of them probing a closed gate in vain for ever. They are part of the suite.
const STARVED: [u64; 2] = [15, 288];
/// After so many ticks nothing is left to do for anybody whose calls are answered.
const ROUNDS: u32 = 4;
/// Each of them lasts so long at most.
const ROUND: Duration = Duration::from_hours(2);

/// What the calls about one account meet, every time.
#[derive(Clone, Debug)]
pub struct Anything {
    /// Which of them: to read it, to write its marker, to block or unblock it.
    pub reads: bool,
    pub markers: bool,
    pub changes: bool,
    pub answer: Odd,
}

/// One answer, or none.
#[derive(Clone, Debug)]
pub enum Odd {
    Answers {
        status: u16,
        pause: Option<u64>,
        body: &'static str,
        kind: &'static str,
    },
    NoConnection,
    Cut,
    Hangs,
}

impl Anything {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let (reads, markers, changes) = *[
            (true, false, false),
            (false, true, false),
            (false, false, true),
            (false, false, true),
            (false, true, true),
            (true, true, true),
        ]
        .choose(rng)
        .unwrap();
        Self {
            reads,
            markers,
            changes,
            answer: Odd::draw(rng),
        }
    }

    pub fn strikes(&self, method: &Method) -> bool {
        match *method {
            Method::GET => self.reads,
            Method::PUT => self.markers,
            _ => self.changes,
        }
    }
}

impl Odd {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        match rng.random_range(0..20) {
            0 => return Self::NoConnection,
            1 => return Self::Cut,
            2 => return Self::Hangs,
            _ => {}
        }
        let status = *[
            200, 201, 204, 301, 302, 303, 400, 401, 403, 404, 405, 408, 409, 422, 423, 429, 451,
            500, 501, 502, 503, 504, 599,
        ]
        .choose(rng)
        .unwrap();
        let pause = rng.random_bool(0.3).then(|| rng.random_range(0..90));
        let (body, kind) = *[
            ("<html></html>", "text/html"),
            ("", "text/plain"),
            ("{}", "application/json"),
            ("[]", "application/json"),
            ("false", "application/json"),
            ("\"true\"", "application/json"),
            ("{\"message\":\"no\"}", "application/json"),
            ("{\"message\":\"403 Forbidden\"}", "application/json"),
            ("{\"error\":\"insufficient_scope\"}", "application/json"),
            (
                "{\"message\":\"500 Internal Server Error\"}",
                "application/json",
            ),
            (
                "{\"message\":{\"name\":[\"is blank\"]}}",
                "application/json",
            ),
        ]
        .choose(rng)
        .unwrap();
        Self::Answers {
            status,
            pause,
            body,
            kind,
        }
    }
}

#[test]
fn whatever_a_hundred_accounts_answer_for_ever_every_other_reaches_its_end() {
    let (first, seeds) = match number("FAULT_SEED") {
        Some(seed) => (seed, 1),
        None => (
            number("FAULT_FIRST").unwrap_or(1),
            number("FAULT_SCHEDULES").unwrap_or(SEEDS),
        ),
    };
    let starved = STARVED.into_iter().filter(|_| seeds > 1);
    let failed: Vec<_> = (first..first + seeds)
        .chain(starved)
        .filter_map(|seed| {
            let wrong = play(seed);
            (!wrong.is_empty()).then(|| format!("FAULT_SEED={seed}: {}", wrong.join("; ")))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What went wrong in the schedule of `seed`.
fn play(seed: u64) -> Vec<String> {
    fastrand::seed(seed);
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(schedule(seed))
}

async fn schedule(seed: u64) -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let odd = rng.random_range(1..=100_u64);
    let accounts = odd + rng.random_range(1..=150);
    let upstreams = Arc::new(Upstreams::of_members(accounts));
    let mut ids: Vec<u64> = (10..10 + accounts).collect();
    let mut odd_ones = BTreeSet::new();
    while (odd_ones.len() as u64) < odd {
        let id = ids.swap_remove(rng.random_range(0..ids.len()));
        odd_ones.insert(id);
        upstreams.lock().odd.insert(id, Anything::draw(&mut rng));
    }
    upstreams.lock().conditions = Conditions::Fine;
    let places = *[4, 20, 50, 1_000].choose(&mut rng).unwrap();
    let queues = Queues::new(&upstreams);
    let process = Process::start(&upstreams, &queues, places);
    let mut wrong = Vec::new();
    for _ in 0..ROUNDS {
        queues
            .ticks
            .put("{}".into(), std::collections::BTreeMap::new());
        let until = Instant::now() + ROUND;
        while Instant::now() < until && !(queues.is_empty() && all_right(&upstreams, &ids)) {
            sleep(Duration::from_secs(10)).await;
        }
        if all_right(&upstreams, &ids) {
            break;
        }
    }
    drop(process);
    for id in ids.iter().filter(|id| !is_right(&upstreams, **id)) {
        wrong.push(format!("account {id} never reached its end"));
    }
    for id in queues.users.dead_accounts() {
        if !odd_ones.contains(&id) {
            wrong.push(format!("the message of account {id} is a dead letter"));
        }
    }
    wrong.append(&mut upstreams.lock().wrong);
    if !wrong.is_empty() {
        let kinds: Vec<_> = upstreams.lock().odd.values().cloned().collect();
        wrong.push(format!(
            "{places} places, {accounts} accounts, {odd} odd: {kinds:?}"
        ));
    }
    wrong
}

fn all_right(upstreams: &Upstreams, ids: &[u64]) -> bool {
    ids.iter().all(|id| is_right(upstreams, *id))
}

fn is_right(upstreams: &Upstreams, id: u64) -> bool {
    let expected = upstreams.lock().ledger.expected(id);
    upstreams.gitlab.account(id).map(|account| account.state) == expected
}
