//! The second stage: looks again at one account and its person, decides again, and applies.
//!
//! It promises that a write of a run is made only if this look agrees with the plan, from a look
//! a few seconds old at most, and that it is safe to be killed anywhere and called again.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use metrics::counter;

use super::{
    about,
    account::AccountId,
    apply::{ApplyOutcome, apply},
    failure,
    fan_out::planned,
    lapse::Lapse,
    observe::Observation,
    outcome::{End, Recorder},
    policy::{Decision, KeepReason},
    refusals::{ambiguous, over_resync_limit},
    resolve::{Resolution, resolve_request},
    resync_limit::ResyncLimit,
    rules::Rules,
};
use crate::{
    directory::SharedLooks,
    gate::{Gate, Subject, UpstreamId},
    gitlab,
    keyed_lock::KeyedLock,
    messaging::{
        Delivery, Disposition, Handler, Stage,
        wire::{Cause, Planned, SyncOutcome, UserRequest, Who},
    },
    upstream::CallError,
};

/// The calls of one message at most: look, marker, block. What follows a failure, such as the probe, takes its own.
const CALLS: u32 = 3;
/// How far GitLab's clock and the fan-out's may differ.
const CLOCKS: SignedDuration = SignedDuration::from_mins(1);
/// How often a message starts again from the look before it is given back.
const LOOKS: usize = 3;

/// The worker stage.
#[derive(Debug)]
pub struct UserWorker {
    gitlab: gitlab::Client,
    directory: SharedLooks,
    rules: Arc<Rules>,
    /// Held from the look to the last write, so that two messages about one account never interleave in this process.
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
enum Step {
    Ended(Option<Decision>, End),
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
        match &request.cause {
            Cause::Tick {
                planned: Planned::Keep,
                planned_reason,
                ..
            } if matches!(request.who, Who::Account(_)) => {
                self.saw_plan(&request);
                planned_to_keep(planned_reason.as_deref(), recorder)
            }
            // Boxed: it is large, and nearly every message of a run ends above.
            Cause::Tick { .. } | Cause::Resync => {
                self.saw_plan(&request);
                Box::pin(self.work(delivery, &request, recorder)).await
            }
        }
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

    /// Whether it is too late for a change that a run planned. A resync has no plan.
    fn is_too_late(&self, cause: &Cause) -> bool {
        match cause {
            Cause::Resync => false,
            Cause::Tick { planned_at, .. } => self.lapse.is_over(*planned_at, Timestamp::now()),
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
        let id = match resolve_request(request, own, &self.gitlab, &self.rules.classes).await? {
            Resolution::One(id) => id,
            Resolution::Nobody => {
                return Ok(Disposition::Done(recorder.user(None, End::Gone, 0)));
            }
            Resolution::NotHuman(id) => {
                recorder.fields().gitlab_user_id = Some(id.0);
                let keep = Decision::Keep(KeepReason::NotHuman);
                return Ok(Disposition::Done(recorder.user(
                    Some(keep),
                    End::Unchanged,
                    0,
                )));
            }
            Resolution::Several(ids) => return Ok(Disposition::DeadLetter(ambiguous(&ids))),
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
            let now = Timestamp::now();
            let today = now.to_zoned_datetime(TimeZone::UTC).date();
            let look = Observation::at(
                id,
                job.own,
                &job.gitlab,
                &self.directory,
                &self.rules,
                today,
            )
            .await?;
            let step = if let Some(look) = &look {
                slow |= look.age() > failure::SLOW;
                recorder.account(&look.account, &look.facts);
                self.act(look, job, now).await?
            } else {
                recorder.fields().gitlab_user_id = Some(id.0);
                Step::Ended(None, End::Gone)
            };
            match step {
                Step::Ended(decision, end) => {
                    if let Some(decision) = decision {
                        count_resync(decision, job);
                    }
                    return Ok(Disposition::Done(recorder.user(
                        decision,
                        end,
                        job.gitlab.calls_made(),
                    )));
                }
                Step::Disposed(disposition) => return Ok(disposition),
                Step::LookAgain => {}
            }
        }
        Ok(failure::when_looks_are_old(slow, &job.gitlab).await)
    }

    async fn act(
        &self,
        look: &Observation,
        job: &Job<'_>,
        now: Timestamp,
    ) -> Result<Step, CallError> {
        let ended = |end| Ok(Step::Ended(Some(look.decision), end));
        if !agrees(look.decision, &job.request.cause) {
            return ended(
                if is_own_change(look, &job.request.cause, job.run, job.own) {
                    End::Applied
                } else {
                    End::ChangedSincePlanned
                },
            );
        }
        if !look.decision.is_change() {
            return ended(End::Unchanged);
        }
        let Some(permit) = job.gitlab.permit(job.request.dry_run) else {
            return ended(End::DryRun);
        };
        if self.is_too_late(&job.request.cause) {
            return ended(End::PlanLapsed);
        }
        if matches!(job.request.cause, Cause::Resync) && !self.resync_limit.admit(job.message) {
            return Ok(Step::Disposed(over_resync_limit()));
        }
        match apply(look, job.run, &job.gitlab, &permit, now).await? {
            ApplyOutcome::Applied => {
                counter!("sync_changes_applied_total", "action" => look.decision.action())
                    .increment(1);
                ended(End::Applied)
            }
            ApplyOutcome::AlreadySo => ended(End::AlreadySo),
            ApplyOutcome::StateForbids(_) => ended(End::StateForbids),
            ApplyOutcome::Gone => ended(End::Gone),
            ApplyOutcome::Nothing => ended(End::Unchanged),
            ApplyOutcome::TooOld => Ok(Step::LookAgain),
        }
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

    /// Who needs no directory goes on while that is down; nothing goes on without GitLab.
    fn all_wait_at(&self, gate: &Gate) -> bool {
        gate.upstream() == UpstreamId::GitLab
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

/// Whether a fresh decision is the planned one. A resync has no plan to agree with.
pub(super) fn agrees(fresh: Decision, cause: &Cause) -> bool {
    match cause {
        Cause::Resync => true,
        Cause::Tick {
            planned: plan,
            planned_reason,
            ..
        } => {
            *plan == planned(fresh)
                && planned_reason
                    .as_deref()
                    .is_none_or(|reason| reason == fresh.reason())
        }
    }
}

/// Whether the account already shows what this message was to do: an earlier delivery did it and
/// its answer was lost.
pub(super) fn is_own_change(look: &Observation, cause: &Cause, run: &str, own: AccountId) -> bool {
    let Cause::Tick {
        planned,
        planned_at,
        ..
    } = cause
    else {
        return false;
    };
    match planned {
        Planned::Keep => false,
        Planned::Block => {
            look.facts.ours
                && look
                    .account
                    .marker
                    .as_ref()
                    .is_some_and(|marker| marker.run == run)
        }
        Planned::Unblock => {
            let undone = look.account.unblocked_by.when_by(own);
            let since_plan = |(undone, planned): (Timestamp, Timestamp)| {
                undone.duration_since(planned) > -CLOCKS
            };
            look.account.state.is_open() && undone.zip(*planned_at).is_some_and(since_plan)
        }
    }
}

/// A run's message that plans nothing is done without a call, whatever its age.
fn planned_to_keep(reason: Option<&str>, recorder: Recorder) -> Disposition {
    let mut record = recorder.user(None, End::Unchanged, 0);
    record.decision = Some(Planned::Keep.as_str().to_owned());
    record.reason = reason.map(str::to_owned);
    Disposition::Done(record)
}
