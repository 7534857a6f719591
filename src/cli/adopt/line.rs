//! One blocked account, and what became of its block.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    cli::{
        CommandFailure, ExitReason,
        common::output::{self, OutputFormat, OutputRow},
    },
    upstream::CallError,
    users::{
        account::AccountId,
        adoption::{
            AdoptableBlock, Adoption, AdoptionOutcome, AdoptionSurvey, JudgedAccount, LeaveReason,
        },
        ownership::StateChange,
    },
};

/// A blocked account, and what became of its block.
#[derive(Serialize)]
pub(super) struct AdoptionLine {
    kind: &'static str,
    pub id: u64,
    username: String,
    outcome: &'static str,
    reason: Option<String>,
    blocked_by_id: Option<u64>,
    blocked_by_username: Option<String>,
    blocked_since: Option<Timestamp>,
}

impl AdoptionLine {
    fn new(account: &JudgedAccount, outcome: &'static str, record: Option<&StateChange>) -> Self {
        Self {
            kind: "account",
            id: account.id.0,
            username: account.username.clone(),
            outcome,
            reason: None,
            blocked_by_id: record.map(|act| act.by.0),
            blocked_by_username: record.map(|act| act.username.to_string()),
            blocked_since: record.map(|act| act.at),
        }
    }

    fn because(self, reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..self
        }
    }

    /// Of a block that was not touched, because nothing may be written or too many were asked for.
    pub(super) fn untouched(account: &JudgedAccount, block: &AdoptableBlock) -> Self {
        Self::new(account, "would_adopt", block.record.as_ref()).since(block)
    }

    /// Of a block that was tried.
    pub(super) fn tried(
        account: &JudgedAccount,
        block: &AdoptableBlock,
        outcome: &Result<AdoptionOutcome, CallError>,
    ) -> Self {
        let line = |outcome| Self::new(account, outcome, block.record.as_ref()).since(block);
        match outcome {
            Ok(AdoptionOutcome::Adopted) => line("adopted"),
            Ok(AdoptionOutcome::Gone) => line("left").because("gone"),
            Ok(AdoptionOutcome::TooOld) => line("failed").because("GitLab answered too slowly"),
            Ok(AdoptionOutcome::Changed(Adoption::Leave(reason))) => {
                line("left").because(reason.as_str())
            }
            Ok(AdoptionOutcome::Changed(Adoption::NotBlocked | Adoption::Adopt(_))) => {
                line("left").because("not_blocked")
            }
            Err(error) => line("failed").because(error.what()),
        }
    }

    /// Of a block that is left.
    pub(super) fn left(account: &JudgedAccount, reason: &LeaveReason) -> Self {
        let record = match reason {
            LeaveReason::AnotherAccount(act) => Some(act),
            LeaveReason::AlreadyOurs
            | LeaveReason::Banned
            | LeaveReason::IdentityProvider
            | LeaveReason::NotInScope
            | LeaveReason::NoRecord
            | LeaveReason::UnreadableRecord
            | LeaveReason::UnblockedSince
            | LeaveReason::NotBefore => None,
        };
        Self::new(account, "left", record).because(reason.as_str())
    }

    fn since(self, block: &AdoptableBlock) -> Self {
        Self {
            blocked_since: block.at,
            ..self
        }
    }
}

impl OutputRow for AdoptionLine {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "username",
        "outcome",
        "reason",
        "blocked_by_id",
        "blocked_by_username",
        "blocked_since",
    ];
    const IN_TABLES: usize = 4;

    fn cells(&self) -> Vec<String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![
            self.id.to_string(),
            self.username.clone(),
            self.outcome.to_owned(),
            text(&self.reason),
            self.blocked_by_id
                .map(|id| id.to_string())
                .unwrap_or_default(),
            text(&self.blocked_by_username),
            self.blocked_since
                .map(|since| since.to_string())
                .unwrap_or_default(),
        ]
    }

    fn detail(&self) -> Option<String> {
        let by = match (self.blocked_by_id, &self.blocked_by_username) {
            (Some(id), Some(username)) => format!("blocked by {username} ({id})"),
            _ if self.outcome == "left" => return None,
            _ => "blocked by nobody on record".to_owned(),
        };
        Some(match self.blocked_since {
            Some(since) => format!("{by}, since {}", since.strftime("%Y-%m-%d %H:%M")),
            None => format!("{by}, since when is not recorded"),
        })
    }
}

