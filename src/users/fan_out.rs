//! The first stage: a tick becomes one message for each account, or nothing at all.
//!
//! It promises that a run's messages are published only after the whole of both sides was read
//! and the guard agreed, and that the tick is done only when every one of them is confirmed.
//! Killed before that, the tick is delivered again and all of it is done afresh.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{TryStreamExt, stream::FuturesUnordered};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use metrics::{counter, gauge};

pub use super::user_messages::UserMessages;
use super::{
    guard::GuardLimits,
    notices::{self, ControlsReminder},
    on_its_way::OnItsWay,
    outcome::Recorder,
    plan::{Decided, Plan},
    refusals::RunRefusal,
    report::Reports,
    rules::Rules,
    sweep::{Progress, SweepError},
    sweeps::Sweeps,
};
use crate::{
    config::FanOutMessages,
    failpoint, gitlab,
    messaging::{
        DeadLetter, Delivery, Disposition, Handler, PubSubError, Stage, StageMessages, attributes,
        consumer::Records,
        dead_letters,
        wire::{Cause, OutcomeKind, SyncTick, UserRequest, Who},
    },
    pause::WriteSwitch,
};

/// How long before a sweep a tick must have been published to be covered by it: two clocks.
const COALESCE_MARGIN: SignedDuration = SignedDuration::from_mins(1);
/// How long a tick's own percentages hold after it was published.
const OVERRIDE_LAPSES: SignedDuration = SignedDuration::from_hours(1);
/// Messages handed to the publisher at once; it bounds memory, and this bounds the futures.
const PUBLISHING: usize = 4_096;

/// The fan-out stage.
#[derive(Debug)]
pub struct FanOut<P = StageMessages> {
    gitlab: gitlab::Client,
    rules: Arc<Rules>,
    /// `None` in dry run.
    writes_when: Option<WriteSwitch>,
    messages: FanOutMessages,
    users: P,
    last_sweep: Mutex<Option<FinishedSweep>>,
    on_its_way: Mutex<OnItsWay>,
    sweeps: Sweeps,
    reports: Reports,
    reminder: ControlsReminder,
}

/// A sweep that was completed by this process.
#[derive(Clone, Copy, Debug)]
struct FinishedSweep {
    began: Timestamp,
    dry_run: bool,
}

/// What one tick asks for.
#[derive(Debug)]
struct Asked<'a> {
    delivery: &'a Delivery,
    tick: SyncTick,
    dry_run: bool,
    now: Timestamp,
}

impl Asked<'_> {
    /// Leaves on record that this run has limits of its own, who wanted them and why: Pub/Sub's own
    /// audit log, which knows the publisher, is not where an operator looks first.
    fn tell_override(&self) {
        let SyncTick {
            max_block_percent,
            max_unblock_percent,
            reason,
            requested_by,
            ..
        } = &self.tick;
        if max_block_percent.is_some() || max_unblock_percent.is_some() {
            tracing::warn!(
                event = "guard_overridden",
                run = self.delivery.run(),
                message_id = self.delivery.message_id,
                max_block_percent,
                max_unblock_percent,
                reason,
                requested_by,
                "this run has limits of its own"
            );
        }
    }
}

impl<P: UserMessages> FanOut<P> {
    /// A fan-out of what `sweeps` read, that publishes to `users`: dry runs alone without `writes_when`, and while that
    /// holds writes back.
    pub fn new(
        gitlab: gitlab::Client,
        sweeps: Sweeps,
        rules: Arc<Rules>,
        writes_when: Option<WriteSwitch>,
        messages: FanOutMessages,
        users: P,
    ) -> Self {
        let on_its_way = OnItsWay::new(rules.plan_lapses);
        Self {
            gitlab,
            rules,
            writes_when,
            messages,
            users,
            last_sweep: Mutex::new(None),
            on_its_way: Mutex::new(on_its_way),
            sweeps,
            reports: Reports::default(),
            reminder: ControlsReminder::default(),
        }
    }

    /// The same, telling of runs that read or wait where records go.
    #[must_use]
    pub fn reporting_to(self, records: Arc<dyn Records>) -> Self {
        Self {
            reports: Reports::to(records),
            ..self
        }
    }

