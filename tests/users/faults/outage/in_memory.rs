//! Hours of outage in virtual time: nothing becomes a dead letter, nothing is lost, and all is done
//! minutes after.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::faults::{
    conditions::{Conditions, Side},
    process::{Process, Queues},
    upstreams::Upstreams,
};

const MESSAGES: u64 = 5_000;
/// Where the number matters less.
const FEWER: u64 = 1_000;
/// How long after its return everything is done at the latest.
const MINUTES: Duration = Duration::from_mins(15);

/// A run's messages wait, and the upstreams fail.
struct Outage {
    upstreams: Arc<Upstreams>,
    queues: Queues,
    process: Process,
    returned: Instant,
}

impl Outage {
    /// With `conditions` for `lasts`, and a new process in place of the old one `restarts` times
    /// meanwhile.
    async fn of(messages: u64, conditions: Conditions, lasts: Duration, restarts: u32) -> Self {
        let upstreams = Arc::new(Upstreams::of_members(messages));
        let queues = Queues::new(&upstreams);
        publish(&upstreams, &queues);
        upstreams.lock().conditions = conditions;
        let mut process = Process::start(&upstreams, &queues, 1_000);
        for _ in 0..restarts {
            sleep(lasts / (restarts + 1)).await;
            process = Process::start(&upstreams, &queues, 1_000);
        }
        sleep(lasts / (restarts + 1)).await;
        let changes = upstreams.lock().figures.changes;
        assert_eq!(changes, 0, "nothing can be changed under these conditions");
        upstreams.lock().conditions = Conditions::Fine;
        Self {
            upstreams,
            queues,
            process,
            returned: Instant::now(),
        }
    }

    /// Waits until nothing waits any more, and looks at everything.
    async fn all_is_done(self) {
        while !self.queues.is_empty() {
            assert!(self.returned.elapsed() < MINUTES, "some still wait");
            sleep(Duration::from_secs(1)).await;
        }
        drop(self.process);
        assert_eq!(self.queues.users.dead(), [], "no dead letter");
        assert_eq!(self.upstreams.lock().wrong, [] as [&str; 0]);
        for id in self.upstreams.gitlab.snapshot().into_keys() {
            let expected = self.upstreams.lock().ledger.expected(id);
            assert_eq!(
                self.upstreams
                    .gitlab
                    .account(id)
                    .map(|account| account.state),
                expected,
                "account {id}"
            );
        }
        let changes = self.upstreams.lock().figures.changes;
        assert_eq!(
            changes,
            self.upstreams.gitlab.snapshot().len() as u64 - 1,
            "each once"
        );
    }

    /// How many requests went to GitLab after the first minute, in which the gate learns that it is
    /// down.
    fn asked_since_closed(&self) -> usize {
        let asked = self.asked();
        let closed = asked[0] + Duration::from_mins(1);
        asked.iter().filter(|at| **at > closed).count()
    }

    /// Requests to GitLab while it was down.
    fn asked(&self) -> Vec<Instant> {
        let inner = self.upstreams.lock();
        let to_gitlab = inner.asked.iter().filter(|(_, side)| *side == Side::GitLab);
        to_gitlab.map(|(at, _)| *at).collect()
    }
}

/// What a fan-out publishes.
fn publish(upstreams: &Upstreams, queues: &Queues) {
    let attributes = BTreeMap::from([("run".to_owned(), "r1".to_owned())]);
    let now = jiff::Timestamp::now().to_string();
    for account in upstreams
        .gitlab
        .snapshot()
        .into_values()
        .filter(|account| account.id != 1)
    {
        let (planned, reason) = match account.id % 2 {
            0 => ("unblock", "no_longer_cancelled"),
            _ => ("block", "cancelled_in_lookup"),
        };
        let body = json!({"gitlab_user_id": account.id, "cause": "tick", "planned": planned,
            "planned_reason": reason, "planned_at": now});
        queues
            .users
            .put(body.to_string().into(), attributes.clone());
    }
}

#[tokio::test(start_paused = true)]
async fn two_hours_without_gitlab_cost_five_thousand_messages_no_attempt() {
    let conditions = Conditions::Down(Side::GitLab);
    let outage = Outage::of(MESSAGES, conditions, Duration::from_hours(2), 0).await;
    let asked = outage.asked_since_closed();
    assert!(asked < 400, "{asked} requests to a GitLab that is down");
    assert_eq!(outage.queues.users.most_attempts(), 1);
    outage.all_is_done().await;
}

