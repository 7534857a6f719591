//! A call that failed, and whose fault that is.

use std::{error::Error, sync::Arc};

use super::{Fault, UpstreamSettings, advice::advice};
use crate::{
    gate::{ErrorKind, Gate, GateClosed, UpstreamId},
    pause::WriteSwitch,
};

/// Whose fault a failed call is (the messaging design has the same question).
#[derive(Clone, Debug)]
pub enum FaultScope {
    /// The request itself can never succeed as it is (400).
    Request,
    /// What the call was about: others succeed at the same, or nobody else is known to fail. That
    /// the upstream is otherwise well is for a neutral probe to say.
    Subject {
        /// Nobody has been told of it yet.
        news: bool,
        /// The answer itself says so: there is nothing to be asked.
        certain: bool,
    },
    /// Others fail too, and too few to tell: wait for this gate, which learns from what others
    /// meet.
    Unclear(Arc<Gate>),
    /// The upstream as a whole: wait for this gate.
    Upstream(Arc<Gate>),
    /// Nobody's: writes are paused, or it is not known whether they are. Wait for this switch.
    Paused(WriteSwitch),
}

/// A call that got no usable answer. Its text is one line, without secrets, bodies or people.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct CallError {
    /// What was asked, such as `list_users`; a closed set, used as a metric label.
    pub operation: &'static str,
    /// See [`FaultScope`].
    pub scope: FaultScope,
    kind: ErrorKind,
    purpose: &'static str,
    sent: bool,
    may_lie_in_what_was_asked: bool,
    /// What happened; the beginning of `text`.
    what: Arc<str>,
    text: Arc<str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl CallError {
    /// What kind of failure it is; of a call that a closed gate withheld, the kind that closed the
    /// gate.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What happened, without what to do about it.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What the call was for: its operation, or the change that it is a step of.
    pub fn purpose(&self) -> &'static str {
        self.purpose
    }

    /// Whether the credentials are refused, which only a person can mend; otherwise the upstream is
    /// unavailable, or the call is wrong.
    pub fn credentials_refused(&self) -> bool {
        self.kind.is_credentials()
    }

    /// Whether the call left this process. One that did not has certainly changed nothing.
    pub fn was_sent(&self) -> bool {
        self.sent
    }

    /// Whether it may lie in one of the things that were asked for, and not in the upstream.
    pub fn may_lie_in_what_was_asked(&self) -> bool {
        self.may_lie_in_what_was_asked
    }

    /// The error of a call that `fault` ended.
    pub(crate) fn of(
        name: UpstreamId,
        operation: &'static str,
        settings: &'static UpstreamSettings,
        scope: FaultScope,
        fault: Fault,
    ) -> Self {
        let what = format!("{name} {} ({operation})", fault.what);
        let settings = fault.settings.unwrap_or(settings);
        let advice = match (fault.advice, fault.obstacle) {
            (Some(advice), _) => advice.to_owned(),
            (None, Some(obstacle)) => obstacle.advice(settings),
            (None, None) => advice(fault.kind, settings),
        };
        Self {
            operation,
            scope,
            kind: fault.kind,
            purpose: operation,
            sent: fault.sent,
            may_lie_in_what_was_asked: fault.may_lie_in_what_was_asked(),
            text: format!("{what}: {advice}").into(),
            what: what.into(),
            source: fault.source,
        }
    }

    /// The error of a call that `gate` withheld.
    pub(crate) fn withheld(operation: &'static str, gate: &Arc<Gate>, closed: &GateClosed) -> Self {
        Self {
            operation,
            scope: FaultScope::Upstream(Arc::clone(gate)),
            kind: closed.kind,
            purpose: operation,
            sent: false,
            may_lie_in_what_was_asked: false,
            text: format!("{operation} not called: {}", closed.why).into(),
            what: format!("{operation} not called").into(),
            source: None,
        }
    }

    /// Says what the call was for.
    #[must_use]
    pub(crate) fn for_purpose(mut self, purpose: &'static str) -> Self {
        self.purpose = purpose;
        self
    }

    /// Says that the call never left this process.
    #[must_use]
    pub(crate) fn not_sent(mut self) -> Self {
        self.sent = false;
        self
    }
}
