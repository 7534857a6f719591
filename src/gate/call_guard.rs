//! One call on its way through a gate.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Completion, FaultVerdict, Gate, GateFailure, Subject,
    breaker::{Breaker, GateEvent, Transition},
    evidence::Purpose,
};

/// One call on its way. What became of it is told by one of its methods; dropped untold, a probe's
/// place is free again.
#[must_use = "the gate has to learn how the call went"]
#[derive(Debug)]
pub struct CallGuard {
    pub(super) gate: Arc<Gate>,
    pub(super) purpose: Purpose,
    pub(super) probe: bool,
    pub(super) told: bool,
}

impl CallGuard {
    /// Whether this call is the one probe of a closed gate: it gets one attempt.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// The upstream works.
    pub fn succeeded(self) {
        self.ended(Completion::Whole, None);
    }

    /// The call was answered as it should be; it was about `about`.
    pub fn ended(self, said: Completion, about: Option<&Subject>) {
        self.end(about, |breaker, event| (breaker.succeeded(event, said), ()));
    }

    /// The upstream as a whole failed.
    pub fn failed(self, failure: &GateFailure<'_>) {
        self.failed_about(None, failure);
    }

    /// The upstream says that it fails everybody, in answer to a call about `about`.
    pub fn failed_about(self, about: Option<&Subject>, failure: &GateFailure<'_>) {
        self.end(about, |breaker, event| (breaker.failed(event, failure), ()));
    }

    /// The call failed, and that may be the fault of what it was `about`: whose it is, by what
    /// others met.
    pub fn doubtful(self, about: &Subject, failure: &GateFailure<'_>) -> FaultVerdict {
        self.end(Some(about), |breaker, event| {
            breaker.doubtful(event, about, failure)
        })
    }

    /// The call failed for a reason that is told to be of what it was `about`: nothing is said of
    /// others by it.
    pub fn blamed(self, about: &Subject) -> FaultVerdict {
        self.end(Some(about), |breaker, event| {
            (Transition::Unchanged, breaker.blamed(event, about))
        })
    }

    fn end<T>(
        mut self,
        about: Option<&Subject>,
        event: impl FnOnce(&mut Breaker, GateEvent<'_>) -> (Transition, T),
    ) -> T {
        self.told = true;
        let happened = GateEvent {
            purpose: self.purpose,
            about,
            probe: self.probe,
            now: Instant::now(),
        };
        self.gate.apply(|breaker| event(breaker, happened))
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        if self.probe && !self.told {
            self.gate.breaker().abandoned();
        }
    }
}
