//! Leave to probe a closed gate.

use std::sync::Arc;

use super::Gate;

/// Leave to try again. Keep it until the work it was given for is over: while the gate is closed
/// this is the place of the one probe, and dropping it unused gives the place to the next waiter.
#[must_use = "dropping it gives the place of the probe to the next waiter"]
#[derive(Debug)]
pub struct ProbePermit {
    pub(super) probe: Option<(Arc<Gate>, u64)>,
}

impl ProbePermit {
    /// Whether the gate is closed and this is its one probe.
    pub fn is_probe(&self) -> bool {
        self.probe.is_some()
    }
}

impl Drop for ProbePermit {
    fn drop(&mut self) {
        if let Some((gate, id)) = &self.probe {
            gate.breaker().withdrawn(*id);
        }
    }
}
