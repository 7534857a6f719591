//! What the two stages would do with a message if it were published again now. Writes nothing and publishes nothing.
//!
//! For a person who has a dead letter before them. It asks what the stages ask and decides as they do; only the hourly
//! bound on resyncs is left out, since each worker keeps its own count.

use std::{fmt, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};
use tokio::sync::OnceCell;

use super::{
    account::AccountId,
    lapse::Lapse,
    observe::Observation,
    outcome::End,
    plan::Plan,
    policy::{Decision, KeepReason},
    refusals::ambiguous,
    resolve::{Resolution, resolve_request},
    rules::Rules,
    sweep::{SweepError, sweep},
    worker::{agrees, is_own_change},
};
use crate::{
    directory::{Directory, SharedLooks},
    gitlab,
    messaging::{
        DeadLetterReason, Stage,
        wire::{Cause, DecodeError, NamespaceRequest, Planned, SyncTick, UserRequest, Who},
    },
    upstream::{Blame, CallError},
};

/// What would become of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// The account would be changed, where the service applies.
    Change(Decision),
    /// The account would be changed, but the message itself is dry.
    DryRun(Decision),
    /// Nothing would be written.
    Nothing(End, Option<Decision>),
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
    /// The newest sync of this namespace would be sent.
    Namespace(i64),
    /// It would be a dead letter again.
    DeadLetter(DeadLetterReason, String),
    /// It would be tried again and again.
    Retry(String),
}

impl Forecast {
    /// One word of a closed list, for programs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Change(decision) => decision.action(),
            Self::DryRun(_) => "dry_run",
            Self::Nothing(..) => "nothing",
            Self::Run { .. } => "run",
            Self::Namespace(_) => "namespace_sync",
            Self::DeadLetter(..) => "dead_letter",
            Self::Retry(_) => "retry",
        }
    }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(decision) => write!(f, "{decision}"),
            Self::DryRun(decision) => write!(f, "dry run of {decision}"),
            Self::Nothing(end, Some(decision)) => {
                write!(f, "nothing: {}, {decision}", end.as_str())
            }
            Self::Nothing(end @ End::PlanLapsed, None) => {
                write!(f, "nothing: {}, its plan has lapsed", end.as_str())
            }
            Self::Namespace(id) => {
                write!(f, "the newest recorded sync of namespace {id} is sent")
            }
            Self::Nothing(end, None) => write!(f, "nothing: {}", end.as_str()),
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

/// Makes forecasts. It reads who the token is once, and all of both sides once, at the first tick.
pub struct Forecaster {
    gitlab: gitlab::Client,
    directory: Arc<dyn Directory>,
    looks: SharedLooks,
    rules: Arc<Rules>,
    own: OnceCell<AccountId>,
    run: OnceCell<Plan>,
}

impl Forecaster {
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

    /// What `stage` would do with `body`, replayed within `run`.
    ///
    /// # Errors
    /// When GitLab or the directory gave no usable answer: the stage would wait for them.
    pub async fn forecast(
        &self,
        stage: Stage,
        body: &[u8],
        run: &str,
    ) -> Result<Forecast, CallError> {
        let forecast = match stage {
            Stage::FanOut => self.tick(body).await,
            Stage::UserWorker => self.user(body, run).await,
            Stage::NamespaceWorker => Ok(of_namespace(body)),
        };
        match forecast {
            Err(error) if matches!(error.blame, Blame::Call) => Ok(Forecast::DeadLetter(
                DeadLetterReason::Refused,
                error.to_string(),
            )),
            forecast => forecast,
        }
    }

