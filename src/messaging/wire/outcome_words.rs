//! The words of `SyncOutcome`: its kinds and the results of a user's message.
//!
//! The record itself carries text, so that a word of a newer version passes through a reader
//! unchanged; a reader that looks for a word asks for its type.

use super::SyncOutcome;
use crate::messaging::DeadLetterReason;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeKind {
    /// A user's message came to its end.
    User,
    /// A namespace's message came to its end.
    Namespace,
    /// A run reads both sides.
    RunReading,
    /// A run waits at a gate.
    RunHeld,
    /// A run published its messages.
    RunStarted,
    /// A sweep that began after the tick covers it.
    Coalesced,
    /// A run was refused and published nothing.
    RunRefused(DeadLetterReason),
    /// A message that its handler said nothing of became a dead letter.
    DeadLettered,
}

impl OutcomeKind {
    /// All but the refusals, which are spelled as their reasons.
    const PLAIN: [Self; 7] = [
        Self::User,
        Self::Namespace,
        Self::RunReading,
        Self::RunHeld,
        Self::RunStarted,
        Self::Coalesced,
        Self::DeadLettered,
    ];

    /// The kind called `word`, if this version knows it.
    pub fn parse(word: &str) -> Option<Self> {
        Self::PLAIN
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .or_else(|| DeadLetterReason::parse(word).map(Self::RunRefused))
    }

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Namespace => "namespace",
            Self::RunReading => "run_reading",
            Self::RunHeld => "run_held",
            Self::RunStarted => "run_started",
            Self::Coalesced => "coalesced",
            Self::RunRefused(reason) => reason.as_str(),
            Self::DeadLettered => "dead_lettered",
        }
    }
}

/// What a user's message came to. A namespace's record has the state of its attempt instead, or
/// `superseded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeResult {
    /// The change was made.
    Applied,
    /// The account was so already.
    AlreadySo,
    /// The change was withheld by dry run.
    DryRun,
    /// Nothing was to be done.
    Unchanged,
    /// The plan no longer held.
    ChangedSincePlanned,
    /// GitLab refused because of the account's state.
    StateForbids,
    /// GitLab has no such account.
    Gone,
    /// Another message about the same covers this one.
    Superseded,
}

impl OutcomeResult {
    /// The whole list.
    const ALL: [Self; 8] = [
        Self::Applied,
        Self::AlreadySo,
        Self::DryRun,
        Self::Unchanged,
        Self::ChangedSincePlanned,
        Self::StateForbids,
        Self::Gone,
        Self::Superseded,
    ];

    /// The result called `word`, if this version knows it.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == word)
    }

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::AlreadySo => "already_so",
            Self::DryRun => "dry_run",
            Self::Unchanged => "unchanged",
            Self::ChangedSincePlanned => "changed_since_planned",
            Self::StateForbids => "state_forbids",
            Self::Gone => "gone",
            Self::Superseded => "superseded",
        }
    }
}

impl SyncOutcome {
    /// The kind, if there is one that this version knows.
    pub fn known_kind(&self) -> Option<OutcomeKind> {
        OutcomeKind::parse(self.kind.as_deref()?)
    }

    /// The result, if there is one that this version knows.
    pub fn known_result(&self) -> Option<OutcomeResult> {
        OutcomeResult::parse(self.result.as_deref()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_read_as_what_it_was_written_for() {
        let refused = DeadLetterReason::ALL.map(OutcomeKind::RunRefused);
        for kind in OutcomeKind::PLAIN.into_iter().chain(refused) {
            assert_eq!(OutcomeKind::parse(kind.as_str()), Some(kind));
        }
        for result in OutcomeResult::ALL {
            assert_eq!(OutcomeResult::parse(result.as_str()), Some(result));
        }
    }

    #[test]
    fn words_of_a_newer_version_are_kept_and_unknown() {
        let body = r#"{"kind":"run_paused","result":"postponed"}"#;
        let outcome: SyncOutcome = serde_json::from_str(body).unwrap();
        assert_eq!((outcome.known_kind(), outcome.known_result()), (None, None));
        assert_eq!(serde_json::to_string(&outcome).unwrap(), body);
    }
}
