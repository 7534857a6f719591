//! One account of a plan.

use serde::Serialize;

use crate::{
    cli::common::output::OutputRow,
    directory::Crsid,
    users::{
        account::AccountId,
        block_record::{BlockRecord, Blocker},
        plan::Decided,
    },
};

/// An account and what is decided for it.
#[derive(Serialize)]
pub(super) struct PlanLine<'a> {
    kind: &'static str,
    id: u64,
    username: &'a str,
    class: &'static str,
    crsid: Option<&'a str>,
    state: &'static str,
    decision: &'static str,
    reason: &'static str,
    #[serde(flatten)]
    blocked: BlockOrigin<'a>,
}

/// Who blocked an account, as programs read it. All of it is null for one that is not blocked.
#[derive(Default, Serialize)]
pub(super) struct BlockOrigin<'a> {
    blocked_by: Option<&'static str>,
    blocked_by_id: Option<u64>,
    blocked_by_username: Option<&'a str>,
    blocked_since: Option<String>,
    #[serde(skip)]
    in_words: Option<String>,
}

impl<'a> From<&'a Decided> for PlanLine<'a> {
    fn from(decided: &'a Decided) -> Self {
        let account = &decided.account;
        Self {
            kind: "account",
            id: account.id.0,
            username: &account.username,
            class: account.facts.class.as_str(),
            crsid: account.facts.class.crsid().map(Crsid::as_str),
            state: account.facts.state.as_str(),
            decision: decided.decision.action(),
            reason: decided.decision.reason(),
            blocked: account
                .block
                .as_deref()
                .map(BlockOrigin::from)
                .unwrap_or_default(),
        }
    }
}

impl<'a> From<&'a BlockRecord> for BlockOrigin<'a> {
    fn from(block: &'a BlockRecord) -> Self {
        let since = match block.since {
            Some(since) => format!("since {}", since.strftime("%Y-%m-%d %H:%M")),
            None => "since when is not recorded".to_owned(),
        };
        Self {
            blocked_since: block.since.map(|since| since.to_string()),
            in_words: Some(format!("blocked by {}, {since}", block.by)),
            ..Self::from(&block.by)
        }
    }
}

impl<'a> From<&'a Blocker> for BlockOrigin<'a> {
    fn from(by: &'a Blocker) -> Self {
        Self {
            blocked_by: Some(by.as_str()),
            blocked_by_id: by.account().map(|AccountId(id)| id),
            blocked_by_username: by.username(),
            ..Self::default()
        }
    }
}

impl BlockOrigin<'_> {
    /// What blocked it, and the id and the username of the account that did.
    pub(super) fn cells(&self) -> [String; 3] {
        [
            self.blocked_by.unwrap_or_default().to_owned(),
            self.blocked_by_id
                .map(|id| id.to_string())
                .unwrap_or_default(),
            self.blocked_by_username.unwrap_or_default().to_owned(),
        ]
    }
}

impl OutputRow for PlanLine<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "username",
        "class",
        "crsid",
        "state",
        "decision",
        "reason",
        "blocked_by",
        "blocked_by_id",
        "blocked_by_username",
        "blocked_since",
    ];
    const IN_TABLES: usize = 7;
    const YIELDING: &'static [&'static str] = &["class", "crsid"];

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
            .chain(self.blocked.cells())
            .chain([self.blocked.blocked_since.clone().unwrap_or_default()])
            .collect()
    }

    fn detail(&self) -> Option<String> {
        self.blocked.in_words.clone()
    }
}