    async fn tick(&self, delivery: &Delivery) -> Disposition {
        let tick = match SyncTick::decode(&delivery.body) {
            Ok(tick) => tick,
            Err(error) => return error.into(),
        };
        let dry_run = self.writes_when.is_none() || tick.dry_run == Some(true);
        let run = Asked {
            delivery,
            tick,
            dry_run,
            now: Timestamp::now(),
        };
        let mut recorder = Recorder::start(delivery);
        recorder.fields().dry_run = Some(dry_run);
        if self.is_covered(&run) {
            return Disposition::Done(recorder.run(OutcomeKind::Coalesced, None));
        }
        if let Some(switch) = self.held_by(&run) {
            return Disposition::Hold(switch.into());
        }
        if let Err(unread) = self.users.check_reader().await {
            return Disposition::Retry(format!("the run does not start: {unread}"));
        }
        match self.read_and_decide(&run).await {
            Ok(plan) => match self.held_by(&run) {
                Some(switch) => Disposition::Hold(switch.into()),
                None => self.guard_and_publish(&run, &plan, recorder).await,
            },
            Err(error) => match RunRefusal::try_from(error) {
                Ok(refusal) => refuse(refusal, recorder, None),
                Err(error) => super::failure::disposition(error, &self.gitlab).await,
            },
        }
    }

    /// What holds back the writes that this run would lead to: a plan that is made meanwhile would
    /// lapse.
    fn held_by(&self, run: &Asked<'_>) -> Option<WriteSwitch> {
        self.writes_when
            .as_ref()
            .filter(|_| !run.dry_run)?
            .if_held()
    }

    /// Whether a sweep that began after this tick was published has done its work.
    fn is_covered(&self, run: &Asked<'_>) -> bool {
        let own_limits =
            run.tick.max_block_percent.is_some() || run.tick.max_unblock_percent.is_some();
        let last = *self
            .last_sweep
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match (last, run.delivery.publish_time) {
            (Some(last), Some(published)) if !own_limits => {
                last.dry_run == run.dry_run
                    && last.began.duration_since(published) > COALESCE_MARGIN
            }
            _ => false,
        }
    }

    async fn read_and_decide(&self, run: &Asked<'_>) -> Result<Plan, SweepError> {
        let so_far = Mutex::new(Progress::default());
        let so_far = || so_far.lock().unwrap_or_else(PoisonError::into_inner);
        let progress = |progress| *so_far() = progress;
        let reading = self.sweeps.read(run.now, &progress);
        let sweep = self
            .reports
            .while_reading(run.delivery, || *so_far(), reading)
            .await?;
        self.warn_before_token_expires(run.now).await;
        self.reminder.tell(self.rules.classes.have_controls());
        let today = run.now.to_zoned_datetime(TimeZone::UTC).date();
        let mut plan = Plan::of(sweep, self.rules.policy, today);
        // What lapsed since the oldest row was read may have been written after it.
        let since = plan.began.min(run.now);
        self.on_its_way().count_in(&mut plan, since);
        Ok(plan)
    }

    async fn guard_and_publish(
        &self,
        run: &Asked<'_>,
        plan: &Plan,
        recorder: Recorder,
    ) -> Disposition {
        if let Err(refusal) = plan.check(&self.limits(run)) {
            counter!("sync_guard_refusals_total").increment(1);
            return refuse(RunRefusal::by_guard(&refusal), recorder, Some(plan));
        }
        notices::tell(plan);
        let due: Vec<&Decided> = plan
            .changes_first()
            .filter(|decided| self.is_due(decided))
            .collect();
        if !run.dry_run {
            self.on_its_way().remember(plan, run.now);
        }
        failpoint::pass("before_publishing");
        if let Err(error) = self.publish(run, &due).await {
            return Disposition::Retry(format!("not every user message was confirmed: {error}"));
        }
        failpoint::pass("after_publishing");
        if let Err(unread) = self.users.check_reader().await {
            return Disposition::Retry(format!("the run does not count: {unread}"));
        }
        self.completed(run, plan);
        let mut record = recorder.run(OutcomeKind::RunStarted, Some(plan));
        record.messages = Some(due.len() as u64);
        Disposition::Done(record)
    }

