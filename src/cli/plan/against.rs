//! An earlier plan, and what is decided otherwise now.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    cli::{CommandFailure, common::output::OutputRow},
    users::plan::{Plan, UNREADABLE},
};

/// The longest line that is read, in bytes: one of ours has a few hundred.
const LONGEST_LINE: u64 = 64 * 1024;
/// What an account that the earlier plan does not list was: without `--all` those are listed that
/// would be changed.
const KEPT: &str = "keep";
/// What an account is that is gone, or no longer in scope.
const NOT_LISTED: &str = "not_listed";

/// What an earlier plan decided for its accounts.
#[derive(Debug)]
pub(super) struct EarlierPlan(BTreeMap<u64, EarlierDecision>);

#[derive(Debug, PartialEq, Eq)]
struct EarlierDecision {
    username: String,
    decision: String,
    reason: String,
}

/// A line of `plan --output json`.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum EarlierLine {
    Account {
        id: u64,
        username: String,
        decision: String,
        reason: String,
    },
    Summary {},
}

/// An account for which something else is decided than before.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct DifferenceLine<'a> {
    kind: &'static str,
    id: u64,
    username: &'a str,
    before: &'a str,
    before_reason: Option<&'a str>,
    now: &'static str,
    now_reason: Option<&'static str>,
}

impl EarlierPlan {
    /// Reads what `plan --output json` printed.
    ///
    /// # Errors
    /// The place at which the file is something else.
    pub(super) fn read(path: &Path) -> Result<Self, CommandFailure> {
        let said =
            |what: &str| CommandFailure::usage(format!("--against {}: {what}", path.display()));
        let file = File::open(path).map_err(|error| said(&error.to_string()))?;
        Self::parse(BufReader::new(file)).map_err(|what| said(&what))
    }

    fn parse(mut lines: impl BufRead) -> Result<Self, String> {
        let mut decisions = BTreeMap::new();
        let mut ended = false;
        for number in 1_u64.. {
            let mut line = Vec::new();
            (&mut lines)
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut line)
                .map_err(|error| error.to_string())?;
            if line.is_empty() {
                break;
            }
            let read = serde_json::from_slice(&line).map_err(|_| {
                format!("line {number} is none of `plan --output json`; `plan --all --output json > FILE` makes one")
            })?;
            match read {
                EarlierLine::Summary {} => ended = true,
                EarlierLine::Account {
                    id,
                    username,
                    decision,
                    reason,
                } => {
                    let decision = EarlierDecision {
                        username,
                        decision,
                        reason,
                    };
                    if decisions.insert(id, decision).is_some() {
                        return Err(format!("line {number} is the second of account {id}"));
                    }
                }
            }
        }
        // A plan that was cut off would show all that it lacks as a difference.
        if ended {
            Ok(Self(decisions))
        } else {
            Err("it has no summary at its end: it was cut off, or is no plan".to_owned())
        }
    }

    /// The accounts that are decided otherwise now, by ascending id.
    pub(super) fn differences<'a>(&'a self, plan: &'a Plan) -> Vec<DifferenceLine<'a>> {
        let now: BTreeMap<u64, _> = plan
            .decided
            .iter()
            .map(|decided| (decided.account.id.0, decided))
            .collect();
        let in_both = now.iter().map(|(id, decided)| DifferenceLine {
            kind: "difference",
            id: *id,
            username: &decided.account.username,
            before: self.decision(*id),
            before_reason: self.reason(*id),
            now: decided.decision.action(),
            now_reason: Some(decided.decision.reason()),
        });
        let unlisted = self
            .0
            .iter()
            .filter(|(id, _)| !now.contains_key(id))
            .map(|(id, before)| {
                let unreadable = plan.unreadable.iter().any(|account| account.id == *id);
                let (now, now_reason) = if unreadable {
                    (UNREADABLE.0, Some(UNREADABLE.1))
                } else {
                    (NOT_LISTED, None)
                };
                DifferenceLine {
                    kind: "difference",
                    id: *id,
                    username: &before.username,
                    before: &before.decision,
                    before_reason: Some(&before.reason),
                    now,
                    now_reason,
                }
            });
        let mut lines: Vec<_> = in_both
            .chain(unlisted)
            .filter(DifferenceLine::differs)
            .collect();
        lines.sort_by_key(|line| line.id);
        lines
    }

    fn decision(&self, id: u64) -> &str {
        self.0.get(&id).map_or(KEPT, |before| &before.decision)
    }

    fn reason(&self, id: u64) -> Option<&str> {
        self.0.get(&id).map(|before| before.reason.as_str())
    }
}

