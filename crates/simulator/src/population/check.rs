//! What is to become of an account, and whether it did.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;
use serde_json::Value;

use super::{Population, draft::MARKER};
use crate::gitlab::{OWNER, SimulatedUser, UserState};

/// The end an account is to have after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "end")]
pub enum Expected {
    /// A block is due, for this reason.
    Blocked {
        /// Why.
        reason: ExpectedReason,
    },
    /// An unblock is due.
    Unblocked,
    /// It is to be exactly as it was, custom attributes included.
    Untouched,
    /// A block is due and GitLab refuses it: as it was, but for the marker of the attempt.
    Refused,
    /// A block is due, for this reason, and an identity provider takes it back: GitLab's record
    /// names the service, and the state is one or the other.
    Contested {
        /// Why.
        reason: ExpectedReason,
    },
}

/// Why an account is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedReason {
    /// The person is cancelled in Lookup.
    CancelledInLookup,
    /// An external account has not been seen for 24 months.
    Inactive,
}

/// An account that did not end as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// The account.
    pub id: u64,
    /// Its username.
    pub username: String,
    /// The case it was made for.
    pub case: &'static str,
    /// What should have become of it; nothing for an account that was not there at the start.
    pub expected: Option<Expected>,
    /// What is different.
    pub found: String,
}

impl ExpectedReason {
    /// As the marker and the outcome name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CancelledInLookup => "cancelled_in_lookup",
            Self::Inactive => "inactive",
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            username,
            case,
            expected,
            found,
        } = self;
        write!(
            f,
            "account {id} ({username}, {case}): expected {expected:?}, but {found}"
        )
    }
}

impl Population {
    /// Compares the accounts as they are after a run with what was to become of them; empty if all
    /// is as it must be.
    pub fn check(&self, end: &BTreeMap<u64, SimulatedUser>) -> Vec<Mismatch> {
        let known = self.accounts.iter().filter_map(|before| {
            let expected = *self.expected.get(&before.id)?;
            let found = match end.get(&before.id) {
                Some(after) => difference(expected, before, after)?,
                None => "it is gone".to_owned(),
            };
            Some(self.mismatch(before, Some(expected), found))
        });
        let starters: BTreeSet<u64> = self.accounts.iter().map(|account| account.id).collect();
        let new = end
            .values()
            .filter(|account| !starters.contains(&account.id));
        let new = new.map(|account| {
            self.mismatch(account, None, "it was not there at the start".to_owned())
        });
        known.chain(new).collect()
    }

    fn mismatch(
        &self,
        account: &SimulatedUser,
        expected: Option<Expected>,
        found: String,
    ) -> Mismatch {
        let case = self
            .origins
            .get(&account.id)
            .map_or("unknown", |origin| origin.case);
        Mismatch {
            id: account.id,
            username: account.username.clone(),
            case,
            expected,
            found,
        }
    }
}

/// How `after` is not what was expected of `before`.
fn difference(expected: Expected, before: &SimulatedUser, after: &SimulatedUser) -> Option<String> {
    match expected {
        Expected::Untouched if before == after => None,
        Expected::Untouched => Some(format!(
            "it changed from {:?} {:?} to {:?} {:?}",
            before.state, before.custom_attributes, after.state, after.custom_attributes
        )),
        Expected::Unblocked if after.state != UserState::Active => {
            Some(format!("its state is {:?}", after.state))
        }
        Expected::Unblocked => (!stamped("unblocked_by", before, after))
            .then(|| "no new unblocked_by names the service".to_owned()),
        Expected::Refused => {
            let mut rest = after.clone();
            rest.custom_attributes.remove(MARKER);
            difference(Expected::Untouched, before, &rest)
        }
        Expected::Blocked { .. } if after.state != UserState::Blocked => {
            Some(format!("its state is {:?}", after.state))
        }
        Expected::Contested { .. }
            if !matches!(after.state, UserState::Active | UserState::Blocked) =>
        {
            Some(format!("its state is {:?}", after.state))
        }
        Expected::Blocked { .. } | Expected::Contested { .. }
            if !stamped("blocked_by", before, after) =>
        {
            Some("no new blocked_by names the service".to_owned())
        }
        Expected::Blocked { reason } | Expected::Contested { reason } => {
            let marker = after
                .custom_attributes
                .get(MARKER)
                .map_or("", String::as_str);
            let parsed: Option<Value> = serde_json::from_str(marker).ok();
            let stated = parsed
                .as_ref()
                .and_then(|marker| marker.get("reason"))
                .and_then(Value::as_str);
            (stated != Some(reason.as_str())).then(|| format!("its marker is {marker:?}"))
        }
    }
}

/// Whether GitLab's record of the change is a new one with the service's account, which is id 1 in
/// every population that was made.
fn stamped(key: &str, before: &SimulatedUser, after: &SimulatedUser) -> bool {
    let stamp = after.custom_attributes.get(key);
    stamp != before.custom_attributes.get(key)
        && stamp.is_some_and(|stamp| stamp.starts_with(&format!("{OWNER}/1+")))
}
