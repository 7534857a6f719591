//! What becomes of a user's message, as a function without effects of what was observed.
//!
//! The worker acts on the answer, and a preview shows it, so that the two cannot disagree. The
//! hourly limit on resyncs is not part of it: it counts, and each worker process has a count of its
//! own.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    account::AccountId,
    lapse::PlanValidity,
    observe::Observation,
    outcome::UserSyncResult,
    policy::{AccountChange, Decision, KeepReason, Policy, decide},
    refusals::ambiguous,
    resolve::Resolution,
};
use crate::messaging::{
    DeadLetter,
    wire::{Cause, Planned, UserRequest, Who},
};

/// How far GitLab's clock and the fan-out's may differ.
const CLOCKS: SignedDuration = SignedDuration::from_mins(1);

/// Everything that the end of a user's message depends on, once its account is known.
#[derive(Debug)]
pub struct EvaluationInput<'a, P> {
    /// The message.
    pub request: &'a UserRequest,
    /// The run that the message belongs to.
    pub run: &'a str,
    /// The token's own account.
    pub own: AccountId,
    /// The account and its person as they are now.
    pub observation: &'a Observation,
    /// The configured part of the decision.
    pub policy: Policy,
    /// Which plans may still be applied.
    pub plans: PlanValidity,
    /// What allows a write; `None` in a dry run.
    pub permit: Option<P>,
    /// The present time. Taken after the observation, which may take long.
    pub now: Timestamp,
}

/// What becomes of a message whose account is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluation<P> {
    /// The account is to be changed.
    Write(AccountChange, P),
    /// Nothing is to be written.
    Finished(Option<Decision>, UserSyncResult),
}

/// What becomes of a message that leads to no account.
#[derive(Debug)]
pub enum Unresolved {
    /// There is nothing to do.
    Finished(Option<Decision>, UserSyncResult),
    /// It does not say which account it is about.
    DeadLetter(DeadLetter),
}

impl Unresolved {
    /// GitLab has no such account.
    pub const GONE: Self = Self::Finished(None, UserSyncResult::Gone);
}

/// Whether the message is done without a look at its account: a run names the account and plans no
/// change.
pub fn is_kept_by_plan(request: &UserRequest) -> bool {
    match (&request.who, &request.cause) {
        (
            Who::Account(_),
            Cause::Tick {
                planned: Planned::Keep,
                ..
            },
        ) => true,
        (
            Who::Account(_) | Who::Username(_) | Who::Person(_),
            Cause::Tick { .. } | Cause::Resync,
        ) => false,
    }
}

/// The account to look at.
///
/// # Errors
/// What becomes of the message where there is none.
pub fn evaluate_resolution(resolution: Resolution) -> Result<AccountId, Unresolved> {
    match resolution {
        Resolution::One(id) => Ok(id),
        Resolution::Nobody => Err(Unresolved::GONE),
        Resolution::NotHuman(_) => {
            let keep = Decision::Keep(KeepReason::NotHuman);
            Err(Unresolved::Finished(Some(keep), UserSyncResult::Unchanged))
        }
        Resolution::Several(ids) => Err(Unresolved::DeadLetter(ambiguous(&ids))),
    }
}

/// What becomes of the message: a run's change is written only if the fresh decision is the planned
/// one, a resync's whatever it is.
pub fn evaluate<P>(input: EvaluationInput<'_, P>) -> Evaluation<P> {
    let today = input.now.to_zoned_datetime(TimeZone::UTC).date();
    let decision = decide(&input.observation.facts, input.policy, today);
    let cause = &input.request.cause;
    let finished = |end| Evaluation::Finished(Some(decision), end);
    if !agrees(decision, cause) {
        return if is_own_change(input.observation, cause, input.run, input.own) {
            finished(UserSyncResult::Applied)
        } else {
            finished(UserSyncResult::ChangedSincePlanned)
        };
    }
    let Some(change) = decision.change() else {
        return finished(UserSyncResult::Unchanged);
    };
    let Some(permit) = input.permit else {
        return finished(UserSyncResult::DryRun);
    };
    match cause {
        Cause::Tick { planned_at, .. } if input.plans.is_over(*planned_at, input.now) => {
            finished(UserSyncResult::PlanLapsed)
        }
        Cause::Tick { .. } | Cause::Resync => Evaluation::Write(change, permit),
    }
}

/// Whether a fresh decision is the planned one. A resync has no plan to agree with.
fn agrees(fresh: Decision, cause: &Cause) -> bool {
    match cause {
        Cause::Resync => true,
        Cause::Tick {
            planned,
            planned_reason,
            ..
        } => {
            *planned == Planned::from(fresh)
                && planned_reason
                    .as_deref()
                    .is_none_or(|reason| reason == fresh.reason())
        }
    }
}

/// Whether the account already shows what this message was to do: an earlier delivery did it, and
/// its answer was lost.
fn is_own_change(observation: &Observation, cause: &Cause, run: &str, own: AccountId) -> bool {
    let Cause::Tick {
        planned,
        planned_at,
        ..
    } = cause
    else {
        return false;
    };
    let account = &observation.account;
    match planned {
        Planned::Keep => false,
        Planned::Block => {
            let marker = account.marker.as_ref();
            observation.facts.ours && marker.is_some_and(|marker| marker.run == run)
        }
        Planned::Unblock => {
            let undone = account.unblocked_by.when_by(own);
            let since_plan = |(undone, planned): (Timestamp, Timestamp)| {
                undone.duration_since(planned) > -CLOCKS
            };
            account.state.is_open() && undone.zip(*planned_at).is_some_and(since_plan)
        }
    }
}
