//! The gate while it is closed.

use std::time::Duration;

use backoff::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use jiff::{Timestamp, Unit};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    ALARM_AFTER, ErrorKind, FIRST_PAUSE, GateClosed, GateFailure, LONGEST_PAUSE,
    MAINTENANCE_ALARM_AFTER, Subject,
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
    /// From when on a person has to look; `None` once that is told.
    pub(super) alarm_at: Option<Instant>,
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
            alarm_at: Some(now + alarm_after(failure.kind)),
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
        self.outlasted(event.now, failure)
    }

    /// What a failed probe adds to what was told: that maintenance turned out to be something else,
    /// or that it is time for a person to look. Where nobody waits, nobody probes, and nobody need
    /// look.
    fn outlasted(&mut self, now: Instant, failure: &GateFailure<'_>) -> Transition {
        if self.reason.kind == ErrorKind::Maintenance && failure.kind != ErrorKind::Maintenance {
            self.reason = reason(failure);
            let alarm_at = now + alarm_after(failure.kind);
            self.alarm_at = self.alarm_at.map(|earlier| earlier.min(alarm_at));
            return Transition::Closed(self.reason.clone());
        }
        if self.alarm_at.is_none_or(|at| now < at) {
            return Transition::Unchanged;
        }
        self.alarm_at = None;
        Transition::StaysClosed {
            closed: self.reason.clone(),
            lasts: now.saturating_duration_since(self.since),
        }
    }
}

fn alarm_after(kind: ErrorKind) -> Duration {
    if kind == ErrorKind::Maintenance {
        MAINTENANCE_ALARM_AFTER
    } else {
        ALARM_AFTER
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
