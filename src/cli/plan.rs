//! `plan`: what a run would change. Writes nothing and publishes nothing.

use std::{
    io::{self, IsTerminal},
    sync::Arc,
    time::Duration,
};

use indicatif::ProgressBar;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{
    CommandFailure,
    common::{
        output::{self, OutputFormat, OutputRow},
        percent::percent,
    },
};
use crate::{
    app::{clients::UserClients, context::ProcessContext},
    config::ReadingConfig,
    gitlab::Unreadable,
    users::{
        guard::{ChangeCount, GuardLimits, GuardRefusal},
        notices,
        plan::{Decided, Plan},
        sweep::{Progress, SweepError, sweep},
    },
};

/// Shows what a run would change and what the guard would say; writes and publishes nothing
///
/// Exit code 3 where the guard would refuse the run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync plan --output csv > plan.csv")]
pub struct PlanArgs {
    /// Also list the accounts that would be kept as they are
    #[arg(long)]
    all: bool,
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
        let clients = UserClients::for_reading(&config)?;
        let plan = make_plan(&clients).await?;
        notices::tell(&plan);
        let listed = plan
            .decided
            .iter()
            .filter(|decided| self.all || decided.decision.is_change());
        output::print(self.output, &listed.map(PlanLine::from).collect::<Vec<_>>())?;
        let verdict = plan.check(&self.limits(clients.rules.limits));
        summarise(self.output, &plan, verdict.as_ref().err())?;
        verdict.map_err(|refusal| {
            CommandFailure::guard_refused(format!("the guard would refuse this run: {refusal}"))
        })
    }

    fn limits(&self, configured: GuardLimits) -> GuardLimits {
        configured.asked_for(self.max_block_percent, self.max_unblock_percent)
    }
}

/// Reads both sides with a spinner that counts accounts, and decides.
async fn make_plan(clients: &UserClients) -> Result<Plan, CommandFailure> {
    let now = Timestamp::now();
    let spinner = if io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    spinner.enable_steady_tick(Duration::from_millis(100));
    let progress = |so_far: Progress| {
        let Progress {
            accounts, people, ..
        } = so_far;
        spinner.set_message(format!(
            "{accounts} accounts read, {people} people asked about"
        ));
    };
    let sweep = sweep(
        &clients.reader,
        Arc::clone(&clients.directory),
        Arc::clone(&clients.rules),
        now,
        &progress,
    )
    .await;
    spinner.finish_and_clear();
    let sweep = sweep.map_err(|error| match error {
        // As itself, so that the exit code says whether an upstream is to blame.
        SweepError::Call(error) => CommandFailure::from(error),
        error @ (SweepError::Implausible { .. }
        | SweepError::TooManyAccounts { .. }
        | SweepError::TooManyPeople { .. }) => CommandFailure::from(error),
    })?;
    Ok(Plan::of(
        sweep,
        clients.rules.policy,
        now.to_zoned_datetime(TimeZone::UTC).date(),
    ))
}

#[derive(Serialize)]
struct PlanLine<'a> {
    kind: &'static str,
    id: u64,
    username: &'a str,
    class: &'static str,
    crsid: Option<&'a str>,
    state: &'static str,
    decision: &'static str,
    reason: &'static str,
}

impl<'a> From<&'a Decided> for PlanLine<'a> {
    fn from(decided: &'a Decided) -> Self {
        let account = &decided.account;
        Self {
            kind: "account",
            id: account.id.0,
            username: &account.username,
            class: account.facts.class.as_str(),
            crsid: account
                .facts
                .class
                .crsid()
                .map(crate::directory::Crsid::as_str),
            state: account.facts.state.as_str(),
            decision: decided.decision.action(),
            reason: decided.decision.reason(),
        }
    }
}

impl OutputRow for PlanLine<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "id", "username", "class", "crsid", "state", "decision", "reason",
    ];

    fn cells(&self) -> Vec<String> {
        let texts = [
            self.username,
            self.class,
            self.crsid.unwrap_or(""),
            self.state,
            self.decision,
            self.reason,
        ];
        std::iter::once(self.id.to_string())
            .chain(texts.map(ToOwned::to_owned))
            .collect()
    }
}

