//! `plan`: what a run would change. Writes nothing and publishes nothing.

mod against;
mod blockers;
mod circumstances;
mod due;
mod line;
mod pause;
mod summary;

use std::{io, path::PathBuf, sync::Arc};

use clap::ValueHint;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use self::{
    against::EarlierPlan,
    blockers::blockers,
    circumstances::Circumstances,
    due::{days, due},
    line::PlanLine,
    pause::PlannedPause,
    summary::summarise,
};
use super::{
    CommandFailure,
    common::{
        output::{self, OutputFormat},
        percent::percent,
        progress::{WorkProgress, reading_gitlab},
        values::day,
    },
};
use crate::{
    app::{clients::UserClients, context::ProcessContext},
    config::ReadingConfig,
    users::{
        guard::GuardLimits,
        notices,
        plan::Plan,
        policy::Policy,
        sweep::{Progress, SweepError, sweep},
    },
};

/// Shows what a run would change and what the guard would say; writes and publishes nothing
///
/// Exit code 3 where the guard would refuse the run.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lookup-gitlab-sync plan --output csv > plan.csv\n  lookup-gitlab-sync plan --blocked\n  lookup-gitlab-sync plan --due-within 30d"
)]
pub struct PlanArgs {
    /// Also list the accounts in scope that would be kept as they are, and who blocked those that are blocked
    #[arg(long)]
    all: bool,
    /// List who blocked the accounts that are blocked, and how many, instead of what would change
    #[arg(long, conflicts_with = "all")]
    blocked: bool,
    /// List the external accounts that become inactive within so many days, instead of what would change
    #[arg(long, value_name = "DAYS", value_parser = days, conflicts_with_all = ["all", "blocked"])]
    due_within: Option<u16>,
    /// List the accounts that are decided otherwise than in this file of `plan --output json`, instead of what would
    /// change
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["all", "blocked", "due_within"])]
    against: Option<PathBuf>,
    /// Decide as on this later day, by what GitLab and the directory say today
    #[arg(long, value_name = "DATE", value_parser = day)]
    as_of: Option<Date>,
    /// Judge with this share of blocks instead of the configured one
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_hyphen_values = true)]
    max_block_percent: Option<f64>,
    /// Judge with this share of unblocks instead of the configured one
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_hyphen_values = true)]
    max_unblock_percent: Option<f64>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl PlanArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        let config: ReadingConfig = context.start(false)?;
        let now = Timestamp::now();
        let day = self.day(now)?;
        let earlier = self.against.as_deref().map(EarlierPlan::read).transpose()?;
        let clients = UserClients::for_reading(&config)?;
        let (plan, pause) = tokio::join!(
            make_plan(&clients, now, day, self.output),
            PlannedPause::read(config.pubsub.as_ref())
        );
        let plan = plan?;
        notices::tell(&plan);
        match &earlier {
            Some(earlier) => output::print(self.output, &earlier.differences(&plan))?,
            None => self.list(&plan, clients.rules.policy, day)?,
        }
        let limits = self.limits(clients.rules.limits);
        let verdict = plan.check(&limits);
        let refusal = verdict.as_ref().err();
        let circumstances = Circumstances::of(pause, &clients.reader).await;
        summarise(self.output, &plan, &limits, refusal, &circumstances)?;
        verdict.map_err(|refusal| {
            CommandFailure::guard_refused(format!("the guard would refuse this run: {refusal}"))
        })
    }

    /// The day that is decided for.
    fn day(&self, now: Timestamp) -> Result<Date, CommandFailure> {
        let today = now.to_zoned_datetime(TimeZone::UTC).date();
        match self.as_of {
            Some(day) if day < today => Err(CommandFailure::usage(format!(
                "--as-of {day} is over: what was known then is not on record; it is {today} (UTC)"
            ))),
            day => Ok(day.unwrap_or(today)),
        }
    }

    fn list(&self, plan: &Plan, policy: Policy, day: Date) -> io::Result<()> {
        if self.blocked {
            return output::print(self.output, &blockers(plan));
        }
        if let Some(days) = self.due_within {
            return output::print(self.output, &due(plan, policy, day, days));
        }
        let listed = plan
            .decided
            .iter()
            .filter(|decided| self.all || decided.decision.is_change());
        output::print(self.output, &listed.map(PlanLine::from).collect::<Vec<_>>())
    }

    fn limits(&self, configured: GuardLimits) -> GuardLimits {
        configured.asked_for(self.max_block_percent, self.max_unblock_percent)
    }
}

/// Reads both sides with progress that counts accounts, and decides as on `day`.
pub(super) async fn make_plan(
    clients: &UserClients,
    now: Timestamp,
    day: Date,
    output: OutputFormat,
) -> Result<Plan, CommandFailure> {
    let shown = WorkProgress::told(output, "reading GitLab");
    let progress = |so_far: Progress| {
        if so_far.is_listed && so_far.lists > 0 {
            shown.becomes("Lookup", " lists", so_far.lists);
            shown.reach(so_far.answered_lists);
        } else {
            shown.reach(so_far.accounts);
            shown.tell(reading_gitlab(so_far.pages, so_far.accounts));
        }
    };
    let sweep = sweep(
        &clients.reader,
        Arc::clone(&clients.directory),
        Arc::clone(&clients.rules),
        now,
        &progress,
    )
    .await;
    drop(shown);
    let sweep = sweep.map_err(|error| match error {
        // As itself, so that the exit code says whether an upstream is to blame.
        SweepError::Call(error) => CommandFailure::from(error),
        error @ (SweepError::Implausible { .. }
        | SweepError::TooManyAccounts { .. }
        | SweepError::TooManyPeople { .. }) => CommandFailure::from(error),
    })?;
    Ok(Plan::of(sweep, clients.rules.policy, day))
}
