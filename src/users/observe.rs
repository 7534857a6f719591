//! The second look: one account and its person, read afresh right before a write.

use std::time::Duration;

use super::{
    account::{Account, AccountId, AccountState, LastSeen},
    marker::{EXEMPT_KEY, MARKER_KEY, Marker},
    ownership::{BLOCKED_BY_KEY, ChangeRecord, UNBLOCKED_BY_KEY},
    policy::Facts,
    rules::Rules,
};
use crate::{
    directory::{SharedLooks, Standing},
    failpoint,
    gitlab::{self, Timed},
    moment::Moment,
    upstream::CallError,
};

/// How old a look may be when it is acted on.
pub(super) const FRESH: Duration = Duration::from_secs(5);

/// One account and its person as they are now.
#[derive(Debug)]
pub struct Observation {
    /// The account.
    pub account: Account,
    /// What the decision depends on.
    pub facts: Facts,
    taken: Moment,
}

impl Observation {
    /// Reads account `id` and its person; `None` when GitLab has no such account.
    ///
    /// # Errors
    /// When GitLab or the directory gave no usable answer.
    pub async fn read(
        id: AccountId,
        own: AccountId,
        gitlab: &gitlab::Client,
        directory: &SharedLooks,
        rules: &Rules,
    ) -> Result<Option<Self>, CallError> {
        // Before the question: an answer that took long on its way tells of when it was asked for.
        let taken = Moment::now();
        let Some(row) = gitlab.user(id.0).await? else {
            return Ok(None);
        };
        let account = rules.account(&row, own);
        let mut facts = Facts::of(&account, &rules.classes, own, Standing::Unknown);
        if let Some(&person) = facts.class.crsid() {
            failpoint::pass("between_looks");
            if gitlab.is_without_clock() {
                directory.directory().keep_time();
            }
            // The directory may take long, and GitLab has nothing to do with that.
            facts.standing = gitlab.aside(directory.standing(person)).await?;
        }
        Ok(Some(Self {
            account,
            facts,
            taken,
        }))
    }

    /// How long ago it was begun, by whichever clock says more.
    pub fn age(&self) -> Duration {
        self.taken.age()
    }

    /// Whether it is recent enough to act on.
    pub fn is_fresh(&self) -> bool {
        self.age() < FRESH
    }
}

/// The facts of one row of GitLab's users API.
pub fn account(row: &gitlab::User) -> Account {
    let attribute = |key: &str| {
        row.custom_attributes
            .iter()
            .find(|attribute| attribute.key == key)
            .map(|attribute| attribute.value.as_str())
    };
    Account {
        id: AccountId(row.id),
        username: row.username.clone(),
        state: AccountState::parse(&row.state),
        human: !row.bot,
        administrator: row.is_admin,
        exempt_attribute: attribute(EXEMPT_KEY).is_some(),
        identities: row.identities.clone(),
        scim_identities: row.scim_identities.clone(),
        activity: activity(row),
        marker: attribute(MARKER_KEY).and_then(Marker::parse),
        blocked_by: ChangeRecord::read(attribute(BLOCKED_BY_KEY)),
        unblocked_by: ChangeRecord::read(attribute(UNBLOCKED_BY_KEY)),
    }
}

/// The latest of the row's own times. Null is no sign; a row with no sign at all is unknown.
fn activity(row: &gitlab::User) -> LastSeen {
    let times = [
        row.last_activity_on,
        row.current_sign_in_at,
        row.last_sign_in_at,
        row.created_at,
        row.confirmed_at,
    ];
    let signs = times.into_iter().filter_map(|time| match time {
        Timed::Never => None,
        Timed::On(day) => Some(LastSeen::On(day)),
        Timed::Unreadable => Some(LastSeen::Unknown),
    });
    signs.reduce(LastSeen::latest).unwrap_or(LastSeen::Unknown)
}