/// What is said after the list: for people on standard error, so that the list can be piped; for
/// programs as the last line of JSON.
fn summarise(output: OutputFormat, plan: &Plan, refusal: Option<&GuardRefusal>) -> io::Result<()> {
    match output {
        OutputFormat::Json => output::print(output, &[PlanSummary::new(plan, refusal)]),
        OutputFormat::Table | OutputFormat::Csv => output::note(&in_words(plan, refusal)),
    }
}

/// What a block does beside the state. GitLab lists schedules project by project and never by their
/// owner.
const SCHEDULES: &str = "\na block also ends the running pipelines of an account and switches its pipeline schedules off, \
    and an unblock does not switch them on; GitLab gives their number only project by project";

fn in_words(plan: &Plan, refusal: Option<&GuardRefusal>) -> String {
    let Plan {
        accounts, tally, ..
    } = plan;
    let said = |count: ChangeCount| match count.recent {
        0 => count.now.to_string(),
        recent => format!("{} ({recent} in the last 24 hours)", count.now),
    };
    let counts = plan
        .counts
        .iter()
        .map(|((action, reason), count)| format!("\n  {count:>7}  {action} ({reason})"));
    let schedules = if tally.blocks.now > 0 { SCHEDULES } else { "" };
    format!(
        "{accounts} accounts read, {} in scope: {} to block, {} to unblock; the guard {}{}{}{schedules}",
        plan.decided.len(),
        said(tally.blocks),
        said(tally.unblocks),
        refusal.map_or("agrees", |_| "refuses"),
        counts.collect::<String>(),
        left_out(plan),
    )
}

/// Whom the plan says nothing about, because they could not be read.
fn left_out(plan: &Plan) -> String {
    let accounts = plan.unreadable.iter().map(|account| {
        let Unreadable { id, why } = account;
        format!("\naccount {id} is kept: GitLab {why}; `explain {id}` says more")
    });
    let people = plan
        .unreadable_people
        .iter()
        .map(|person| format!("\n{person} is unknown: the directory cannot show them"));
    accounts.chain(people).collect()
}

#[derive(Serialize)]
struct PlanSummary {
    kind: &'static str,
    accounts: usize,
    in_scope: usize,
    blocks: u64,
    unblocks: u64,
    keeps: u64,
    recent_blocks: u64,
    recent_unblocks: u64,
    guard: &'static str,
    guard_detail: Option<String>,
    counts: Vec<DecisionCount>,
    unreadable_accounts: Vec<u64>,
    unreadable_people: Vec<String>,
}

#[derive(Serialize)]
struct DecisionCount {
    decision: &'static str,
    reason: &'static str,
    accounts: u64,
}

impl PlanSummary {
    fn new(plan: &Plan, refusal: Option<&GuardRefusal>) -> Self {
        let count = |(&(decision, reason), &accounts): (&(&'static str, &'static str), &u64)| {
            DecisionCount {
                decision,
                reason,
                accounts,
            }
        };
        Self {
            kind: "summary",
            accounts: plan.accounts,
            in_scope: plan.decided.len(),
            blocks: plan.tally.blocks.now,
            unblocks: plan.tally.unblocks.now,
            keeps: plan.kept(),
            recent_blocks: plan.tally.blocks.recent,
            recent_unblocks: plan.tally.unblocks.recent,
            guard: if refusal.is_some() {
                "refuses"
            } else {
                "agrees"
            },
            guard_detail: refusal.map(ToString::to_string),
            counts: plan.counts.iter().map(count).collect(),
            unreadable_accounts: plan.unreadable.iter().map(|account| account.id).collect(),
            unreadable_people: plan
                .unreadable_people
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }
}

impl OutputRow for PlanSummary {
    const COLUMNS: &'static [&'static str] = &[
        "accounts", "in_scope", "blocks", "unblocks", "keeps", "guard",
    ];

    fn cells(&self) -> Vec<String> {
        let counts = [
            self.accounts as u64,
            self.in_scope as u64,
            self.blocks,
            self.unblocks,
            self.keeps,
        ];
        counts
            .iter()
            .map(ToString::to_string)
            .chain([self.guard.to_owned()])
            .collect()
    }
}
