//! What becomes of one delivery.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use jiff::Timestamp;
use metrics::counter;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::{
    holds::{HoldBackoff, Holds},
    lease::Lease,
};
use crate::{
    failpoint,
    gate::{ProbePermit, Subject},
    messaging::{
        DeadLetter, DeadLetterReason, Delivery, Disposition, Handler, Hold, HoldPoint, Outcomes,
        PubSubError, Stage, Traceparent, line,
        wire::{OutcomeKind, SyncOutcome},
    },
};

/// From this delivery on, a message that asks for another is dead-lettered.
pub(crate) const LAST_ATTEMPT: u32 = 10;

/// Takes one delivery to its end: asks the handler, and alone acks and nacks. It knows no Pub/Sub,
/// so that faults can be tried on it in memory and under virtual time.
#[derive(Debug)]
pub struct Dispatch<H, D, R> {
    /// Does the work.
    pub handler: H,
    /// Where copies of dead letters go.
    pub dead_letters: D,
    /// Where records go.
    pub records: R,
    /// Who waits for a gate.
    pub holds: Holds,
}

/// Where copies of dead letters go.
pub trait DeadLetters: Send + Sync {
    /// Returns once the copy is confirmed.
    ///
    /// # Errors
    /// When it was not: the message is nacked then.
    fn publish(
        &self,
        stage: Stage,
        delivery: &Delivery,
        letter: &DeadLetter,
    ) -> impl Future<Output = Result<(), PubSubError>> + Send;
}

/// Where records go.
pub trait Records: Send + Sync {
    /// Never waits.
    fn record(&self, record: &SyncOutcome, traceparent: &Traceparent);
}

impl Records for Outcomes {
    fn record(&self, record: &SyncOutcome, traceparent: &Traceparent) {
        Self::record(self, record, traceparent);
    }
}

/// How a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settlement {
    Ack,
    Nack,
}

impl<H: Handler, D: DeadLetters, R: Records> Dispatch<H, D, R> {
    /// Takes `delivery` to its end. After `stopping` nothing is held and nothing becomes a dead
    /// letter.
    pub async fn settle(
        &self,
        delivery: Arc<Delivery>,
        lease: impl Lease,
        stopping: &CancellationToken,
    ) {
        match self.conclude(&delivery, stopping).await {
            Settlement::Ack => {
                failpoint::pass("before_ack");
                lease.ack();
            }
            Settlement::Nack => lease.nack(),
        }
    }

    async fn conclude(&self, delivery: &Arc<Delivery>, stopping: &CancellationToken) -> Settlement {
        let _at_work = self.holds.begin();
        let mut backoff = HoldBackoff::new();
        let mut permit = None;
        loop {
            let was_probe = permit.as_ref().is_some_and(ProbePermit::is_probe);
            let (disposition, took) = self.ask(delivery, permit.take()).await;
            let subject = SettledDelivery {
                stage: self.handler.stage(),
                delivery,
                took,
            };
            let hold = match disposition {
                Disposition::Done(record) => return self.done(&subject, *record),
                // Boxed: they are rare and would make every message's task large.
                Disposition::Retry(why) => {
                    return Box::pin(self.retry(&subject, why, stopping)).await;
                }
                Disposition::DeadLetter(letter) => {
                    return Box::pin(self.dead_letter(&subject, letter, stopping)).await;
                }
                Disposition::Hold(hold) => hold,
            };
            if let Some(why) = backoff.ends(&hold) {
                return Box::pin(self.retry(&subject, why.to_owned(), stopping)).await;
            }
            if backoff.has_probed_in_vain(&hold, was_probe) && self.holds.gives_way(delivery) {
                return subject.left();
            }
            subject.held();
            let pause = backoff.pause(&hold);
            match Box::pin(self.wait(delivery, &hold, pause, stopping)).await {
                Waited::Passes(leave) => permit = leave,
                Waited::Superseded => {
                    let record = self.handler.superseded(delivery);
                    return self.done(&subject, record);
                }
                Waited::Leaves => return subject.left(),
                Waited::Stops => return Settlement::Nack,
            }
        }
    }

