//! Whose block it is: what the marker written before a block and GitLab's own record of it say
//! together.
//!
//! A block is ours only if both agree. The marker alone would claim a block that a person made
//! after our own attempt failed; GitLab's record alone would claim a block that somebody made by
//! hand with the service's token. A block adopted from an earlier service carries a marker with the
//! block's own time.

use jiff::{SignedDuration, Timestamp, civil::Date, fmt::strtime, tz::TimeZone};

use super::{
    account::{Account, AccountId, AccountState},
    marker::Marker,
};

/// Where GitLab records a block (`app/models/user_custom_attribute.rb`).
pub const BLOCKED_BY_KEY: &str = "blocked_by";
/// Where GitLab records an unblock.
pub const UNBLOCKED_BY_KEY: &str = "unblocked_by";

/// How far the marker and GitLab's record of the same block may lie apart: one call, two clocks.
pub(super) const SAME_BLOCK: SignedDuration = SignedDuration::from_mins(10);

/// Who changed an account's state, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The account whose act it counts as.
    pub by: AccountId,
    /// The account that GitLab recorded: another than `by` where that one is the service's own and
    /// this one came before it.
    pub recorded: AccountId,
    /// Its username at the time.
    pub username: Box<str>,
    /// When, as GitLab recorded it.
    pub at: Timestamp,
}

impl StateChange {
    /// Reads `<username>/<user id>+<time>`, the time as `2026-11-01 02:00:03 UTC` or with an
    /// offset.
    ///
    /// The id is what follows the last slash, so that no username can pretend to be another id.
    pub fn parse(value: &str) -> Option<Self> {
        let (username, rest) = value.rsplit_once('/')?;
        let (id, time) = rest.split_once('+')?;
        let well_formed = !username.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        let by = AccountId(id.parse().ok().filter(|_| well_formed)?);
        Some(Self {
            by,
            recorded: by,
            username: username.into(),
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeRecord {
    /// Nothing.
    Absent,
    /// That.
    By(StateChange),
    /// Something that is not in GitLab's form: nothing is concluded from it.
    Unreadable,
}

impl ChangeRecord {
    /// Reads the attribute's value, if there is one.
    pub fn read(value: Option<&str>) -> Self {
        value.map_or(Self::Absent, |value| {
            StateChange::parse(value).map_or(Self::Unreadable, Self::By)
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
    matches!(proof(account, own), OwnershipProof::Ours)
}

/// Whether a block is ours, and what is missing where it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnershipProof {
    /// It is.
    Ours,
    /// The account is not in the state `blocked`.
    NotBlocked,
    /// There is no marker of ours on the account.
    NoMarker,
    /// GitLab has no record of who blocked it, or one that cannot be read.
    NoRecord,
    /// GitLab says that another account blocked it.
    AnotherAccount(AccountId),
    /// Marker and record are of different moments.
    AnotherBlock,
    /// Somebody unblocked it since, in the same second perhaps, or GitLab's record of that cannot
    /// be read.
    UndoneSince,
}

/// Looks for the proof that the account is blocked by this service.
pub fn proof(account: &Account, own: AccountId) -> OwnershipProof {
    let act = match &account.blocked_by {
        _ if account.state != AccountState::Blocked => return OwnershipProof::NotBlocked,
        ChangeRecord::Absent if is_adopted_without_record(account) => return OwnershipProof::Ours,
        ChangeRecord::Absent | ChangeRecord::Unreadable => return OwnershipProof::NoRecord,
        ChangeRecord::By(act) if act.by != own => return OwnershipProof::AnotherAccount(act.by),
        ChangeRecord::By(act) => act,
    };
    if account.marker.is_none() {
        return OwnershipProof::NoMarker;
    }
    if our_last_block(account, own).is_none() {
        return OwnershipProof::AnotherBlock;
    }
    if is_undone_since(&account.unblocked_by, act.at) {
        return OwnershipProof::UndoneSince;
    }
    OwnershipProof::Ours
}

/// Whether the block was adopted from an earlier service whose own mark spoke for it. Whoever has
/// blocked or unblocked it since through GitLab's API or interface has left a record.
fn is_adopted_without_record(account: &Account) -> bool {
    let adopted = |marker: &Marker| marker.mark.is_some();
    account.marker.as_ref().is_some_and(adopted) && account.unblocked_by == ChangeRecord::Absent
}

/// Whether an unblock is recorded of `blocked_at` or later. GitLab writes whole seconds: of two
/// acts in one second nobody knows which was the later, and a block that may be somebody else's is
/// not ours.
pub(super) fn is_undone_since(unblocked_by: &ChangeRecord, blocked_at: Timestamp) -> bool {
    match unblocked_by {
        ChangeRecord::Absent => false,
        ChangeRecord::By(act) => act.at >= blocked_at,
        ChangeRecord::Unreadable => true,
    }
}

/// Whether our own block was lifted without a record, as SCIM, SAML and LDAP do it: whoever acts
/// through GitLab's API or interface leaves `unblocked_by`.
pub fn is_lifted_without_record(account: &Account, own: AccountId) -> bool {
    let Some(blocked_at) = account.blocked_by.when_by(own) else {
        return false;
    };
    account.state.is_open()
        && account.marker.is_some()
        && !account.providers().is_empty()
        && !is_undone_since(&account.unblocked_by, blocked_at)
}

/// The account that blocked this one with a marker of ours beside it: the service's own under
/// another name, before it was moved to the present one.
pub fn blocked_as_another(account: &Account, own: AccountId) -> Option<AccountId> {
    let OwnershipProof::AnotherAccount(other) = proof(account, own) else {
        return None;
    };
    our_last_block(account, other).map(|_| other)
}
