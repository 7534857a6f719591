//! `compare`: what an earlier service has done beside what this one would do.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{
    CommandFailure,
    common::{
        output::{self, OutputFormat, OutputRow},
        values::account_id,
    },
    plan::make_plan,
};
use crate::{
    app::{clients::UserClients, context::ProcessContext},
    config::ReadingConfig,
    users::{
        account::AccountId,
        comparison::{Agreement, compare},
        plan::Decided,
    },
};

/// Shows where an earlier service and this one would do different things; writes and publishes
/// nothing
///
/// It compares GitLab's record of who blocked each account with what this service decides for it
/// now.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync compare --with 17")]
pub struct CompareArgs {
    /// The id of an account that the earlier service uses
    #[arg(long, value_name = "ID", num_args = 1.., required = true, value_parser = account_id)]
    with: Vec<u64>,
    /// Also list the accounts for which both do the same, and those that somebody else decides about
    #[arg(long)]
    all: bool,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl CompareArgs {
    pub(super) async fn run(self, context: &ProcessContext) -> Result<(), CommandFailure> {
        let config: ReadingConfig = context.start(false)?;
        let now = Timestamp::now();
        let today = now.to_zoned_datetime(TimeZone::UTC).date();
        let clients = UserClients::for_reading(&config)?;
        let plan = make_plan(&clients, now, today, self.output).await?;
        let theirs: Vec<AccountId> = self.with.iter().copied().map(AccountId).collect();
        let mut lines = Vec::new();
        let mut summary = ComparisonSummary::default();
        for decided in &plan.decided {
            let (agreement, ours) = compare(decided, &theirs, clients.rules.policy, today);
            summary.count(agreement);
            if self.all || agreement.is_difference() {
                lines.push(ComparisonLine::of(decided, agreement, ours.reason()));
            }
        }
        output::print(self.output, &lines)?;
        match self.output {
            OutputFormat::Json => output::print(self.output, &[summary])?,
            OutputFormat::Table | OutputFormat::Csv => output::note(&summary.in_words())?,
        }
        Ok(())
    }
}

/// An account, and how the two services judge it.
#[derive(Serialize)]
struct ComparisonLine<'a> {
    kind: &'static str,
    id: u64,
    username: &'a str,
    agreement: &'static str,
    reason: &'static str,
    blocked_since: Option<String>,
}

impl<'a> ComparisonLine<'a> {
    fn of(decided: &'a Decided, agreement: Agreement, reason: &'static str) -> Self {
        let account = &decided.account;
        let since = account.block.as_ref().and_then(|block| block.since);
        Self {
            kind: "account",
            id: account.id.0,
            username: &account.username,
            agreement: agreement.as_str(),
            reason,
            blocked_since: since.map(|since| since.to_string()),
        }
    }
}

impl OutputRow for ComparisonLine<'_> {
    const COLUMNS: &'static [&'static str] =
        &["id", "username", "agreement", "reason", "blocked_since"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.username.to_owned(),
            self.agreement.to_owned(),
            self.reason.to_owned(),
            self.blocked_since.clone().unwrap_or_default(),
        ]
    }
}

/// How many accounts there are of each kind.
#[derive(Serialize)]
struct ComparisonSummary {
    kind: &'static str,
    accounts: BTreeMap<&'static str, u64>,
}

impl Default for ComparisonSummary {
    fn default() -> Self {
        let all = [
            Agreement::BothBlock,
            Agreement::BothOpen,
            Agreement::OnlyTheyBlock,
            Agreement::OnlyWeBlock,
            Agreement::Ours,
            Agreement::DecidedElsewhere,
        ];
        Self {
            kind: "summary",
            accounts: all.map(|agreement| (agreement.as_str(), 0)).into(),
        }
    }
}

impl ComparisonSummary {
    fn count(&mut self, agreement: Agreement) {
        *self.accounts.entry(agreement.as_str()).or_default() += 1;
    }

    fn in_words(&self) -> String {
        let of = |agreement: Agreement| self.accounts.get(agreement.as_str()).copied().unwrap_or(0);
        format!(
            "both block {} and keep {} open; {} only the earlier service has blocked, {} only this one would block; {} this \
             one has blocked or adopted, {} are decided about by others",
            of(Agreement::BothBlock),
            of(Agreement::BothOpen),
            of(Agreement::OnlyTheyBlock),
            of(Agreement::OnlyWeBlock),
            of(Agreement::Ours),
            of(Agreement::DecidedElsewhere),
        )
    }
}

impl OutputRow for ComparisonSummary {
    const COLUMNS: &'static [&'static str] = &["accounts"];

    fn cells(&self) -> Vec<String> {
        let counts = self.accounts.iter();
        let counts = counts.map(|(agreement, accounts)| format!("{agreement} {accounts}"));
        vec![counts.collect::<Vec<_>>().join(", ")]
    }
}
