//! Who waits for a gate, and how long a message may.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use backoff::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::{
    sync::{Notify, Semaphore},
    time::sleep,
};

use super::held_runs::HeldRuns;
use crate::{
    gate::Subject,
    messaging::{Delivery, Hold, HoldPoint, topology::MAX_DELIVERY_ATTEMPTS},
};

/// Before a message that was held waits again. The gate has its own pauses; these are for a message
/// that is held again and again though the gate opens. Each has jitter, or the one that fails would
/// lead each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest of them, before jitter, which adds up to as much again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Held so often by its own failed call, while others succeed at the same, a message is to blame
/// itself.
const HOLDS: u32 = 5;
/// While those who wait fill more than half of the slots, one of them leaves so often, before
/// jitter.
const LEAVE_EVERY: Duration = Duration::from_secs(5);
/// After so many failed probes a message gives its slot to another. Where all slots are held by
/// messages that fail for reasons of their own, no probe of theirs would ever open the gate.
const FAILED_PROBES: u32 = 3;
/// A message that was delivered so often leaves no slot any more: each time is a delivery, and
/// Pub/Sub dead-letters a message that it delivered too often, however long an outage lasts.
const MOST_DELIVERIES: u32 = MAX_DELIVERY_ATTEMPTS / 2;
/// Messages that left a slot and are remembered, at most.
const REMEMBERED: usize = 10_000;

/// What the messages of one stage that wait for a gate share.
#[derive(Debug)]
pub struct Holds {
    slots: usize,
    inner: Mutex<HoldsState>,
    /// Who has waited longest is the next to leave, and the only one to ask whether it has to.
    leaves_next: Semaphore,
    pub(super) runs: HeldRuns,
}

#[derive(Debug, Default)]
struct HoldsState {
    at_work: usize,
    held: usize,
    numbers: u64,
    by_subject: HashMap<Subject, WaitingMessage>,
    /// How often each message left its slot. Pub/Sub counts that as a delivery, and it is no
    /// attempt.
    left: HashMap<String, u32>,
}

/// The one message about its subject that waits.
#[derive(Debug)]
struct WaitingMessage {
    number: u64,
    delivery: Arc<Delivery>,
    superseded: Arc<Notify>,
}

/// A message that the stage works on, until it is dropped.
pub(super) struct AtWork<'a>(&'a Holds);

/// A message that waits, until it is dropped.
pub(super) struct Held<'a> {
    holds: &'a Holds,
    subject: Option<Subject>,
    number: u64,
    superseded: Arc<Notify>,
}

impl Holds {
    /// Of a stage that works on so many messages at once.
    pub fn new(slots: usize) -> Self {
        Self {
            slots,
            inner: Mutex::default(),
            leaves_next: Semaphore::new(1),
            runs: HeldRuns::default(),
        }
    }

