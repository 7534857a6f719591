//! Reads of something that may itself be to blame when they fail: one row, one person.

use super::{CallError, Fault, FaultScope, Upstream, UpstreamRequest, UpstreamResponse};
use crate::gate::{CallKind, GateClosed};

impl Upstream {
    /// Asks once for something that may itself be to blame if it fails. Such a failure is an
    /// answer, and tells the gate nothing; every other is one of [`Self::read`].
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn try_read<T>(
        &self,
        call: &UpstreamRequest,
        judge: impl Fn(&UpstreamResponse) -> Result<T, Fault>,
    ) -> Result<Result<T, Fault>, CallError> {
        let gate = self.gate(CallKind::Read);
        let withheld = |closed: GateClosed| call.withheld(&gate, &closed);
        gate.admits(call.purpose).map_err(withheld)?;
        let _permit = self.admit().await;
        let guard = gate.enter_for(call.purpose).map_err(withheld)?;
        match self.attempt(call, &judge).await {
            Ok(value) => {
                guard.succeeded();
                Ok(Ok(value))
            }
            Err(fault) if fault.may_lie_in_what_was_asked() => Ok(Err(fault)),
            Err(fault) => Err(self.settle(CallKind::Read, call, guard, &fault)),
        }
    }

    /// The error of reads that failed with `fault`, as it was found out afterwards to be the
    /// upstream's.
    pub fn blamed(&self, operation: &'static str, fault: Fault) -> CallError {
        let scope = FaultScope::Upstream(self.gate(CallKind::Read));
        let shared = &self.shared;
        CallError::of(
            shared.exchange.name(),
            operation,
            shared.settings,
            scope,
            fault,
        )
    }
}
