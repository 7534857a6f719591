//! What the acts came to, as one document.

use serde::Serialize;

use super::tables::Bought;
use crate::{
    cli::{Failure, common::output::Row},
    namespaces::ledger::history::SyncAttempt,
};

/// What the demo saw.
#[derive(Debug, Serialize)]
pub struct Report {
    ok: bool,
    acts: Vec<Act>,
}

/// One act.
#[derive(Debug, Serialize)]
pub struct Act {
    /// What is played.
    #[serde(rename = "act")]
    pub name: &'static str,
    /// GitLab's id of the namespace that it is about.
    pub namespace_id: i64,
    /// What the portal answered.
    pub portal: Recorded,
    /// Every attempt to send the sync, the oldest first.
    pub attempts: Vec<SyncAttempt>,
    /// What was given up, if anything was.
    pub dead_letter: Option<DeadLetter>,
    /// What GitLab's tables say at the end of it.
    pub gitlab: Option<Bought>,
    /// What is not as it must be.
    pub complaints: Vec<String>,
}

/// What the portal answered.
#[derive(Clone, Debug, Serialize)]
pub struct Recorded {
    /// 201 for a new sync, 200 for one that is on record.
    pub status: u16,
    /// The sync.
    pub sync_id: i64,
}

/// A sync that was given up, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetter {
    /// Why.
    pub reason: String,
    /// The detail.
    pub detail: String,
    /// How many were replayed.
    pub replayed: u64,
}

impl Act {
    /// Complains unless it holds.
    pub fn must(&mut self, holds: bool, complaint: impl Into<String>) {
        if !holds {
            self.complaints.push(complaint.into());
        }
    }
}

impl Report {
    /// Judges them.
    pub fn new(acts: Vec<Act>) -> Self {
        let ok = acts.iter().all(|act| act.complaints.is_empty());
        Self { ok, acts }
    }

    /// Fails with what is not as it must be.
    pub fn verdict(&self) -> Result<(), Failure> {
        let complaints: Vec<String> = self
            .acts
            .iter()
            .flat_map(|act| {
                act.complaints
                    .iter()
                    .map(|complaint| format!("{}: {complaint}", act.name))
            })
            .collect();
        if complaints.is_empty() {
            return Ok(());
        }
        Err(anyhow::anyhow!("the end is not as it must be: {}", complaints.join("; ")).into())
    }
}

impl Row for &Report {
    const COLUMNS: &'static [&'static str] = &["ok", "acts"];

    fn cells(&self) -> Vec<String> {
        vec![self.ok.to_string(), self.acts.len().to_string()]
    }
}
