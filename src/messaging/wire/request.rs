//! Valid requests for one user or one namespace.

use jiff::Timestamp;

use super::UserSync;
use crate::directory::Crsid;

/// A [`UserSync`] that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRequest {
    /// Whom it is about.
    pub who: Who,
    /// Who decided that it is to be looked at.
    pub cause: Cause,
    /// Decide and report, write nothing.
    pub dry_run: bool,
    /// Who asked, for the record.
    pub requested_by: Option<String>,
    /// Why, for the record.
    pub reason: Option<String>,
}

/// Whom a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// GitLab's account id, from 1.
    Account(u64),
    /// GitLab's username.
    Username(String),
    /// A person of the directory.
    Person(Crsid),
}

/// Who decided that a user is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A run; it has decided already, and a write happens only if the worker decides the same.
    Tick {
        /// The fan-out's decision.
        planned: Planned,
        /// The fan-out's reason.
        planned_reason: Option<String>,
        /// When the fan-out decided.
        planned_at: Option<Timestamp>,
    },
    /// A person; only the worker decides.
    Resync,
}

/// The decision of a fan-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Planned {
    /// Block.
    Block,
    /// Unblock.
    Unblock,
    /// Leave as it is.
    Keep,
}

impl Planned {
    /// The word in a message.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Unblock => "unblock",
            Self::Keep => "keep",
        }
    }

    /// The decision that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Block, Self::Unblock, Self::Keep]
            .into_iter()
            .find(|planned| planned.as_str() == word)
    }
}

impl Cause {
    /// The word in a message.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Tick { .. } => "tick",
            Self::Resync => "resync",
        }
    }
}

impl UserRequest {
    /// The body that decodes to this request.
    pub fn to_wire(&self) -> UserSync {
        let mut wire = UserSync {
            cause: Some(self.cause.as_str().to_owned()),
            dry_run: Some(self.dry_run),
            requested_by: self.requested_by.clone(),
            reason: self.reason.clone(),
            ..UserSync::default()
        };
        match &self.who {
            Who::Account(id) => wire.gitlab_user_id = Some(*id),
            Who::Username(username) => wire.username = Some(username.clone()),
            Who::Person(crsid) => wire.crsid = Some(crsid.as_str().to_owned()),
        }
        match &self.cause {
            Cause::Tick {
                planned,
                planned_reason,
                planned_at,
            } => {
                wire.planned = Some(planned.as_str().to_owned());
                wire.planned_reason.clone_from(planned_reason);
                wire.planned_at = planned_at.map(|at| at.to_string());
            }
            Cause::Resync => {}
        }
        wire
    }
}