    /// Waits until the message may be handled again, if it is.
    async fn wait(
        &self,
        delivery: &Arc<Delivery>,
        hold: &Hold,
        pause: Duration,
        stopping: &CancellationToken,
    ) -> Waited {
        let at = &hold.at;
        let about = self.handler.subject(delivery);
        let again =
            hold.met.is_some() || about.as_ref().is_some_and(|about| is_failing_at(at, about));
        let covers = |one: &Delivery, other: &Delivery| self.handler.covers(one, other);
        let Some(waiting) = self.holds.hold(delivery, about, covers) else {
            return Waited::Superseded;
        };
        let others = || !(at.withholds_all() && self.handler.all_wait_at(at));
        // In this order always: an order drawn by lot would be a schedule of faults that no seed
        // replays.
        tokio::select! {
            biased;
            () = stopping.cancelled() => Waited::Stops,
            () = waiting.superseded() => Waited::Superseded,
            leave = pass(at, pause, again) => Waited::Passes(leave),
            () = self.holds.leaves(delivery, others) => Waited::Leaves,
            never = self.holds.runs.tell(&self.records, self.handler.stage(), delivery, hold) => match never {},
        }
    }

    /// Asks the handler, and how long it took. Its panic is a bug, and no reason to lose this
    /// message or the others. The leave to pass a gate, if there is one, is kept until it has
    /// answered.
    async fn ask(
        &self,
        delivery: &Arc<Delivery>,
        _permit: Option<ProbePermit>,
    ) -> (Disposition, Duration) {
        let started = Instant::now();
        let handled = async { self.handler.handle(Arc::clone(delivery)).await };
        let disposition = AssertUnwindSafe(handled)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| {
                error!(
                    event = "handler_panicked",
                    stage = %self.handler.stage(),
                    message_id = delivery.message_id,
                    run = delivery.run(),
                );
                Disposition::Retry("the handler panicked".to_owned())
            });
        (disposition, started.elapsed())
    }

    fn done(&self, subject: &SettledDelivery<'_>, record: SyncOutcome) -> Settlement {
        self.holds.forget(subject.delivery);
        subject.count("done");
        self.records
            .record(&subject.complete(record), &subject.trace());
        Settlement::Ack
    }

    async fn retry(
        &self,
        subject: &SettledDelivery<'_>,
        why: String,
        stopping: &CancellationToken,
    ) -> Settlement {
        let given_up = LAST_ATTEMPT.saturating_add(self.holds.times_left(subject.delivery));
        let exhausted = subject
            .delivery
            .delivery_attempt
            .is_some_and(|attempt| attempt >= given_up);
        if !exhausted || stopping.is_cancelled() {
            return subject.retried(&why, &self.handler.about(subject.delivery));
        }
        let letter = DeadLetter {
            reason: DeadLetterReason::AttemptsExhausted,
            detail: why,
            record: None,
        };
        self.dead_letter(subject, letter, stopping).await
    }

    async fn dead_letter(
        &self,
        subject: &SettledDelivery<'_>,
        letter: DeadLetter,
        stopping: &CancellationToken,
    ) -> Settlement {
        if stopping.is_cancelled() {
            return subject.retried("shutting down", &self.handler.about(subject.delivery));
        }
        failpoint::pass("before_dead_letter");
        let published = self
            .dead_letters
            .publish(subject.stage, subject.delivery, &letter)
            .await;
        if let Err(error) = published {
            let why = format!("{error}; its reason was {}", letter.reason);
            return subject.retried(&why, &self.handler.about(subject.delivery));
        }
        failpoint::pass("after_dead_letter");
        self.holds.forget(subject.delivery);
        subject.count("dead_letter");
        counter!("sync_dead_letters_total", "stage" => subject.stage.as_str(), "reason" => letter.reason.as_str())
            .increment(1);
        let record = self.dead_record(letter, subject.delivery);
        self.records
            .record(&subject.complete(record), &subject.trace());
        Settlement::Ack
    }

    fn dead_record(&self, letter: DeadLetter, delivery: &Delivery) -> SyncOutcome {
        let mut record = letter
            .record
            .map_or_else(|| self.handler.about(delivery), |known| *known);
        record
            .kind
            .get_or_insert_with(|| OutcomeKind::DeadLettered.as_str().to_owned());
        record.dead_letter_reason = Some(letter.reason.as_str().to_owned());
        record.detail = Some(line::detail(&letter.detail));
        record
    }
}

