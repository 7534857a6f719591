//! What a failed call says to its gate, and whose fault it is by what the gate knows of others.

use std::sync::Arc;

use super::{CallError, ClaimedScope, Fault, FaultScope, Upstream, UpstreamRequest};
use crate::gate::{CallGuard, CallKind, Completion, ErrorKind, FaultVerdict, Gate};

impl Upstream {
    /// Tells the gate what became of the call, and makes its error.
    pub(super) fn settle(
        &self,
        side: CallKind,
        call: &UpstreamRequest,
        guard: CallGuard,
        fault: &Fault,
    ) -> CallError {
        if let Some(switch) = &fault.held_by {
            // The upstream has no part in it: the gate learns nothing.
            drop(guard);
            let scope = FaultScope::Paused(switch.clone());
            return self.error(call, scope, fault.clone());
        }
        let gate = self.gate(side);
        let (kind, whose) = (fault.kind, fault.whose);
        let mut error = self.error(call, FaultScope::Upstream(Arc::clone(&gate)), fault.clone());
        let why = error.to_string();
        let failure = fault.at_gate(&why);
        let certain = whose == ClaimedScope::Subject;
        error.scope = match &call.about {
            about if kind == ErrorKind::BadRequest => {
                guard.ended(Completion::Judged, about.as_ref());
                FaultScope::Request
            }
            Some(about) if certain => blame(guard.blamed(about), gate, certain),
            Some(about) if whose == ClaimedScope::Unknown || gate.suspects(call.purpose, about) => {
                blame(guard.doubtful(about, &failure), gate, certain)
            }
            about => {
                guard.failed_about(about.as_ref(), &failure);
                FaultScope::Upstream(gate)
            }
        };
        error
    }
}

fn blame(verdict: FaultVerdict, gate: Arc<Gate>, certain: bool) -> FaultScope {
    match verdict {
        FaultVerdict::Subject { news } => FaultScope::Subject { news, certain },
        FaultVerdict::Unknown => FaultScope::Unclear(gate),
        FaultVerdict::Everybody => FaultScope::Upstream(gate),
    }
}
