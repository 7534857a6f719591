//! What the ledger knows of the namespace that a dead letter is about.

use std::time::Duration;

use serde::Serialize;

use crate::{
    cli::common::attempt_text::told,
    namespaces::ledger::{
        Ledger, LedgerError,
        history::{SyncAttempt, SyncPreview},
    },
    telemetry::causes,
};

/// What the ledger says.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum LedgerView {
    /// It cannot be asked.
    NotConfigured,
    /// It was asked, and did not answer.
    Unreadable {
        /// Why.
        problem: String,
    },
    /// It has no sync of this namespace.
    Unrecorded,
    /// The newest sync.
    Recorded(Box<SyncPreview>),
}

impl LedgerView {
    /// What `ledger`, if there is one, says of `namespace_id`. An attempt that is open for longer
    /// than `settle` is overdue.
    pub(super) async fn of(
        namespace_id: i64,
        ledger: Option<&Result<Ledger, LedgerError>>,
        settle: Duration,
    ) -> Self {
        let ledger = match ledger {
            None => return Self::NotConfigured,
            Some(Err(error)) => return Self::unreadable(error),
            Some(Ok(ledger)) => ledger,
        };
        match ledger.preview(namespace_id, settle).await {
            Ok(Some(preview)) => Self::Recorded(Box::new(preview)),
            Ok(None) => Self::Unrecorded,
            Err(error) => Self::unreadable(&error),
        }
    }

    fn unreadable(error: &LedgerError) -> Self {
        Self::Unreadable {
            problem: causes::on_one_line(error),
        }
    }

    /// For people: names with texts.
    pub(super) fn fields(&self) -> Vec<(String, String)> {
        let ledger = |text: &str| vec![("ledger".to_owned(), text.to_owned())];
        match self {
            Self::NotConfigured => {
                ledger("not known: namespaces.ledger_database_url is not configured here")
            }
            Self::Unreadable { problem } => ledger(&format!("not known: {problem}")),
            Self::Unrecorded => ledger("no sync of this namespace is recorded"),
            Self::Recorded(preview) => {
                let newest = &preview.newest;
                let mut fields = ledger(&format!(
                    "newest sync {}, recorded {:.0}, requests: {}",
                    newest.id,
                    newest.recorded_at,
                    newest.requests.len()
                ));
                match newest.attempts.last() {
                    Some(last) => fields.extend(attempt(last)),
                    None => fields.push(("last attempt".to_owned(), "none yet".to_owned())),
                }
                fields
            }
        }
    }
}

fn attempt(attempt: &SyncAttempt) -> Vec<(String, String)> {
    let mut fields = vec![
        ("last attempt".to_owned(), told(attempt)),
        ("started".to_owned(), format!("{:.0}", attempt.started_at)),
    ];
    let parts = attempt.parts.as_ref().and_then(|parts| parts.as_object());
    for (part, answer) in parts.into_iter().flatten() {
        if let Some(status) = answer.get("status").and_then(|status| status.as_str()) {
            let why = answer.get("message").and_then(|message| message.as_str());
            let text = why.map_or_else(|| status.to_owned(), |why| format!("{status}: {why}"));
            fields.push((format!("part {part}"), text));
        }
    }
    fields
}