    pub(super) fn begin(&self) -> AtWork<'_> {
        self.inner().at_work += 1;
        AtWork(self)
    }

    /// Has `delivery` wait. Of two messages about the same subject the one that the other covers is
    /// superseded: `None` where it is this one. Where neither covers the other, both wait.
    pub(super) fn hold(
        &self,
        delivery: &Arc<Delivery>,
        subject: Option<Subject>,
        covers: impl Fn(&Delivery, &Delivery) -> bool,
    ) -> Option<Held<'_>> {
        let mut inner = self.inner();
        let other = subject
            .as_ref()
            .and_then(|subject| inner.by_subject.get(subject));
        let subject = match other {
            Some(other)
                if is_newer(delivery, &other.delivery) && covers(delivery, &other.delivery) =>
            {
                other.superseded.notify_one();
                subject
            }
            Some(other) if covers(&other.delivery, delivery) => return None,
            Some(other) if covers(delivery, &other.delivery) => {
                other.superseded.notify_one();
                subject
            }
            Some(_) => None,
            None => subject,
        };
        inner.numbers += 1;
        inner.held += 1;
        let (number, superseded) = (inner.numbers, Arc::<Notify>::default());
        if let Some(subject) = &subject {
            let waiting = WaitingMessage {
                number,
                delivery: Arc::clone(delivery),
                superseded: Arc::clone(&superseded),
            };
            inner.by_subject.insert(subject.clone(), waiting);
        }
        Some(Held {
            holds: self,
            subject,
            number,
            superseded,
        })
    }

    /// Returns when the message that waits has to leave its slot to others, and takes down that it
    /// did. `others`: there may be some that need not wait.
    pub(super) async fn leaves(&self, delivery: &Delivery, others: impl Fn() -> bool) {
        let _turn = self.leaves_next.acquire().await;
        loop {
            sleep(LEAVE_EVERY.mul_f64(1.0 + fastrand::f64())).await;
            if others() && self.is_turn_to_leave(delivery) {
                return;
            }
        }
    }

    /// How often the message left its slot to others.
    pub(super) fn times_left(&self, delivery: &Delivery) -> u32 {
        let inner = self.inner();
        inner.left.get(&delivery.message_id).copied().unwrap_or(0)
    }

    /// The message has come to its end.
    pub(super) fn forget(&self, delivery: &Delivery) {
        self.inner().left.remove(&delivery.message_id);
    }

    /// Whether the message that probed in vain leaves its slot to another, which is taken down.
    /// Where a slot is free, another has one already.
    pub(super) fn gives_way(&self, delivery: &Delivery) -> bool {
        self.inner().leaves(delivery, self.slots)
    }

    fn is_turn_to_leave(&self, delivery: &Delivery) -> bool {
        let mut inner = self.inner();
        let half = inner.held.saturating_mul(2) > self.slots;
        half && inner.leaves(delivery, self.slots)
    }

    fn inner(&self) -> MutexGuard<'_, HoldsState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HoldsState {
    /// Whether the message may leave one of `slots`, and takes down that it does.
    fn leaves(&mut self, delivery: &Delivery, slots: usize) -> bool {
        let full = slots > 1 && self.at_work >= slots;
        let left = self.left.get(&delivery.message_id).copied();
        let delivered = delivery.delivery_attempt.or(left).unwrap_or(0);
        if !full || delivered >= MOST_DELIVERIES {
            return false;
        }
        if self.left.len() >= REMEMBERED {
            self.left.clear();
        }
        *self.left.entry(delivery.message_id.clone()).or_default() += 1;
        true
    }
}

impl Held<'_> {
    /// Returns when another message covers this one.
    pub(super) async fn superseded(&self) {
        self.superseded.notified().await;
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.inner().at_work -= 1;
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut inner = self.holds.inner();
        inner.held -= 1;
        if let Some(subject) = &self.subject
            && inner
                .by_subject
                .get(subject)
                .is_some_and(|waiting| waiting.number == self.number)
        {
            inner.by_subject.remove(subject);
        }
    }
}

/// Whether `one` was published after `other`; where it is not known, who comes later counts as
/// newer.
fn is_newer(one: &Delivery, other: &Delivery) -> bool {
    match (one.publish_time, other.publish_time) {
        (Some(one), Some(other)) => one >= other,
        (None, _) | (_, None) => true,
    }
}

/// How long one message goes on being held.
pub(super) struct HoldBackoff {
    pauses: ExponentialBackoff,
    /// At the last failure of its own: what for, and how many had succeeded at that.
    seen: Option<(&'static str, u64)>,
    alone: u32,
    holds: u32,
    failed_probes: u32,
}

impl HoldBackoff {
    pub(super) fn new() -> Self {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .without_max_times()
            .with_jitter()
            .build();
        Self {
            pauses,
            seen: None,
            alone: 0,
            holds: 0,
            failed_probes: 0,
        }
    }

