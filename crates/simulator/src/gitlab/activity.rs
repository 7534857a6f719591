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
    pub(super) fn note(&mut self, account: &SimulatedUser, now: Timestamp) {
        let today = now.to_zoned_datetime(TimeZone::UTC).date();
        // Only a row that says when it was written has that day's use in it already.
        let dated = account.others.contains_key("updated_at");
        let known = account.others.get("last_activity_on").filter(|_| dated);
        let known = known
            .and_then(Value::as_str)
            .and_then(|day| day.parse().ok());
        if self.seen.insert(account.id, today).or(known) != Some(today) {
            self.touch(account.id, now);
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

    /// The account has the time that its row gives again.
    pub(super) fn forget(&mut self, id: u64) {
        self.updated.remove(&id);
    }

    /// `updated_at`, which no row shows and which a listing can be ordered by; a row may say that
    /// it is null.
    pub(super) fn updated_at(&self, account: &SimulatedUser) -> Option<Timestamp> {
        let known = || {
            let value = |key| account.others.get(key);
            if value("updated_at").is_some_and(Value::is_null) {
                return None;
            }
            let value = |key| value(key).and_then(Value::as_str).and_then(time);
            let imported = time(IMPORTED).unwrap_or(Timestamp::UNIX_EPOCH);
            let known = value("updated_at").or_else(|| value("created_at"));
            Some(known.map_or(imported, |at| at.max(imported)))
        };
        self.updated.get(&account.id).copied().or_else(known)
    }
}
