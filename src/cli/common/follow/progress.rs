//! The records by which a run reports that it reads or waits.

use std::fmt;

use crate::{
    cli::common::progress::{grouped, reading_gitlab},
    messaging::{
        Stage,
        wire::{OutcomeKind, SyncOutcome},
    },
};

/// What a run says of itself while nothing of it comes to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunProgress {
    /// It reads both sides. A real GitLab takes over a second for a page of a hundred accounts.
    Reading {
        pages: u64,
        accounts: u64,
        people: u64,
    },
    /// A message of it waits for an upstream.
    Held { stage: String, why: String },
}

impl RunProgress {
    /// What `outcome` says of it, if it says anything.
    pub fn of(outcome: &SyncOutcome) -> Option<Self> {
        match outcome.known_kind() {
            Some(OutcomeKind::RunReading) => Some(Self::Reading {
                pages: outcome.pages.unwrap_or(0),
                accounts: outcome.accounts.unwrap_or(0),
                people: outcome.people.unwrap_or(0),
            }),
            Some(OutcomeKind::RunHeld) => Some(Self::Held {
                stage: outcome
                    .stage
                    .clone()
                    .unwrap_or_else(|| Stage::FanOut.as_str().to_owned()),
                why: outcome.detail.clone().unwrap_or_default(),
            }),
            Some(
                OutcomeKind::User
                | OutcomeKind::Namespace
                | OutcomeKind::RunStarted
                | OutcomeKind::Coalesced
                | OutcomeKind::RunRefused(_)
                | OutcomeKind::DeadLettered,
            )
            | None => None,
        }
    }

    /// The same beside a bar.
    pub fn label(&self) -> String {
        match self {
            Self::Reading { pages: 0, .. } => "reading GitLab".to_owned(),
            Self::Reading {
                pages,
                accounts,
                people,
            } => format!(
                "{}, {} people of Lookup",
                reading_gitlab(*pages, *accounts),
                grouped(*people)
            ),
            Self::Held { .. } => self.to_string(),
        }
    }

    /// Whether `other` tells a person the same, but for figures that grow.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Reading { .. }, Self::Reading { .. }) => true,
            (Self::Held { .. }, Self::Held { .. }) => self == other,
            (Self::Reading { .. }, Self::Held { .. })
            | (Self::Held { .. }, Self::Reading { .. }) => false,
        }
    }
}

impl fmt::Display for RunProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reading { pages: 0, .. } => f.write_str("the run reads GitLab and the directory"),
            Self::Reading {
                pages,
                accounts,
                people,
            } => write!(
                f,
                "the run reads: {accounts} accounts on {pages} pages, {people} people so far"
            ),
            Self::Held { stage, why } => write!(f, "the run is held in {stage}: {why}"),
        }
    }
}
