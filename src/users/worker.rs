//! The second stage: looks again at one account and its person, decides again, and applies.
//!
//! It promises that a write of a run is made only if this look agrees with the plan, from a look
//! a few seconds old at most, and that it is safe to be killed anywhere and called again.

use std::sync::Arc;

use jiff::Timestamp;
use metrics::counter;

use super::{
    about,
    account::AccountId,
    apply::{ApplyOutcome, apply},
    evaluate::{
        Evaluation, EvaluationInput, Unresolved, evaluate, evaluate_resolution, is_kept_by_plan,
    },
    failure,
    lapse::Lapse,
    observe::Observation,
    outcome::{Recorder, UserSyncResult},
    policy::{AccountChange, Decision},
    refusals::over_resync_limit,
    resolve::resolve_request,
    resync_limit::ResyncLimit,
    rules::Rules,
};
use crate::{
    directory::SharedLooks,
    gate::{Subject, UpstreamId},
    gitlab::{self, WritePermit},
    keyed_lock::KeyedLock,
    messaging::{
        Delivery, Disposition, Handler, HoldPoint, Stage,
        wire::{Cause, Planned, SyncOutcome, UserRequest},
    },
    upstream::CallError,
};

/// The calls of one message at most: look, marker, block. What follows a failure, such as the
/// probe, takes its own.
const CALLS: u32 = 3;
/// How often a message starts again from the look before it is given back.
const LOOKS: usize = 3;

/// The worker stage.
#[derive(Debug)]
pub struct UserWorker {
    gitlab: gitlab::Client,
    directory: SharedLooks,
    rules: Arc<Rules>,
    /// Held from the look to the last write, so that two messages about one account never
    /// interleave in this process.
    accounts: KeyedLock<AccountId>,
    resync_limit: ResyncLimit,
    lapse: Lapse,
}

/// One message at work.
struct Job<'a> {
    request: &'a UserRequest,
    run: &'a str,
    message: &'a str,
    own: AccountId,
    gitlab: gitlab::Client,
}

/// How far one look led.
enum WorkerStep {
    Ended(Option<Decision>, UserSyncResult),
    LookAgain,
    Disposed(Disposition),
}

impl UserWorker {
    /// A worker that may write for `resyncs_per_hour` resyncs in an hour.
    pub fn new(
        gitlab: gitlab::Client,
        directory: SharedLooks,
        rules: Arc<Rules>,
        resyncs_per_hour: u32,
    ) -> Self {
        let lapse = Lapse::new(rules.plan_lapses);
        Self {
            gitlab,
            directory,
            rules,
            accounts: KeyedLock::default(),
            resync_limit: ResyncLimit::new(resyncs_per_hour),
            lapse,
        }
    }

    async fn user(&self, delivery: &Delivery) -> Disposition {
        let request = match UserRequest::decode(&delivery.body) {
            Ok(request) => request,
            Err(error) => return error.into(),
        };
        tell_resync(&request, delivery);
        let recorder = self.recorder(delivery, &request);
        self.saw_plan(&request);
        if is_kept_by_plan(&request) {
            return planned_to_keep(&request, recorder);
        }
        // Before anything is asked; the write itself asks again.
        if let Some(switch) = self.gitlab.held_by(request.dry_run) {
            return Disposition::Hold(switch.into());
        }
        // Boxed: it is large, and nearly every message of a run ends above.
        Box::pin(self.work(delivery, &request, recorder)).await
    }

    /// Takes note of a plan that may be applied: an earlier one then may not.
    fn saw_plan(&self, request: &UserRequest) {
        if let Cause::Tick {
            planned_at: Some(at),
            ..
        } = &request.cause
            && !request.dry_run
        {
            self.lapse.saw(*at, Timestamp::now());
        }
    }

    /// The record as far as the message itself tells it.
    fn recorder(&self, delivery: &Delivery, request: &UserRequest) -> Recorder {
        let mut recorder = Recorder::start(delivery);
        recorder.request(request);
        recorder.fields().dry_run = Some(self.gitlab.permit(request.dry_run).is_none());
        recorder
    }

    async fn work(
        &self,
        delivery: &Delivery,
        request: &UserRequest,
        recorder: Recorder,
    ) -> Disposition {
        match self.resolve_and_act(delivery, request, recorder).await {
            Ok(disposition) => disposition,
            Err(error) => {
                let account = about::account_of(&request.who);
                failure::of_account(error, account, delivery, &self.gitlab).await
            }
        }
    }

    async fn resolve_and_act(
        &self,
        delivery: &Delivery,
        request: &UserRequest,
        mut recorder: Recorder,
    ) -> Result<Disposition, CallError> {
        let own = AccountId(self.gitlab.own_id().await?);
        let resolution = resolve_request(request, own, &self.gitlab, &self.rules.classes).await?;
        recorder.resolution(&resolution);
        let id = match evaluate_resolution(resolution) {
            Ok(id) => id,
            Err(unresolved) => return Ok(without_account(unresolved, recorder, 0)),
        };
        let _held = self.accounts.lock(id).await;
        let gitlab = self.gitlab.reserve(CALLS).await;
        let job = Job {
            request,
            run: delivery.run(),
            message: &delivery.message_id,
            own,
            gitlab,
        };
        self.look_and_act(id, &job, recorder).await
    }

