//! One row of the table at the end of a run: an account, or a message that names none.

use serde::Serialize;

use crate::{cli::common::output::OutputRow, messaging::wire::SyncOutcome};

/// How it ended for one account, or for one message that names none.
#[derive(Debug, Serialize)]
pub struct NamedOutcome {
    id: Option<u64>,
    username: Option<String>,
    crsid: Option<String>,
    decision: Option<String>,
    reason: Option<String>,
    result: String,
}

impl NamedOutcome {
    /// Of `outcome`, with its result in words.
    pub fn of(outcome: &SyncOutcome, result: &str) -> Self {
        Self {
            id: outcome.gitlab_user_id,
            username: outcome.username.clone(),
            crsid: outcome.crsid.clone(),
            decision: outcome.decision.clone(),
            reason: outcome.reason.clone(),
            result: result.to_owned(),
        }
    }
}

impl OutputRow for NamedOutcome {
    const COLUMNS: &'static [&'static str] =
        &["id", "username", "crsid", "decision", "reason", "result"];
    const SENTENCES: &'static [&'static str] = &["result"];
    const YIELDING: &'static [&'static str] = &["crsid"];

    fn cells(&self) -> Vec<String> {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        vec![
            self.id.map(|id| id.to_string()).unwrap_or_default(),
            text(&self.username),
            text(&self.crsid),
            text(&self.decision),
            text(&self.reason),
            self.result.clone(),
        ]
    }
}
