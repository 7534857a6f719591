//! One attempt that failed.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use super::{UpstreamSettings, obstacle::Obstacle};
use crate::{
    gate::{ErrorKind, GateFailure},
    pause::WriteSwitch,
};

/// Whose fault an answer tells that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ClaimedScope {
    /// It does not tell: others have to be asked.
    #[default]
    Unknown,
    /// That of what the call was about: GitLab names what is wrong with it.
    Subject,
    /// Nobody's: the answer is the same whatever is asked for.
    Everybody,
}

/// One attempt that failed, before it is known which call and which gate it belongs to.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(super) kind: ErrorKind,
    pub(super) whose: ClaimedScope,
    pub(super) what: String,
    pub(super) retry_after: Option<Duration>,
    pub(super) settings: Option<&'static UpstreamSettings>,
    pub(super) advice: Option<&'static str>,
    pub(super) obstacle: Option<Obstacle>,
    /// Whether the request may have left this process.
    pub(super) sent: bool,
    /// What held it back before it was sent.
    pub(super) held_by: Option<WriteSwitch>,
    pub(super) source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A fault of `kind`. `what` goes on from the upstream's name, such as `answered 503`, and
    /// tells no person and no body.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            whose: if matches!(
                kind,
                ErrorKind::Throttled | ErrorKind::ClockSkew | ErrorKind::ControlsWrong
            ) {
                ClaimedScope::Everybody
            } else {
                ClaimedScope::Unknown
            },
            what: what.into(),
            retry_after: None,
            settings: None,
            advice: None,
            obstacle: None,
            sent: true,
            held_by: None,
            source: None,
        }
    }

    /// The fault of a request that `switch` held back before it was sent.
    pub(super) fn paused(switch: &WriteSwitch, why: &str) -> Self {
        Self {
            held_by: Some(switch.clone()),
            sent: false,
            ..Self::new(ErrorKind::Paused, format!("was not called: {why}"))
        }
    }

    /// The same, met before anything was sent: while credentials were fetched.
    #[must_use]
    pub(super) fn unsent(mut self) -> Self {
        self.sent = false;
        self
    }

    /// What lies under it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The pause that the answer asked for.
    #[must_use]
    pub fn after(mut self, pause: Option<Duration>) -> Self {
        self.retry_after = pause;
        self
    }

    /// Settings other than the upstream's own that this is about.
    #[must_use]
    pub fn about(mut self, settings: &'static UpstreamSettings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// What an operator does about it, where the kind alone does not tell.
    #[must_use]
    pub fn advising(mut self, advice: &'static str) -> Self {
        self.advice = Some(advice);
        self
    }

    /// What stands in the way, where that is known: it has advice of its own.
    #[must_use]
    pub(super) fn stopped_by(mut self, obstacle: Option<Obstacle>) -> Self {
        self.obstacle = obstacle;
        self
    }

    /// The same, known to be of another kind.
    #[must_use]
    pub fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same, and whose fault the answer tells that it is.
    #[must_use]
    pub fn of(mut self, whose: ClaimedScope) -> Self {
        self.whose = whose;
        self
    }

    /// The same, said of a part of the upstream, such as its token endpoint.
    #[must_use]
    pub fn at(mut self, part: &str) -> Self {
        self.what = format!("{part} {}", self.what);
        self
    }

    /// The same, with a remark in brackets after what happened.
    #[must_use]
    pub fn noting(mut self, remark: &str) -> Self {
        self.what = format!("{} ({remark})", self.what);
        self
    }

    /// The same as its gate sees it; `why` tells an operator in one line.
    pub fn at_gate<'a>(&self, why: &'a str) -> GateFailure<'a> {
        GateFailure {
            kind: self.kind,
            retry_after: self.retry_after,
            why,
        }
    }

    /// Whether it may lie in one of the things that were asked for: it is of such a kind, and not
    /// about another part of the upstream, such as its token endpoint.
    pub fn may_lie_in_what_was_asked(&self) -> bool {
        self.kind.may_lie_in_what_was_asked() && self.settings.is_none()
    }

    /// Whose fault the answer tells that it is.
    pub fn whose(&self) -> ClaimedScope {
        self.whose
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}