    async fn look_and_act(
        &self,
        id: AccountId,
        job: &Job<'_>,
        mut recorder: Recorder,
    ) -> Result<Disposition, CallError> {
        let mut slow = false;
        for _ in 0..LOOKS {
            let Some(observation) =
                Observation::read(id, job.own, &job.gitlab, &self.directory, &self.rules).await?
            else {
                let calls = job.gitlab.calls_made();
                return Ok(without_account(Unresolved::GONE, recorder, calls));
            };
            slow |= observation.age() > failure::SLOW;
            recorder.account(&observation.account, &observation.facts);
            match self.act(&observation, job).await? {
                WorkerStep::Ended(decision, end) => {
                    if let Some(decision) = decision {
                        count_resync(decision, job);
                    }
                    return Ok(Disposition::Done(recorder.user(
                        decision,
                        end,
                        job.gitlab.calls_made(),
                    )));
                }
                WorkerStep::Disposed(disposition) => return Ok(disposition),
                WorkerStep::LookAgain => {}
            }
        }
        Ok(failure::when_looks_are_old(slow, &job.gitlab).await)
    }

    /// Does what the evaluation of the message says.
    async fn act(&self, observation: &Observation, job: &Job<'_>) -> Result<WorkerStep, CallError> {
        let now = Timestamp::now();
        let evaluation = evaluate(EvaluationInput {
            request: job.request,
            run: job.run,
            own: job.own,
            observation,
            policy: self.rules.policy,
            plans: self.lapse.validity(),
            permit: job.gitlab.permit(job.request.dry_run),
            now,
        });
        match evaluation {
            Evaluation::Write(change, permit) => {
                self.write(change, observation, job, &permit, now).await
            }
            Evaluation::Finished(decision, end) => Ok(WorkerStep::Ended(decision, end)),
        }
    }

    async fn write(
        &self,
        change: AccountChange,
        observation: &Observation,
        job: &Job<'_>,
        permit: &WritePermit,
        now: Timestamp,
    ) -> Result<WorkerStep, CallError> {
        if matches!(job.request.cause, Cause::Resync) && !self.resync_limit.admit(job.message) {
            return Ok(WorkerStep::Disposed(over_resync_limit()));
        }
        let decision = Decision::from(change);
        let end = match apply(change, observation, job.run, &job.gitlab, permit, now).await? {
            ApplyOutcome::Applied => {
                counter!("sync_changes_applied_total", "action" => decision.action()).increment(1);
                UserSyncResult::Applied
            }
            ApplyOutcome::AlreadySo => UserSyncResult::AlreadySo,
            ApplyOutcome::StateForbids(_) => UserSyncResult::StateForbids,
            ApplyOutcome::Gone => UserSyncResult::Gone,
            ApplyOutcome::TooOld => return Ok(WorkerStep::LookAgain),
        };
        Ok(WorkerStep::Ended(Some(decision), end))
    }
}

impl Handler for UserWorker {
    fn stage(&self) -> Stage {
        Stage::UserWorker
    }

    async fn handle(&self, delivery: Arc<Delivery>) -> Disposition {
        self.user(&delivery).await
    }

    fn about(&self, delivery: &Delivery) -> SyncOutcome {
        UserRequest::decode(&delivery.body)
            .map(|request| self.recorder(delivery, &request).unfinished())
            .unwrap_or_default()
    }

    fn subject(&self, delivery: &Delivery) -> Option<Subject> {
        about::subject(delivery)
    }

    fn covers(&self, one: &Delivery, other: &Delivery) -> bool {
        about::covers(one, other)
    }

    fn superseded(&self, delivery: &Delivery) -> SyncOutcome {
        about::superseded(self.about(delivery))
    }

    /// Who needs no directory goes on while that is down, and who writes nothing while writes are
    /// paused; nothing goes on without GitLab.
    fn all_wait_at(&self, point: &HoldPoint) -> bool {
        match point {
            HoldPoint::Gate(gate) => gate.upstream() == UpstreamId::GitLab,
            HoldPoint::Pause(_) => false,
        }
    }
}

/// Leaves on record who asked for a resync, and why.
fn tell_resync(request: &UserRequest, delivery: &Delivery) {
    if matches!(request.cause, Cause::Resync) {
        tracing::info!(
            event = "resync_asked",
            run = delivery.run(),
            message_id = delivery.message_id,
            reason = request.reason,
            requested_by = request.requested_by,
        );
    }
}

/// What a run decides is counted where it is published; a resync's decision is made here.
fn count_resync(decision: Decision, job: &Job<'_>) {
    if matches!(job.request.cause, Cause::Resync) {
        let dry_run = job.gitlab.permit(job.request.dry_run).is_none();
        counter!("sync_decisions_total", "decision" => decision.action(), "reason" => decision.reason(),
            "mode" => if dry_run { "dry-run" } else { "apply" })
        .increment(1);
    }
}

/// A run's message that plans nothing is done without a call, whatever its age.
fn planned_to_keep(request: &UserRequest, recorder: Recorder) -> Disposition {
    let mut record = recorder.user(None, UserSyncResult::Unchanged, 0);
    record.decision = Some(Planned::Keep.as_str().to_owned());
    record.reason = match &request.cause {
        Cause::Tick { planned_reason, .. } => planned_reason.clone(),
        Cause::Resync => None,
    };
    Disposition::Done(record)
}

/// The end of a message that leads to no account.
fn without_account(unresolved: Unresolved, recorder: Recorder, calls: u32) -> Disposition {
    match unresolved {
        Unresolved::Finished(decision, end) => {
            Disposition::Done(recorder.user(decision, end, calls))
        }
        Unresolved::DeadLetter(letter) => Disposition::DeadLetter(letter),
    }
}
