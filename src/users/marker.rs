//! Whose block it is: the marker we write before a block, and GitLab's own record of who did it.
//!
//! A block is ours only if both agree. The marker alone would claim a block that a person made
//! after our own attempt failed; GitLab's record alone would claim a block that somebody made by
//! hand with the service's token.

use jiff::{SignedDuration, Timestamp, civil::Date, fmt::strtime, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::account::{Account, AccountId, State};

/// The custom attribute that holds our [`Marker`].
pub const MARKER_KEY: &str = "lookup_gitlab_sync";
/// The custom attribute that exempts an account, whatever its value.
pub const EXEMPT_KEY: &str = "lookup_gitlab_sync_exempt";
/// Where GitLab records a block (`app/models/user_custom_attribute.rb`).
pub const BLOCKED_BY_KEY: &str = "blocked_by";
/// Where GitLab records an unblock.
pub const UNBLOCKED_BY_KEY: &str = "unblocked_by";

/// How far the marker and GitLab's record of the same block may lie apart: one call, two clocks.
const SAME_BLOCK: SignedDuration = SignedDuration::from_mins(10);

/// What we write on an account immediately before we block it. It is never deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The version of this form: 1.
    v: u8,
    /// Why, such as `cancelled_in_lookup`.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// The run that blocked.
    pub run: String,
}

impl Marker {
    /// A marker for a block about to be made.
    pub fn new(reason: &str, at: Timestamp, run: &str) -> Self {
        Self {
            v: 1,
            reason: reason.to_owned(),
            at,
            run: run.to_owned(),
        }
    }

    /// Reads an attribute's value; `None` for anything that is not a marker of version 1.
    pub fn parse(value: &str) -> Option<Self> {
        serde_json::from_str(value)
            .ok()
            .filter(|marker: &Self| marker.v == 1)
    }

    /// The attribute's value: compact JSON.
    pub fn to_value(&self) -> String {
        serde_json::json!({"v": self.v, "reason": self.reason, "at": self.at, "run": self.run})
            .to_string()
    }
}

/// Who changed an account's state, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// The account that did it.
    pub by: AccountId,
    /// When, as GitLab recorded it.
    pub at: Timestamp,
}

impl Act {
    /// Reads `<username>/<user id>+<time>`, the time as `2026-11-01 02:00:03 UTC` or with an offset.
    ///
    /// The id is what follows the last slash, so that no username can pretend to be another id.
    pub fn parse(value: &str) -> Option<Self> {
        let (username, rest) = value.rsplit_once('/')?;
        let (id, time) = rest.split_once('+')?;
        let well_formed = !username.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        let by = AccountId(id.parse().ok().filter(|_| well_formed)?);
        Some(Self {
            by,
            at: parse_time(time)?,
        })
    }

    /// The day, UTC.
    pub fn date(&self) -> Date {
        self.at.to_zoned_datetime(TimeZone::UTC).date()
    }
}

/// Reads `2026-11-01 02:00:03 UTC` and `2026-11-01 03:00:03 +0100`.
fn parse_time(text: &str) -> Option<Timestamp> {
    match text.strip_suffix(" UTC") {
        Some(utc) => strtime::parse("%Y-%m-%d %H:%M:%S", utc)
            .ok()?
            .to_datetime()
            .ok()?
            .to_zoned_datetime(TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp()),
        None => strtime::parse("%Y-%m-%d %H:%M:%S %z", text)
            .ok()?
            .to_timestamp()
            .ok(),
    }
}

/// What GitLab recorded in `blocked_by` or `unblocked_by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing.
    Absent,
    /// That.
    By(Act),
    /// Something that is not in GitLab's form: nothing is concluded from it.
    Unreadable,
}

impl Recorded {
    /// Reads the attribute's value, if there is one.
    pub fn read(value: Option<&str>) -> Self {
        value.map_or(Self::Absent, |value| {
            Act::parse(value).map_or(Self::Unreadable, Self::By)
        })
    }

    /// When `account` did it, if it is recorded as the one who did.
    pub fn when_by(&self, account: AccountId) -> Option<Timestamp> {
        match self {
            Self::By(act) if act.by == account => Some(act.at),
            Self::By(_) | Self::Absent | Self::Unreadable => None,
        }
    }
}

/// When we last blocked this account, whether or not it is still blocked.
///
/// `own` is the id of the token's own account. Anything that does not parse means that we did not.
pub fn our_last_block(account: &Account, own: AccountId) -> Option<Timestamp> {
    let blocked_at = account.blocked_by.when_by(own)?;
    let marker = account.marker.as_ref()?;
    (blocked_at.duration_since(marker.at).abs() <= SAME_BLOCK).then_some(blocked_at)
}

/// Whether the account is blocked, and it was this service that blocked it.
pub fn block_is_ours(account: &Account, own: AccountId) -> bool {
    let Some(blocked_at) = our_last_block(account, own) else {
        return false;
    };
    let undone_since = match &account.unblocked_by {
        Recorded::Absent => false,
        Recorded::By(act) => act.at > blocked_at,
        Recorded::Unreadable => true,
    };
    account.state == State::Blocked && !undone_since
}
