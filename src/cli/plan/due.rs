//! External accounts that become inactive soon.

use jiff::{ToSpan, civil::Date};
use serde::Serialize;

use crate::{
    cli::common::output::OutputRow,
    users::{
        account::LastSeen,
        plan::{Decided, Plan},
        policy::{Decision, KeepReason, Policy},
    },
};

/// The longest time that may be looked ahead, in days.
const MOST_DAYS: u16 = 3660;

/// An external account, and when it will be blocked if it is not seen until then.
#[derive(Serialize)]
pub(super) struct DueLine<'a> {
    kind: &'static str,
    id: u64,
    username: &'a str,
    last_seen: Date,
    inactive_on: Date,
}

/// Reads a number of days, such as `30d`.
///
/// # Errors
/// What is allowed.
pub(super) fn days(text: &str) -> Result<u16, String> {
    let plain = |number: &&str| number.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_suffix('d')
        .filter(plain)
        .and_then(|number| number.parse().ok())
        .filter(|days| (1..=MOST_DAYS).contains(days))
        .ok_or_else(|| format!("a number of days from 1d to {MOST_DAYS}d, such as 30d"))
}

/// The accounts that are kept on `today` and become inactive within so many days, the next first.
pub(super) fn due(plan: &Plan, policy: Policy, today: Date, days: u16) -> Vec<DueLine<'_>> {
    let last = today.saturating_add(i32::from(days).days());
    let line = |decided| DueLine::of(decided, policy).filter(|line| line.inactive_on <= last);
    let mut lines: Vec<_> = plan.decided.iter().filter_map(line).collect();
    lines.sort_by_key(|line| (line.inactive_on, line.id));
    lines
}

impl<'a> DueLine<'a> {
    fn of(decided: &'a Decided, policy: Policy) -> Option<Self> {
        let account = &decided.account;
        match (decided.decision, account.facts.last_seen) {
            (Decision::Keep(KeepReason::Active), LastSeen::On(last_seen)) => Some(Self {
                kind: "due",
                id: account.id.0,
                username: &account.username,
                last_seen,
                inactive_on: policy.inactive_on(last_seen)?,
            }),
            (Decision::Keep(_) | Decision::Block(_) | Decision::Unblock(_), _) => None,
        }
    }
}

impl OutputRow for DueLine<'_> {
    const COLUMNS: &'static [&'static str] = &["id", "username", "last_seen", "inactive_on"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.username.to_owned(),
            self.last_seen.to_string(),
            self.inactive_on.to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::days;

    #[rstest]
    #[case("1d", 1)]
    #[case("30d", 30)]
    #[case("0030d", 30)]
    #[case("3660d", 3660)]
    fn a_number_of_days_is_read(#[case] text: &str, #[case] expected: u16) {
        assert_eq!(days(text), Ok(expected));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::no_unit("30")]
    #[case::another_unit("4w")]
    #[case::no_number("d")]
    #[case::none("0d")]
    #[case::too_many("3661d")]
    #[case::more_than_a_number_holds("99999999999d")]
    #[case::a_sign("+3d")]
    #[case::negative("-3d")]
    #[case::a_fraction("1.5d")]
    #[case::space("30 d")]
    #[case::two("30dd")]
    fn anything_else_is_refused_and_told_what_is_allowed(#[case] text: &str) {
        assert!(days(text).unwrap_err().contains("such as 30d"), "{text}");
    }
}