    /// A replayed tick has no percentages of its own.
    async fn tick(&self, body: &[u8]) -> Result<Forecast, CallError> {
        let tick = match SyncTick::decode(body) {
            Ok(tick) => tick,
            Err(error) => return Ok(error.into()),
        };
        let plan = match self.run.get_or_try_init(|| self.plan()).await {
            Ok(plan) => plan,
            Err(SweepError::Call(error)) => return Err(error),
            Err(error @ SweepError::Implausible { .. }) => {
                return Ok(Forecast::DeadLetter(
                    DeadLetterReason::DirectoryImplausible,
                    error.to_string(),
                ));
            }
            Err(
                error @ (SweepError::TooManyAccounts { .. } | SweepError::TooManyPeople { .. }),
            ) => {
                return Ok(Forecast::DeadLetter(
                    DeadLetterReason::TooManyUnreadable,
                    error.to_string(),
                ));
            }
        };
        Ok(match plan.check(&self.rules.limits) {
            Ok(()) => Forecast::Run {
                blocks: plan.tally.blocks.now,
                unblocks: plan.tally.unblocks.now,
                keeps: plan.kept(),
                dry_run: tick.dry_run == Some(true),
            },
            Err(refusal) => {
                Forecast::DeadLetter(DeadLetterReason::GuardRefused, refusal.to_string())
            }
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

    async fn user(&self, body: &[u8], run: &str) -> Result<Forecast, CallError> {
        let request = match UserRequest::decode(body) {
            Ok(request) => request,
            Err(error) => return Ok(error.into()),
        };
        if let (
            Who::Account(_),
            Cause::Tick {
                planned: Planned::Keep,
                ..
            },
        ) = (&request.who, &request.cause)
        {
            return Ok(Forecast::Nothing(End::Unchanged, None));
        }
        if let Cause::Tick { planned_at, .. } = &request.cause
            && Lapse::new(self.rules.plan_lapses).is_over(*planned_at, Timestamp::now())
        {
            return Ok(Forecast::Nothing(End::PlanLapsed, None));
        }
        let own = *self.own.get_or_try_init(|| self.own_account()).await?;
        let id = match resolve_request(&request, own, &self.gitlab, &self.rules.classes).await? {
            Resolution::One(id) => id,
            Resolution::Nobody => return Ok(Forecast::Nothing(End::Gone, None)),
            Resolution::NotHuman(_) => {
                let keep = Decision::Keep(KeepReason::NotHuman);
                return Ok(Forecast::Nothing(End::Unchanged, Some(keep)));
            }
            Resolution::Several(ids) => {
                let letter = ambiguous(&ids);
                return Ok(Forecast::DeadLetter(letter.reason, letter.detail));
            }
        };
        let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
        let look = Observation::at(id, own, &self.gitlab, &self.looks, &self.rules, today).await?;
        Ok(look.map_or(Forecast::Nothing(End::Gone, None), |look| {
            of_look(&look, &request, run, own)
        }))
    }

    async fn own_account(&self) -> Result<AccountId, CallError> {
        self.gitlab
            .current_user()
            .await
            .map(|user| AccountId(user.id))
    }
}

/// What would become of a message of a namespace. What the ledger holds is not known here; any such message means the
/// newest sync.
pub fn of_namespace(body: &[u8]) -> Forecast {
    match NamespaceRequest::decode(body) {
        Ok(request) => Forecast::Namespace(request.namespace_id),
        Err(error) => error.into(),
    }
}

fn of_look(look: &Observation, request: &UserRequest, run: &str, own: AccountId) -> Forecast {
    let decision = look.decision;
    if !agrees(decision, &request.cause) {
        let own_change = is_own_change(look, &request.cause, run, own);
        let end = if own_change {
            End::Applied
        } else {
            End::ChangedSincePlanned
        };
        return Forecast::Nothing(end, Some(decision));
    }
    if !decision.is_change() {
        return Forecast::Nothing(End::Unchanged, Some(decision));
    }
    if request.dry_run {
        Forecast::DryRun(decision)
    } else {
        Forecast::Change(decision)
    }
}

impl From<DecodeError> for Forecast {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Permanent { reason, detail } => Self::DeadLetter(reason, detail),
            DecodeError::NewerPublisher { detail } => Self::Retry(detail),
        }
    }
}
