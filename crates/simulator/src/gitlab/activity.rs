//! When accounts were last used or changed, which the API itself moves. It stands beside the
//! accounts, so that being looked at changes none of them.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::Value;

use super::{account::SimulatedUser, parameters::time};

/// What was noted since the start.
#[derive(Debug, Default)]
pub(super) struct Activity {
    seen: BTreeMap<u64, Date>,
    updated: BTreeMap<u64, Timestamp>,
}

/// Rows that were there at the start were last written no earlier than this.
const IMPORTED: &str = "2025-01-01";

impl Activity {
    /// The API was used: once a day `last_activity_on` moves, and `updated_at` with it.
    pub(super) fn note(&mut self, id: u64, now: Timestamp) {
        let today = now.to_zoned_datetime(TimeZone::UTC).date();
        if self.seen.insert(id, today) != Some(today) {
            self.touch(id, now);
        }
    }

    /// The account was written.
    pub(super) fn touch(&mut self, id: u64, now: Timestamp) {
        self.updated.insert(id, now);
    }

    /// `last_activity_on`, where the API was used.
    pub(super) fn seen_on(&self, id: u64) -> Option<Date> {
        self.seen.get(&id).copied()
    }

    /// `updated_at`, which no row shows and which a listing can be ordered by.
    pub(super) fn updated_at(&self, account: &SimulatedUser) -> Timestamp {
        let known = || {
            let value = |key| {
                account
                    .others
                    .get(key)
                    .and_then(Value::as_str)
                    .and_then(time)
            };
            let imported = time(IMPORTED).unwrap_or(Timestamp::UNIX_EPOCH);
            value("updated_at")
                .or_else(|| value("created_at"))
                .map_or(imported, |at| at.max(imported))
        };
        self.updated.get(&account.id).copied().unwrap_or_else(known)
    }
}
