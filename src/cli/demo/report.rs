//! What the demo saw, as one document.

use serde::Serialize;
use simulator::population::{Mismatch, Population};

use crate::cli::{CommandFailure, common::output::OutputRow};

/// What the demo saw.
#[derive(Debug, Serialize)]
pub struct DemoReport {
    ok: bool,
    accounts: usize,
    first_tick: DemoRun,
    second_tick: DemoRun,
    mismatches: Vec<Mismatch>,
    resync: Option<DemoResync>,
    dead_letter: PoisonedLetter,
}

/// What one tick did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DemoRun {
    /// Outcomes of distinct accounts.
    pub outcomes: u64,
    /// Blocks applied.
    pub blocked: u64,
    /// Unblocks applied.
    pub unblocked: u64,
    /// Calls to GitLab that read.
    pub gitlab_reads: usize,
    /// Calls to GitLab that write: PUT, POST and DELETE.
    pub gitlab_writes: usize,
    /// Calls to Lookup, its token endpoint included.
    pub lookup_calls: usize,
    /// Milliseconds from the tick's publication to the last outcome.
    pub milliseconds: u128,
    /// Each change, with its reason.
    pub changes: Vec<ChangedAccount>,
}

/// One account that was changed.
#[derive(Clone, Debug, Serialize)]
pub struct ChangedAccount {
    /// Its id.
    pub id: u64,
    /// Its username.
    pub username: String,
    /// The person, if it is a member's.
    pub crsid: Option<String>,
    /// `block` or `unblock`.
    pub decision: String,
    /// Why.
    pub reason: String,
}

/// What a resync of somebody who came back did.
#[derive(Debug, Serialize)]
pub struct DemoResync {
    /// The person.
    pub crsid: String,
    /// The outcome's result.
    pub result: Option<String>,
    /// Whether the account is active afterwards.
    pub active: bool,
}

/// What became of a poisoned message.
#[derive(Debug, Serialize)]
pub struct PoisonedLetter {
    /// Its body.
    pub body: String,
    /// Why it was dead-lettered.
    pub reason: String,
    /// The detail.
    pub detail: String,
    /// How many were replayed.
    pub replayed: u64,
    /// How often it had died after the replay.
    pub deaths: u32,
}

impl DemoReport {
    /// Puts it together and judges it.
    pub fn new(
        population: &Population,
        first_tick: DemoRun,
        second_tick: DemoRun,
        mismatches: Vec<Mismatch>,
        resync: Option<DemoResync>,
        dead_letter: PoisonedLetter,
    ) -> Self {
        let mut report = Self {
            ok: false,
            accounts: population.accounts().len(),
            first_tick,
            second_tick,
            mismatches,
            resync,
            dead_letter,
        };
        report.ok = report.complaints().is_empty();
        report
    }

    /// What is not as it must be.
    fn complaints(&self) -> Vec<String> {
        let mut complaints: Vec<String> = self.mismatches.iter().map(ToString::to_string).collect();
        let mut must = |holds: bool, complaint: &str| {
            if !holds {
                complaints.push(complaint.to_owned());
            }
        };
        must(self.second_tick.gitlab_writes == 0, "the second tick wrote");
        let came_back = self.resync.as_ref().is_none_or(|resync| resync.active);
        must(came_back, "the person who came back is not active");
        must(
            self.dead_letter.reason == "invalid_field",
            "the poisoned message was not dead-lettered for its field",
        );
        must(
            self.dead_letter.replayed == 1,
            "the dead letter was not replayed",
        );
        must(
            self.dead_letter.deaths == 2,
            "the poisoned message did not die again",
        );
        complaints
    }

    /// Fails with what is not as it must be.
    pub fn verdict(&self) -> Result<(), CommandFailure> {
        if self.ok {
            return Ok(());
        }
        Err(anyhow::anyhow!("the final state is wrong: {}", self.complaints().join("; ")).into())
    }
}

impl OutputRow for DemoReport {
    const COLUMNS: &'static [&'static str] = &["ok", "accounts"];

    fn cells(&self) -> Vec<String> {
        vec![self.ok.to_string(), self.accounts.to_string()]
    }
}

impl OutputRow for ChangedAccount {
    const COLUMNS: &'static [&'static str] = &["id", "username", "crsid", "decision", "reason"];

    fn cells(&self) -> Vec<String> {
        let crsid = self.crsid.clone().unwrap_or_default();
        vec![
            self.id.to_string(),
            self.username.clone(),
            crsid,
            self.decision.clone(),
            self.reason.clone(),
        ]
    }
}
