//! What the two stages would do with a message if it were published again now. Writes nothing and
//! publishes nothing.
//!
//! For the operator who looks at a dead letter. It reads what the stages read, and
//! [`super::evaluate`] decides for both. What is in the memory of a running process is left out:
//! the hourly limit on resyncs, and the later plans it has seen.

use std::{fmt, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};
use tokio::sync::OnceCell;

use super::{
    account::AccountId,
    evaluate::{
        Evaluation, EvaluationInput, Unresolved, evaluate, evaluate_resolution, is_kept_by_plan,
    },
    lapse::PlanValidity,
    observe::Observation,
    outcome::UserSyncResult,
    plan::Plan,
    policy::Decision,
    refusals::RunRefusal,
    resolve::resolve_request,
    rules::Rules,
    sweep::{SweepError, sweep},
};
use crate::{
    directory::{Directory, SharedLooks},
    gitlab,
    messaging::{
        DeadLetterReason,
        wire::{DecodeError, SyncTick, UserRequest},
    },
    upstream::{CallError, FaultScope},
};

/// What would become of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preview {
    /// The account would be changed, where the service applies.
    Change(Decision),
    /// The account would be changed, but the message itself is dry.
    DryRun(Decision),
    /// Nothing would be written.
    Nothing(UserSyncResult, Option<Decision>),
    /// A run would be published.
    Run {
        /// Accounts to block.
        blocks: u64,
        /// Accounts to unblock.
        unblocks: u64,
        /// Accounts to keep.
        keeps: u64,
        /// The tick itself is dry.
        dry_run: bool,
    },
    /// It would be a dead letter again.
    DeadLetter(DeadLetterReason, String),
    /// It would be tried again and again.
    Retry(String),
}

impl Preview {
    /// One word of a closed list, for programs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Change(decision) => decision.action(),
            Self::DryRun(_) => "dry_run",
            Self::Nothing(..) => "nothing",
            Self::Run { .. } => "run",
            Self::DeadLetter(..) => "dead_letter",
            Self::Retry(_) => "retry",
        }
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(decision) => write!(f, "{decision}"),
            Self::DryRun(decision) => write!(f, "dry run of {decision}"),
            Self::Nothing(end @ UserSyncResult::PlanLapsed, _) => {
                write!(f, "nothing: {}, its plan has lapsed", end.result().as_str())
            }
            Self::Nothing(end, Some(decision)) => {
                write!(f, "nothing: {}, {decision}", end.result().as_str())
            }
            Self::Nothing(end, None) => write!(f, "nothing: {}", end.result().as_str()),
            Self::Run {
                blocks,
                unblocks,
                keeps,
                dry_run,
            } => {
                let dry = if *dry_run { "a dry run" } else { "a run" };
                write!(
                    f,
                    "{dry}: {blocks} to block, {unblocks} to unblock, {keeps} to keep"
                )
            }
            Self::DeadLetter(reason, detail) => write!(f, "dead letter again: {reason}: {detail}"),
            Self::Retry(why) => write!(f, "retried: {why}"),
        }
    }
}

/// Makes previews. It reads who the token is once, and all of both sides once, at the first tick.
pub struct Previewer {
    gitlab: gitlab::Client,
    directory: Arc<dyn Directory>,
    looks: SharedLooks,
    rules: Arc<Rules>,
    own: OnceCell<AccountId>,
    run: OnceCell<Plan>,
}

impl Previewer {
    /// Of these two sides. `looks` shares the directory's calls between messages.
    pub fn new(
        gitlab: gitlab::Client,
        directory: Arc<dyn Directory>,
        looks: SharedLooks,
        rules: Arc<Rules>,
    ) -> Self {
        Self {
            gitlab,
            directory,
            looks,
            rules,
            own: OnceCell::new(),
            run: OnceCell::new(),
        }
    }

    /// What the fan-out would do with `body`. A replayed tick has no percentages of its own.
    ///
    /// # Errors
    /// When GitLab or the directory gave no usable answer: the stage would wait for them.
    pub async fn tick(&self, body: &[u8]) -> Result<Preview, CallError> {
        or_dead_letter(self.run(body).await)
    }

    /// What the worker would do with `body` as a message of `run`.
    ///
    /// # Errors
    /// When GitLab or the directory gave no usable answer: the stage would wait for them.
    pub async fn user(&self, body: &[u8], run: &str) -> Result<Preview, CallError> {
        or_dead_letter(self.message(body, run).await)
    }

