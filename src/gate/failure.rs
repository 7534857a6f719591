//! A failure as the gate sees it.

use std::time::Duration;

use super::ErrorKind;

/// The longest pause an upstream can ask for: a mistyped `Retry-After` must not stop the service
/// for a year. GitLab's own longest is ten minutes.
pub(crate) const LONGEST_REQUESTED_PAUSE: Duration = Duration::from_mins(15);

/// What a gate has to know of a call that failed.
#[derive(Clone, Copy, Debug)]
pub struct GateFailure<'a> {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// The pause that the upstream asked for.
    pub retry_after: Option<Duration>,
    /// What happened, for an operator, in one line.
    pub why: &'a str,
}

impl<'a> GateFailure<'a> {
    /// A failure of `kind` that asks for no pause.
    pub const fn new(kind: ErrorKind, why: &'a str) -> Self {
        Self {
            kind,
            retry_after: None,
            why,
        }
    }
}