/// What is said after the list.
#[derive(Serialize)]
pub(super) struct AdoptionSummary {
    kind: &'static str,
    run: String,
    dry_run: bool,
    accounts: u64,
    adopted: usize,
    would_adopt: usize,
    left: usize,
    failed: usize,
    unreadable: Vec<u64>,
}

impl AdoptionSummary {
    pub(super) fn of(
        survey: &AdoptionSurvey,
        lines: &[AdoptionLine],
        dry_run: bool,
        run: &str,
    ) -> Self {
        let count = |outcome| lines.iter().filter(|line| line.outcome == outcome).count();
        Self {
            kind: "summary",
            run: run.to_owned(),
            dry_run,
            accounts: survey.accounts,
            adopted: count("adopted"),
            would_adopt: count("would_adopt"),
            left: count("left") + survey.left.len(),
            failed: count("failed"),
            unreadable: survey.unreadable.iter().map(|one| one.id).collect(),
        }
    }

    /// The list, and what is said after it: for people on standard error, so that the list can be
    /// piped; for programs as the last line of JSON.
    pub(super) fn print(
        &self,
        output: OutputFormat,
        lines: &[AdoptionLine],
    ) -> std::io::Result<()> {
        output::print(output, lines)?;
        match output {
            OutputFormat::Json => output::print(output, std::slice::from_ref(self)),
            OutputFormat::Table | OutputFormat::Csv => output::note(&self.in_words()),
        }
    }

    fn in_words(&self) -> String {
        let Self {
            accounts,
            adopted,
            would_adopt,
            left,
            failed,
            ..
        } = self;
        let done = if self.dry_run {
            format!("{would_adopt} blocks to adopt")
        } else {
            format!("{adopted} blocks adopted, {failed} not adopted")
        };
        let unreadable = match self.unreadable.len() {
            0 => String::new(),
            count => format!("; {count} accounts that GitLab cannot show are left"),
        };
        format!("{accounts} accounts read: {done}, {left} left as they are{unreadable}")
    }

    /// # Errors
    /// Where more was asked for than `limit` allows, or a block could not be adopted.
    pub(super) fn verdict(&self, limit: u64) -> Result<(), CommandFailure> {
        if !self.dry_run && self.would_adopt > 0 {
            return Err(CommandFailure::guard_refused(format!(
                "nothing was adopted: these are {} blocks, and guard.max_blocks is {limit}; adopt in parts with --before, or \
                 raise it",
                self.would_adopt
            )));
        }
        if self.failed > 0 {
            return Err(CommandFailure::new(
                ExitReason::Failed,
                anyhow::anyhow!(
                    "{} blocks could not be adopted; run the same command again",
                    self.failed
                ),
            ));
        }
        Ok(())
    }
}

impl OutputRow for AdoptionSummary {
    const COLUMNS: &'static [&'static str] =
        &["accounts", "adopted", "would_adopt", "left", "failed"];

    fn cells(&self) -> Vec<String> {
        let counts = [self.adopted, self.would_adopt, self.left, self.failed];
        std::iter::once(self.accounts.to_string())
            .chain(counts.map(|count| count.to_string()))
            .collect()
    }
}

/// The ids of `accounts`, as a person writes them in the configuration.
pub(super) fn list(accounts: &[AccountId]) -> String {
    let ids: Vec<_> = accounts.iter().map(ToString::to_string).collect();
    format!("[{}]", ids.join(", "))
}