    async fn run(&self, body: &[u8]) -> Result<Preview, CallError> {
        let tick = match SyncTick::decode(body) {
            Ok(tick) => tick,
            Err(error) => return Ok(error.into()),
        };
        let plan = match self.run.get_or_try_init(|| self.plan()).await {
            Ok(plan) => plan,
            Err(error) => return RunRefusal::try_from(error).map(Preview::from),
        };
        Ok(match plan.check(&self.rules.limits) {
            Ok(()) => Preview::Run {
                blocks: plan.tally.blocks.now,
                unblocks: plan.tally.unblocks.now,
                keeps: plan.kept(),
                dry_run: tick.dry_run == Some(true),
            },
            Err(refusal) => RunRefusal::by_guard(&refusal).into(),
        })
    }

    async fn plan(&self) -> Result<Plan, SweepError> {
        let now = Timestamp::now();
        let sweep = sweep(
            &self.gitlab,
            Arc::clone(&self.directory),
            Arc::clone(&self.rules),
            now,
            &|_| (),
        )
        .await?;
        Ok(Plan::of(
            sweep,
            self.rules.policy,
            now.to_zoned_datetime(TimeZone::UTC).date(),
        ))
    }

    async fn message(&self, body: &[u8], run: &str) -> Result<Preview, CallError> {
        let request = match UserRequest::decode(body) {
            Ok(request) => request,
            Err(error) => return Ok(error.into()),
        };
        if is_kept_by_plan(&request) {
            return Ok(Preview::Nothing(UserSyncResult::Unchanged, None));
        }
        let own = *self.own.get_or_try_init(|| self.own_account()).await?;
        let resolution = resolve_request(&request, own, &self.gitlab, &self.rules.classes).await?;
        let id = match evaluate_resolution(resolution) {
            Ok(id) => id,
            Err(unresolved) => return Ok(unresolved.into()),
        };
        let observation =
            Observation::read(id, own, &self.gitlab, &self.looks, &self.rules).await?;
        Ok(observation.map_or_else(
            || Unresolved::GONE.into(),
            |observation| of_observation(&observation, &request, run, own, &self.rules),
        ))
    }

    async fn own_account(&self) -> Result<AccountId, CallError> {
        self.gitlab
            .current_user()
            .await
            .map(|user| AccountId(user.id))
    }
}

/// What a service that applies would do with `request`, a message of `run` about the account that
/// was observed.
pub fn of_observation(
    observation: &Observation,
    request: &UserRequest,
    run: &str,
    own: AccountId,
    rules: &Rules,
) -> Preview {
    let evaluation = evaluate(EvaluationInput {
        request,
        run,
        own,
        observation,
        policy: rules.policy,
        plans: PlanValidity::unseen(rules.plan_lapses),
        permit: (!request.dry_run).then_some(()),
        now: Timestamp::now(),
    });
    evaluation.into()
}

/// A call that is refused for what was asked is the message's own fault.
fn or_dead_letter(preview: Result<Preview, CallError>) -> Result<Preview, CallError> {
    match preview {
        Err(error) if matches!(error.scope, FaultScope::Request) => Ok(Preview::DeadLetter(
            DeadLetterReason::Refused,
            error.to_string(),
        )),
        preview => preview,
    }
}

impl From<Evaluation<()>> for Preview {
    fn from(evaluation: Evaluation<()>) -> Self {
        match evaluation {
            Evaluation::Write(change, ()) => Self::Change(change.into()),
            Evaluation::Finished(Some(decision), UserSyncResult::DryRun) => Self::DryRun(decision),
            Evaluation::Finished(decision, end) => Self::Nothing(end, decision),
        }
    }
}

impl From<Unresolved> for Preview {
    fn from(unresolved: Unresolved) -> Self {
        match unresolved {
            Unresolved::Finished(decision, end) => Self::Nothing(end, decision),
            Unresolved::DeadLetter(letter) => Self::DeadLetter(letter.reason, letter.detail),
        }
    }
}

impl From<RunRefusal> for Preview {
    fn from(refusal: RunRefusal) -> Self {
        Self::DeadLetter(refusal.reason, refusal.detail)
    }
}

impl From<DecodeError> for Preview {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Permanent { reason, detail } => Self::DeadLetter(reason, detail),
            DecodeError::NewerPublisher { detail } => Self::Retry(detail),
        }
    }
}