    /// The configured limits, or the tick's own while they hold. A replayed tick has none.
    fn limits(&self, run: &Asked<'_>) -> GuardLimits {
        let lapsed = run
            .delivery
            .publish_time
            .is_none_or(|published| run.now.duration_since(published) > OVERRIDE_LAPSES);
        let configured = self.rules.limits;
        if lapsed || dead_letters::is_replayed(run.delivery) {
            return configured;
        }
        run.tell_override();
        configured.asked_for(run.tick.max_block_percent, run.tick.max_unblock_percent)
    }

    fn on_its_way(&self) -> MutexGuard<'_, OnItsWay> {
        let locked = self.on_its_way.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self, decided: &Decided) -> bool {
        match self.messages {
            FanOutMessages::All => true,
            FanOutMessages::Changes => decided.decision.is_change(),
        }
    }

    async fn publish(&self, run: &Asked<'_>, due: &[&Decided]) -> Result<(), PubSubError> {
        let traceparent = run.delivery.continue_trace();
        let attributes = attributes::for_message(run.delivery.run(), "user_sync", &traceparent);
        let mut publishing = FuturesUnordered::new();
        for decided in due {
            publishing.push(self.publish_one(run, decided, attributes.clone()));
            if publishing.len() >= PUBLISHING {
                publishing.try_next().await?;
            }
        }
        publishing.try_collect().await
    }

    async fn publish_one(
        &self,
        run: &Asked<'_>,
        decided: &Decided,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), PubSubError> {
        let request = UserRequest {
            who: Who::Account(decided.account.id.0),
            cause: Cause::Tick {
                planned: decided.decision.into(),
                planned_reason: Some(decided.decision.reason().to_owned()),
                planned_at: Some(run.now),
            },
            dry_run: run.dry_run,
            requested_by: None,
            reason: None,
        };
        failpoint::pass("while_publishing");
        self.users.publish(&request.to_wire(), attributes).await
    }

    fn completed(&self, run: &Asked<'_>, plan: &Plan) {
        let swept = FinishedSweep {
            began: plan.began,
            dry_run: run.dry_run,
        };
        *self
            .last_sweep
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(swept);
        let mode = if run.dry_run { "dry-run" } else { "apply" };
        for ((decision, reason), count) in &plan.counts {
            counter!("sync_decisions_total", "decision" => *decision, "reason" => *reason, "mode" => mode)
                .increment(*count);
        }
        gauge!("sync_last_successful_run_timestamp_seconds").set(seconds(Timestamp::now()));
    }

    /// After the sweep and best effort. A token of another kind is refused here and good elsewhere,
    /// so that refusal counts as an answer: asked first, it would open a gate that the refused
    /// token had closed.
    async fn warn_before_token_expires(&self, now: Timestamp) {
        if self.gitlab.token_details().await.is_err() {
            return;
        }
        if let Some(expiry) = self.gitlab.token_expiry() {
            expiry.warn_if_soon(now);
        }
    }
}

impl<P: UserMessages> Handler for FanOut<P> {
    fn stage(&self) -> Stage {
        Stage::FanOut
    }

    async fn handle(&self, delivery: Arc<Delivery>) -> Disposition {
        // Boxed: it is large, and there is one at a time.
        Box::pin(self.tick(&delivery)).await
    }
}

/// The end of a tick whose run publishes nothing.
fn refuse(refusal: RunRefusal, recorder: Recorder, plan: Option<&Plan>) -> Disposition {
    let RunRefusal { reason, detail } = refusal;
    let mut record = recorder.run(OutcomeKind::RunRefused(reason), plan);
    record.detail = Some(detail.clone());
    Disposition::DeadLetter(DeadLetter {
        reason,
        detail,
        record: Some(record),
    })
}

#[expect(clippy::cast_precision_loss, reason = "whole seconds stay below 2^52")]
fn seconds(at: Timestamp) -> f64 {
    at.as_second() as f64
}