/// The delivery that is being settled.
struct SettledDelivery<'a> {
    stage: Stage,
    delivery: &'a Delivery,
    /// How long the handler took.
    took: Duration,
}

impl SettledDelivery<'_> {
    fn count(&self, disposition: &'static str) {
        counter!("sync_messages_total", "stage" => self.stage.as_str(), "disposition" => disposition)
            .increment(1);
    }

    fn held(&self) {
        self.count("hold");
        debug!(
            event = "message_held",
            stage = %self.stage,
            message_id = self.delivery.message_id,
            run = self.delivery.run(),
        );
    }

    fn trace(&self) -> Traceparent {
        self.delivery.continue_trace()
    }

    /// It leaves its slot to messages that need not wait. That is no attempt.
    fn left(&self) -> Settlement {
        self.count("hold");
        debug!(
            event = "message_left",
            stage = %self.stage,
            message_id = self.delivery.message_id,
            run = self.delivery.run(),
        );
        Settlement::Nack
    }

    fn retried(&self, why: &str, about: &SyncOutcome) -> Settlement {
        self.count("retry");
        warn!(
            event = "message_retried",
            stage = %self.stage,
            message_id = self.delivery.message_id,
            run = self.delivery.run(),
            gitlab_user_id = about.gitlab_user_id,
            namespace_id = about.namespace_id,
            delivery_attempt = self.delivery.delivery_attempt,
            why = line::detail(why),
        );
        Settlement::Nack
    }

    /// `record` with what the delivery knows, where the handler left it open.
    fn complete(&self, mut record: SyncOutcome) -> SyncOutcome {
        let delivery = self.delivery;
        record.run.get_or_insert_with(|| delivery.run().to_owned());
        record
            .stage
            .get_or_insert_with(|| self.stage.as_str().to_owned());
        record
            .message_id
            .get_or_insert_with(|| delivery.message_id.clone());
        record
            .milliseconds
            .get_or_insert_with(|| u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX));
        record
            .at
            .get_or_insert_with(|| Timestamp::now().to_string());
        record.delivery_attempt = record.delivery_attempt.or(delivery.delivery_attempt);
        record
    }
}

/// How a wait ended.
enum Waited {
    /// It may be handled again, and is the probe of a gate where it has leave to be.
    Passes(Option<ProbePermit>),
    /// Another message covers it.
    Superseded,
    /// It is given back, for others to have its slot.
    Leaves,
    /// The stage stops.
    Stops,
}

/// Pauses first: who has been let through a gate may be its probe, and must go at once.
async fn pass(at: &HoldPoint, pause: Duration, again: bool) -> Option<ProbePermit> {
    sleep(pause).await;
    match at {
        HoldPoint::Gate(gate) if again => Some(gate.passable_again().await),
        HoldPoint::Gate(gate) => Some(gate.passable().await),
        HoldPoint::Pause(switch) => {
            switch.passable().await;
            None
        }
    }
}

/// Whether the last call about `about` failed where the message waits.
fn is_failing_at(at: &HoldPoint, about: &Subject) -> bool {
    match at {
        HoldPoint::Gate(gate) => gate.is_failing(about),
        HoldPoint::Pause(_) => false,
    }
}