#[tokio::test(start_paused = true)]
async fn ten_restarts_during_an_outage_lose_nothing_and_dead_letter_nothing() {
    let conditions = Conditions::Down(Side::GitLab);
    let outage = Outage::of(MESSAGES, conditions, Duration::from_hours(2), 10).await;
    outage.all_is_done().await;
}

#[tokio::test(start_paused = true)]
async fn an_hour_with_an_expired_token_costs_nothing() {
    let conditions = Conditions::Refused(Side::GitLab);
    let outage = Outage::of(FEWER, conditions, Duration::from_hours(1), 0).await;
    let asked = outage.asked_since_closed();
    assert!(asked < 200, "{asked} requests with a token that is refused");
    assert_eq!(outage.queues.users.most_attempts(), 1);
    outage.all_is_done().await;
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_maintenance_mode_costs_nothing() {
    let outage = Outage::of(FEWER, Conditions::Maintenance, Duration::from_hours(1), 0).await;
    assert_eq!(outage.queues.users.most_attempts(), 1);
    outage.all_is_done().await;
}

#[tokio::test(start_paused = true)]
async fn two_hours_without_lookup_cost_nothing() {
    let conditions = Conditions::Down(Side::Lookup);
    let outage = Outage::of(FEWER, conditions, Duration::from_hours(2), 0).await;
    // Whoever needs no Lookup gets the place of one who waits, one every five seconds; that is no
    // attempt.
    let given_back = outage.upstreams.lock().figures.deliveries - FEWER;
    assert!(given_back <= 2 * 3_600 / 5, "{given_back} given back");
    outage.all_is_done().await;
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_of_429_are_asked_no_oftener_than_retry_after_allows() {
    let conditions = Conditions::Throttled(Side::GitLab, 60);
    let outage = Outage::of(FEWER, conditions, Duration::from_mins(10), 0).await;
    let asked = outage.asked();
    let first = asked[0];
    // Calls that were under way when the first 429 came; after it one a minute at most.
    let at_once = asked
        .iter()
        .filter(|at| at.duration_since(first) < Duration::from_secs(1))
        .count();
    assert!(
        at_once <= crate::faults::process::calls().concurrency,
        "{at_once} before the first answer"
    );
    for pair in asked[at_once - 1..].windows(2) {
        let pause = pair[1].duration_since(pair[0]);
        assert!(
            pause >= Duration::from_mins(1),
            "asked again after {pause:?}"
        );
    }
    assert_eq!(outage.queues.users.most_attempts(), 1);
    outage.all_is_done().await;
}

/// One write that fails may be its account's own fault, and spends an attempt. When all fail it is
/// GitLab.
#[tokio::test(start_paused = true)]
async fn three_hours_in_which_every_write_fails_make_no_dead_letter() {
    let outage = Outage::of(FEWER, Conditions::NoChanges, Duration::from_hours(3), 0).await;
    // The first that failed, alone as far as was known; and one every five seconds makes room for
    // others.
    let again = outage.upstreams.lock().figures.deliveries - FEWER;
    assert!(again <= 3 * 3_600 / 5 + 3, "{again} deliveries");
    let asked = outage.asked_since_closed();
    assert!(
        asked < 2_000,
        "{asked} requests to a GitLab that changes nothing"
    );
    outage.all_is_done().await;
}

/// Reads and writes succeed, but no look is ever young enough to act on.
#[tokio::test(start_paused = true)]
async fn three_hours_of_a_gitlab_too_slow_to_act_on_make_no_dead_letter() {
    let conditions = Conditions::Slow(Side::GitLab, Duration::from_secs(6));
    let outage = Outage::of(50, conditions, Duration::from_hours(3), 0).await;
    outage.all_is_done().await;
}

#[tokio::test(start_paused = true)]
async fn three_hours_of_a_lookup_too_slow_to_act_on_make_no_dead_letter() {
    let conditions = Conditions::Slow(Side::Lookup, Duration::from_secs(6));
    let outage = Outage::of(50, conditions, Duration::from_hours(3), 0).await;
    outage.all_is_done().await;
}