impl DifferenceLine<'_> {
    fn differs(&self) -> bool {
        self.before != self.now
            || (self.before_reason.is_some() && self.before_reason != self.now_reason)
    }
}

impl OutputRow for DifferenceLine<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "username",
        "before",
        "before_reason",
        "now",
        "now_reason",
    ];
    const YIELDING: &'static [&'static str] = &["before_reason"];

    fn cells(&self) -> Vec<String> {
        let texts = [
            self.username,
            self.before,
            self.before_reason.unwrap_or_default(),
            self.now,
            self.now_reason.unwrap_or_default(),
        ];
        std::iter::once(self.id.to_string())
            .chain(texts.map(ToOwned::to_owned))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::gitlab::Unreadable;

    const ACCOUNT: &str = r#"{"kind":"account","id":42,"username":"spqr1","class":"member","crsid":"spqr1","state":"active","decision":"block","reason":"cancelled_in_lookup"}"#;
    const SUMMARY: &str = r#"{"kind":"summary","accounts":1}"#;

    #[test]
    fn a_plan_is_read_with_whatever_else_a_version_says() {
        let text = format!("{ACCOUNT}\n{SUMMARY}\n");
        let plan = EarlierPlan::parse(text.as_bytes()).unwrap();
        assert_eq!(plan.decision(42), "block");
        assert_eq!(plan.reason(42), Some("cancelled_in_lookup"));
        assert_eq!((plan.decision(43), plan.reason(43)), ("keep", None));
    }

    #[test]
    fn an_account_that_cannot_be_shown_any_more_is_kept_and_one_that_is_gone_is_not_listed() {
        let gone = ACCOUNT.replace("42", "43");
        let text = format!("{ACCOUNT}\n{gone}\n{SUMMARY}\n");
        let earlier = EarlierPlan::parse(text.as_bytes()).unwrap();
        let plan = Plan {
            unreadable: vec![Unreadable {
                id: 42,
                why: "answered 500".to_owned(),
            }],
            ..Plan::default()
        };
        let differences = earlier.differences(&plan);
        let now: Vec<_> = differences
            .iter()
            .map(|line| (line.id, line.now, line.now_reason))
            .collect();
        assert_eq!(
            now,
            [
                (42, "keep", Some("account_unreadable")),
                (43, "not_listed", None)
            ]
        );
    }

    #[rstest]
    #[case::nothing("", "no summary")]
    #[case::cut_off(ACCOUNT, "no summary")]
    #[case::cut_off_in_a_line(ACCOUNT.trim_end_matches('}'), "line 1")]
    #[case::an_empty_line(&format!("\n{SUMMARY}"), "line 1")]
    #[case::csv("id,username\n42,spqr1\n", "line 1")]
    #[case::another_object(r#"{"kind":"user","id":42}"#, "line 1")]
    #[case::no_kind(r#"{"id":42}"#, "line 1")]
    #[case::an_array(&format!("[{ACCOUNT}]"), "line 1")]
    #[case::an_account_twice(&format!("{ACCOUNT}\n{ACCOUNT}\n{SUMMARY}"), "line 2")]
    #[case::a_negative_id(&format!("{SUMMARY}\n{}", ACCOUNT.replace("42", "-42")), "line 2")]
    #[case::a_line_without_end(&"[".repeat(1_000_000), "line 1")]
    #[case::no_text("\u{0}\u{1}", "line 1")]
    fn anything_else_is_refused_at_its_place(#[case] text: &str, #[case] why: &str) {
        let said = EarlierPlan::parse(text.as_bytes()).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}
