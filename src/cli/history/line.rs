//! One entry of a history.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    cli::common::output::OutputRow,
    users::{
        account::AccountId,
        block_record::Blocker,
        history::{HistoryEntry, HistorySource},
    },
};

/// What happened, as it is printed.
#[derive(Serialize)]
pub(super) struct HistoryLine<'a> {
    kind: &'static str,
    at: Option<String>,
    after: Option<String>,
    id: Option<u64>,
    username: Option<&'a str>,
    event: &'static str,
    by: &'static str,
    by_id: Option<u64>,
    by_username: Option<&'a str>,
    reason: Option<&'a str>,
    run: Option<&'a str>,
    detail: Option<&'a str>,
    sources: Vec<&'static str>,
    #[serde(skip)]
    when: String,
    #[serde(skip)]
    in_words: String,
}

impl<'a> From<&'a HistoryEntry> for HistoryLine<'a> {
    fn from(entry: &'a HistoryEntry) -> Self {
        let account = entry.account.as_ref();
        let username = account.map(|account| account.username.as_str());
        Self {
            kind: "history",
            at: entry.at.map(|at| at.to_string()),
            after: entry.after.map(|after| after.to_string()),
            id: account.map(|account| account.id.0),
            username: username.filter(|name| !name.is_empty()),
            event: entry.event.as_str(),
            by: entry.by.as_str(),
            by_id: entry.by.account().map(|AccountId(id)| id),
            by_username: entry.by.username().filter(|name| !name.is_empty()),
            reason: entry.reason.as_deref(),
            run: entry.run.as_deref(),
            detail: entry.detail.as_deref(),
            sources: entry
                .sources
                .iter()
                .copied()
                .map(HistorySource::as_str)
                .collect(),
            when: entry.at.map_or_else(|| "not recorded".to_owned(), short),
            in_words: in_words(entry),
        }
    }
}

fn short(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Why, in which run, and who, in this order: at 80 columns nothing of the first two is split.
fn in_words(entry: &HistoryEntry) -> String {
    let after = entry.after.map(|after| format!("after {}", short(after)));
    let run = entry.run.as_ref().map(|run| format!("run {run}"));
    let by = format!("by {}", who(&entry.by));
    let parts = [after, entry.reason.clone(), run, Some(by)];
    let said = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    match &entry.detail {
        Some(detail) => format!("{said}: {detail}"),
        None => said,
    }
}

/// An author whose username is not known is an id.
fn who(by: &Blocker) -> String {
    match by {
        Blocker::Account { id, username } if username.is_empty() => format!("account {id}"),
        by => by.to_string(),
    }
}

impl OutputRow for HistoryLine<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "when",
        "id",
        "username",
        "event",
        "sources",
        "at",
        "after",
        "by",
        "by_id",
        "by_username",
        "reason",
        "run",
        "detail",
    ];
    const IN_TABLES: usize = 5;
    const YIELDING: &'static [&'static str] = &["sources"];

    fn cells(&self) -> Vec<String> {
        let number = |id: Option<u64>| id.map(|id| id.to_string()).unwrap_or_default();
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        vec![
            self.when.clone(),
            number(self.id),
            text(self.username),
            self.event.to_owned(),
            self.sources.join(", "),
            text(self.at.as_deref()),
            text(self.after.as_deref()),
            self.by.to_owned(),
            number(self.by_id),
            text(self.by_username),
            text(self.reason),
            text(self.run),
            text(self.detail),
        ]
    }

    fn detail(&self) -> Option<String> {
        Some(self.in_words.clone())
    }
}
