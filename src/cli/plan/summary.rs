//! What is said after the list of a plan.

use std::io;

use jiff::civil::Date;
use serde::Serialize;

use super::circumstances::Circumstances;
use crate::{
    cli::common::output::{self, OutputFormat, OutputRow},
    gitlab::Unreadable,
    users::{
        guard::{Allowance, AllowedChanges, ChangeCount, GuardExcess, GuardLimits, GuardRefusal},
        plan::Plan,
    },
};

/// What is said after the list: for people on standard error, so that the list can be piped; for
/// programs as the last line of JSON.
pub(super) fn summarise(
    output: OutputFormat,
    plan: &Plan,
    limits: &GuardLimits,
    refusal: Option<&GuardRefusal>,
    circumstances: &Circumstances,
) -> io::Result<()> {
    match output {
        OutputFormat::Json => {
            let summary = PlanSummary::new(plan, limits, refusal, circumstances);
            output::print(output, &[summary])
        }
        OutputFormat::Table | OutputFormat::Csv => {
            let words = in_words(plan, limits, refusal);
            output::note(&format!("{words}{}", circumstances.in_words()))
        }
    }
}

/// What a block does beside the state. GitLab lists schedules project by project and never by their
/// owner.
const SCHEDULES: &str = "\na block also ends the running pipelines of an account and switches its pipeline schedules off, \
    and an unblock does not switch them on; GitLab gives their number only project by project";

fn in_words(plan: &Plan, limits: &GuardLimits, refusal: Option<&GuardRefusal>) -> String {
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
        "{accounts} accounts read, {} in scope: {} to block, {} to unblock; the guard {}{}{}{}{schedules}",
        plan.decided.len(),
        said(tally.blocks),
        said(tally.unblocks),
        refusal.map_or("agrees", |_| "refuses"),
        shares(plan, limits),
        counts.collect::<String>(),
        left_out(plan),
    )
}

/// What the guard counts in, and what it allows.
fn shares(plan: &Plan, limits: &GuardLimits) -> String {
    let AllowedChanges { blocks, unblocks } = plan.tally.allowed(limits);
    let said = |kind: &str, count: ChangeCount, base: &str, allowed: Allowance| {
        let Allowance { changes, bound } = allowed;
        format!(
            "\n  {kind}: {} of {} accounts {base}{}, allowed {changes} ({bound})",
            count.total(),
            count.base,
            in_percent(count)
        )
    };
    said("blocks", plan.tally.blocks, "that can be blocked", blocks)
        + &said(
            "unblocks",
            plan.tally.unblocks,
            "blocked by this service",
            unblocks,
        )
}

/// The share that counts.
#[expect(
    clippy::cast_precision_loss,
    reason = "a count of accounts is far below 2^52"
)]
fn in_percent(count: ChangeCount) -> String {
    match count.base {
        0 => String::new(),
        base => format!(" ({:.2} %)", count.total() as f64 * 100.0 / base as f64),
    }
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
    block_base: u64,
    unblock_base: u64,
    allowed_blocks: u64,
    allowed_unblocks: u64,
    max_block_percent: f64,
    max_unblock_percent: f64,
    enough_block_percent: Option<f64>,
    enough_unblock_percent: Option<f64>,
    counts: Vec<DecisionCount>,
    unreadable_accounts: Vec<u64>,
    unreadable_people: Vec<String>,
    /// Null where it could not be read, or no Pub/Sub is configured.
    paused: Option<bool>,
    pause: Option<String>,
    /// Null where it never expires or GitLab does not tell.
    token_expires: Option<Date>,
}

#[derive(Serialize)]
struct DecisionCount {
    decision: &'static str,
    reason: &'static str,
    accounts: u64,
}

impl PlanSummary {
    fn new(
        plan: &Plan,
        limits: &GuardLimits,
        refusal: Option<&GuardRefusal>,
        circumstances: &Circumstances,
    ) -> Self {
        let allowed = plan.tally.allowed(limits);
        let enough = |excess: Option<GuardExcess>| excess?.enough();
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
            block_base: plan.tally.blocks.base,
            unblock_base: plan.tally.unblocks.base,
            allowed_blocks: allowed.blocks.changes,
            allowed_unblocks: allowed.unblocks.changes,
            max_block_percent: limits.max_block_percent,
            max_unblock_percent: limits.max_unblock_percent,
            enough_block_percent: refusal.and_then(|refusal| enough(refusal.blocks)),
            enough_unblock_percent: refusal.and_then(|refusal| enough(refusal.unblocks)),
            counts: plan.counts.iter().map(count).collect(),
            unreadable_accounts: plan.unreadable.iter().map(|account| account.id).collect(),
            unreadable_people: plan
                .unreadable_people
                .iter()
                .map(ToString::to_string)
                .collect(),
            paused: circumstances.pause.is_paused(),
            pause: circumstances.pause.detail(),
            token_expires: circumstances.token.and_then(|token| token.on),
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