    /// What the message is to blame for, where it was held long enough.
    pub(super) fn ends<'a>(&mut self, hold: &'a Hold) -> Option<&'a str> {
        let met = hold.met.as_ref()?;
        let successes = match &hold.at {
            HoldPoint::Gate(gate) => gate.successes(met.purpose),
            HoldPoint::Pause(_) => return None,
        };
        if let Some((purpose, before)) = self.seen.replace((met.purpose, successes))
            && purpose == met.purpose
            && successes > before
        {
            self.alone += 1;
        }
        (self.alone >= HOLDS).then_some(met.why.as_str())
    }

    /// Whether another message is to probe the gate instead: the calls of this one, let through
    /// as probes, have failed often enough.
    pub(super) fn has_probed_in_vain(&mut self, hold: &Hold, was_probe: bool) -> bool {
        if was_probe && hold.met.is_some() {
            self.failed_probes += 1;
        }
        self.failed_probes >= FAILED_PROBES
    }

    /// Before it waits for the gate: nothing where it only met a closed one.
    pub(super) fn pause(&mut self, hold: &Hold) -> Duration {
        self.holds += 1;
        if self.holds == 1 && hold.met.is_none() {
            return Duration::ZERO;
        }
        self.pauses.next().unwrap_or(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::collections::BTreeMap;

    use bytes::Bytes;
    use jiff::Timestamp;
    use tokio::time::timeout;

    use super::*;

    fn message(id: u64) -> Arc<Delivery> {
        Arc::new(Delivery {
            message_id: format!("m{id}"),
            body: Bytes::new(),
            attributes: BTreeMap::new(),
            publish_time: Timestamp::from_second(i64::try_from(id).unwrap()).ok(),
            delivery_attempt: Some(1),
        })
    }

    async fn is_superseded(held: &Held<'_>) -> bool {
        timeout(Duration::from_secs(1), held.superseded())
            .await
            .is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_messages_about_one_account_the_newer_waits_and_the_older_is_superseded() {
        let holds = Holds::new(8);
        let account = || Some(Subject::account(1));
        let older = holds.hold(&message(1), account(), |_, _| true).unwrap();
        let newer = holds.hold(&message(2), account(), |_, _| true).unwrap();
        assert!(is_superseded(&older).await);
        drop(older);
        assert!(holds.hold(&message(1), account(), |_, _| true).is_none());
        assert!(!is_superseded(&newer).await);
        let other = holds.hold(&message(3), Some(Subject::account(2)), |_, _| true);
        assert!(!is_superseded(&newer).await);
        drop((newer, other));
        assert!(holds.inner().by_subject.is_empty());
        assert_eq!(holds.inner().held, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn two_of_which_neither_covers_the_other_both_wait() {
        let holds = Holds::new(8);
        let account = || Some(Subject::account(1));
        let one = holds.hold(&message(1), account(), |_, _| false).unwrap();
        let two = holds.hold(&message(2), account(), |_, _| false).unwrap();
        assert!(!is_superseded(&one).await && !is_superseded(&two).await);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_leave_one_by_one_until_half_of_the_places_is_free() {
        let holds = Holds::new(4);
        let _at_work: Vec<_> = (0..4).map(|_| holds.begin()).collect();
        let messages: Vec<_> = (0..4).map(message).collect();
        let mut held: Vec<_> = messages
            .iter()
            .map(|message| holds.hold(message, None, |_, _| false))
            .collect();
        let patience = Duration::from_mins(5);
        let leaves = async |number: usize| {
            let leaving = holds.leaves(&messages[number], || true);
            timeout(patience, leaving).await.is_ok()
        };
        assert!(
            timeout(patience, holds.leaves(&messages[0], || false))
                .await
                .is_err()
        );
        for number in [3, 2] {
            assert!(leaves(number).await);
            held.pop();
        }
        assert!(!leaves(1).await, "two of four are not more than half");
        assert_eq!(holds.times_left(&messages[3]), 1);
        holds.forget(&messages[3]);
        assert_eq!(holds.times_left(&messages[3]), 0);
    }
}
