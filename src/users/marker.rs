//! The marker: what this service writes on an account immediately before it blocks it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The custom attribute that holds our [`Marker`].
pub const MARKER_KEY: &str = "lookup_gitlab_sync";
/// The custom attribute that exempts an account, whatever its value.
pub const EXEMPT_KEY: &str = "lookup_gitlab_sync_exempt";

/// How long a block that was made again is remembered: the days over which they are counted, and
/// one for the hours.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(8 * 24);
/// And how many of them: more than are ever made in that time.
const REMEMBERED_AT_MOST: usize = 16;

/// What we write on an account immediately before we block it, or when we adopt a block. It is
/// never deleted.
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
    /// When we blocked it again after an identity provider had lifted our block, as far as that is
    /// remembered. Versions that do not know it pass it over.
    #[serde(default)]
    pub again: Vec<Timestamp>,
    /// The custom attribute of an earlier service that stands in for GitLab's record of the block,
    /// where the block was adopted without one.
    #[serde(default)]
    pub mark: Option<String>,
}

impl Marker {
    /// A marker for a block about to be made.
    pub fn new(reason: &str, at: Timestamp, run: &str) -> Self {
        Self {
            v: 1,
            reason: reason.to_owned(),
            at,
            run: run.to_owned(),
            again: Vec::new(),
            mark: None,
        }
    }

    /// The same, of a block that GitLab has no record of and that the custom attribute `key` of an
    /// earlier service speaks for.
    #[must_use]
    pub fn resting_on(mut self, key: &str) -> Self {
        self.mark = Some(key.to_owned());
        self
    }

    /// The same, remembering what `previous`, the one that stands on the account, remembers;
    /// `again` says that this block, too, follows one that an identity provider lifted. One run is
    /// remembered once, however often it tries.
    #[must_use]
    pub fn following(mut self, previous: Option<&Self>, again: bool) -> Self {
        let known = previous.map(|marker| marker.again.as_slice());
        let remembered = |at: &&Timestamp| self.at.duration_since(**at) < REMEMBERED;
        self.again = known
            .unwrap_or_default()
            .iter()
            .filter(remembered)
            .copied()
            .collect();
        if again && previous.is_none_or(|marker| marker.run != self.run) {
            self.again.push(self.at);
        }
        let surplus = self.again.len().saturating_sub(REMEMBERED_AT_MOST);
        self.again.drain(..surplus);
        self
    }

    /// Reads an attribute's value; `None` for anything that is not a marker of version 1.
    pub fn parse(value: &str) -> Option<Self> {
        serde_json::from_str(value)
            .ok()
            .filter(|marker: &Self| marker.v == 1)
    }

    /// The attribute's value: compact JSON.
    pub fn to_value(&self) -> String {
        let mut value =
            serde_json::json!({"v": self.v, "reason": self.reason, "at": self.at, "run": self.run});
        let Some(fields) = value.as_object_mut() else {
            return value.to_string();
        };
        if !self.again.is_empty() {
            let times = self.again.iter().map(ToString::to_string);
            fields.insert("again".to_owned(), times.collect());
        }
        if let Some(mark) = &self.mark {
            fields.insert("mark".to_owned(), mark.as_str().into());
        }
        value.to_string()
    }
}
