//! What the acts came to, as one document.

use serde::Serialize;

use super::tables::NamespaceHoldings;
use crate::{
    cli::{CommandFailure, common::output::OutputRow},
    namespaces::ledger::history::SyncAttempt,
};

/// What the demo saw.
#[derive(Debug, Serialize)]
pub struct NamespaceDemoReport {
    ok: bool,
    acts: Vec<NamespaceDemoStep>,
}

/// One act.
#[derive(Debug, Serialize)]
pub struct NamespaceDemoStep {
    /// What is played.
    #[serde(rename = "act")]
    pub name: &'static str,
    /// GitLab's id of the namespace that it is about.
    pub namespace_id: i64,
    /// What the portal answered.
    pub portal: PortalReply,
    /// Every attempt to send the sync, the oldest first.
    pub attempts: Vec<SyncAttempt>,
    /// What was given up, if anything was.
    pub dead_letter: Option<RefusedSync>,
    /// What GitLab's tables say at the end of it.
    pub gitlab: Option<NamespaceHoldings>,
    /// What is not as it must be.
    pub complaints: Vec<String>,
}

/// What the portal answered.
#[derive(Clone, Debug, Serialize)]
pub struct PortalReply {
    /// 201 for a new sync, 200 for one that is on record.
    pub status: u16,
    /// The sync.
    pub sync_id: i64,
}

/// A sync that was given up, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct RefusedSync {
    /// Why.
    pub reason: String,
    /// The detail.
    pub detail: String,
    /// How many were replayed.
    pub replayed: u64,
}

impl NamespaceDemoStep {
    /// Complains unless it holds.
    pub fn must(&mut self, holds: bool, complaint: impl Into<String>) {
        if !holds {
            self.complaints.push(complaint.into());
        }
    }
}

impl NamespaceDemoReport {
    /// Judges them.
    pub fn new(acts: Vec<NamespaceDemoStep>) -> Self {
        let ok = acts.iter().all(|act| act.complaints.is_empty());
        Self { ok, acts }
    }

    /// Fails with what is not as it must be.
    pub fn verdict(&self) -> Result<(), CommandFailure> {
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
        Err(anyhow::anyhow!("the final state is wrong: {}", complaints.join("; ")).into())
    }
}

impl OutputRow for NamespaceDemoReport {
    const COLUMNS: &'static [&'static str] = &["ok", "acts"];

    fn cells(&self) -> Vec<String> {
        vec![self.ok.to_string(), self.acts.len().to_string()]
    }
}
