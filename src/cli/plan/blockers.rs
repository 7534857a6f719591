//! The blocked accounts of a plan, by who blocked them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::line::BlockOrigin;
use crate::{
    cli::common::output::OutputRow,
    users::{block_record::Blocker, plan::Plan},
};

/// Whoever blocked accounts, and how many.
#[derive(Serialize)]
pub(super) struct BlockerLine<'a> {
    kind: &'static str,
    #[serde(flatten)]
    by: BlockOrigin<'a>,
    accounts: u64,
    first: Option<String>,
    last: Option<String>,
    #[serde(skip)]
    in_words: String,
}

#[derive(Default)]
struct Blocks {
    accounts: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// Who blocked the accounts in scope, the one with the most first.
pub(super) fn blockers(plan: &Plan) -> Vec<BlockerLine<'_>> {
    let mut found: BTreeMap<&Blocker, Blocks> = BTreeMap::new();
    let blocks = plan
        .decided
        .iter()
        .filter_map(|decided| decided.account.block.as_deref());
    for block in blocks {
        let Blocks {
            accounts,
            first,
            last,
        } = found.entry(&block.by).or_default();
        *accounts += 1;
        *first = (*first).into_iter().chain(block.since).min();
        *last = (*last).max(block.since);
    }
    let mut lines: Vec<_> = found.into_iter().map(BlockerLine::from).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.accounts));
    lines
}

impl<'a> From<(&'a Blocker, Blocks)> for BlockerLine<'a> {
    fn from((by, blocks): (&'a Blocker, Blocks)) -> Self {
        Self {
            kind: "blocker",
            by: BlockOrigin::from(by),
            accounts: blocks.accounts,
            first: blocks.first.map(|first| first.to_string()),
            last: blocks.last.map(|last| last.to_string()),
            in_words: by.to_string(),
        }
    }
}

impl OutputRow for BlockerLine<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "who",
        "accounts",
        "first",
        "last",
        "blocked_by",
        "blocked_by_id",
        "blocked_by_username",
    ];
    const IN_TABLES: usize = 4;

    fn cells(&self) -> Vec<String> {
        let times = [&self.first, &self.last];
        [self.in_words.clone(), self.accounts.to_string()]
            .into_iter()
            .chain(times.map(|time| time.clone().unwrap_or_default()))
            .chain(self.by.cells())
            .collect()
    }
}
