//! The states of an attempt to send a sync.

use std::fmt;

use serde::{Serialize, Serializer};

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptState {
    /// On its way, or cut off and not yet found.
    Started,
    /// Every part was applied.
    Completed,
    /// A rule was broken by some of it; the rest was applied. Nothing is retried by itself.
    PartiallyFailed,
    /// It did not arrive; the next delivery opens another.
    Retrying,
    /// The receiver refused it permanently, or the message was dead-lettered.
    Failed,
    /// The same content had arrived already.
    Skipped,
    /// Its worker died during it; a later worker found it.
    Abandoned,
}

impl AttemptState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Started,
        Self::Completed,
        Self::PartiallyFailed,
        Self::Retrying,
        Self::Failed,
        Self::Skipped,
        Self::Abandoned,
    ];

    /// The word in the ledger, in metrics and in outcomes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Completed => "completed",
            Self::PartiallyFailed => "partially_failed",
            Self::Retrying => "retrying",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Abandoned => "abandoned",
        }
    }

    /// The state that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for AttemptState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for AttemptState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
