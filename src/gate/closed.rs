//! The gate while it is closed.

use backoff::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use jiff::{Timestamp, Unit};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    ErrorKind, FIRST_PAUSE, GateClosed, GateFailure, LONGEST_PAUSE, QUIET, Subject,
    breaker::{GateEvent, Transition},
    evidence::Purpose,
};

#[derive(Debug)]
pub(super) struct ClosedGate {
    pub(super) since: Instant,
    pub(super) reason: GateClosed,
    pub(super) pauses: ExponentialBackoff,
    pub(super) next_probe: Instant,
    /// Whoever failed already waits until then: the pause that one answer about one subject asked
    /// for.
    pub(super) again_after: Instant,
    pub(super) probe: ProbeSlot,
    /// Only calls of that purpose are withheld: different subjects failed at it. `None`: all calls
    /// are.
    pub(super) only: Option<Purpose>,
    /// About whom the one answer was that closed it.
    pub(super) witness: Option<Subject>,
    /// It closed for maintenance, which nobody has to act on.
    pub(super) quiet: bool,
}

/// The one place for a probe. The queue's turn lies in it until the probe has ended, if the probe
/// came by the queue.
#[derive(Debug)]
pub(super) enum ProbeSlot {
    Free,
    Offered { to: u64, turn: OwnedSemaphorePermit },
    UnderWay { held: Option<OwnedSemaphorePermit> },
}

impl ClosedGate {
    pub(super) fn new(
        failure: &GateFailure<'_>,
        rest_until: Option<Instant>,
        now: Instant,
    ) -> Self {
        let mut pauses = pauses();
        let next_probe = now + pauses.next().unwrap_or(LONGEST_PAUSE);
        let next_probe = next_probe.max(rest_until.unwrap_or(now));
        Self {
            since: now,
            reason: reason(failure),
            pauses,
            next_probe,
            again_after: next_probe,
            probe: ProbeSlot::Free,
            only: None,
            witness: None,
            quiet: failure.kind == ErrorKind::Maintenance,
        }
    }

    pub(super) fn withholds(&self, purpose: Purpose) -> bool {
        self.only.is_none_or(|only| only == purpose)
    }

    /// The probe failed: the next goes later. What one answer about one subject asked for holds for
    /// all once another says so.
    pub(super) fn probe_failed(
        &mut self,
        event: GateEvent<'_>,
        failure: &GateFailure<'_>,
        asked: Option<Instant>,
    ) -> Transition {
        self.probe = ProbeSlot::Free;
        let pause = self.pauses.next().unwrap_or(LONGEST_PAUSE);
        self.next_probe = self.next_probe.max(event.now + pause);
        let asked = asked.unwrap_or(event.now);
        self.again_after = self.again_after.max(asked);
        if self.witness.is_none() || self.witness.as_ref() != event.about {
            self.witness = None;
            self.next_probe = self.next_probe.max(self.again_after);
        }
        self.worsened(event.now, failure)
    }

    /// Maintenance that lasts, or turns out to be something else, is for a person after all.
    fn worsened(&mut self, now: Instant, failure: &GateFailure<'_>) -> Transition {
        let other = failure.kind != ErrorKind::Maintenance;
        if !self.quiet || !other && now.saturating_duration_since(self.since) < QUIET {
            return Transition::Unchanged;
        }
        if other {
            self.reason = reason(failure);
        }
        self.quiet = false;
        Transition::Closed {
            closed: self.reason.clone(),
            quiet: false,
        }
    }
}

fn reason(failure: &GateFailure<'_>) -> GateClosed {
    let wall = Timestamp::now();
    let wall = wall.round(Unit::Second).unwrap_or(wall);
    GateClosed {
        kind: failure.kind,
        why: format!("{} (held since {wall})", failure.why).into(),
    }
}

pub(super) fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter()
        .build()
}
