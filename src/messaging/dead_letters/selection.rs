//! Which dead letters are meant.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Seen;
use crate::messaging::{Stage, dead_letters::Why};

/// Which dead letters are meant. Every field narrows it; the default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// These message ids; none named is any.
    pub ids: BTreeSet<String>,
    /// Of these stages; none named is all.
    pub stages: Vec<Stage>,
    /// Dead for one of these causes; none named is any.
    pub causes: Vec<Why>,
    /// About this user: an account id, a username or a CRSid, as it stands in the body.
    pub user: Option<String>,
    /// About this namespace.
    pub namespace: Option<String>,
    /// Died before this.
    pub before: Option<Timestamp>,
    /// Died at this time or later.
    pub since: Option<Timestamp>,
    /// Died at least this often.
    pub min_deaths: Option<u32>,
}

impl Selection {
    /// These letters, wherever they lie.
    pub fn of_ids(ids: impl IntoIterator<Item = String>) -> Self {
        Self {
            ids: ids.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Whether nothing narrows it.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// The stages whose dead letters have to be looked through.
    pub fn stages(&self) -> Vec<Stage> {
        let meant = |stage: &Stage| self.stages.is_empty() || self.stages.contains(stage);
        Stage::ALL.into_iter().filter(meant).collect()
    }

    /// Whether `seen` is meant.
    pub fn admits(&self, seen: &Seen) -> bool {
        // A letter without a time is neither old nor new.
        let died = seen.died();
        (self.ids.is_empty() || self.ids.contains(&seen.id))
            && (self.stages.is_empty() || self.stages.contains(&seen.stage))
            && (self.causes.is_empty() || self.causes.contains(&seen.history.why()))
            && self
                .user
                .as_ref()
                .is_none_or(|user| seen.about.is_user(user))
            && self
                .namespace
                .as_ref()
                .is_none_or(|id| seen.about.namespace_id.as_ref() == Some(id))
            && self
                .before
                .is_none_or(|before| died.is_some_and(|died| died < before))
            && self
                .since
                .is_none_or(|since| died.is_some_and(|died| died >= since))
            && self.min_deaths.is_none_or(|min| seen.history.deaths >= min)
    }
}
