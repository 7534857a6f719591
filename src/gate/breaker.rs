//! The gate as a value: what each event turns it into. Time comes in; nothing here waits.

use std::{collections::BTreeMap, time::Duration};

use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    Completion, ErrorKind, FAILURES, FIRST_PAUSE, FaultVerdict, GateClosed, GateFailure,
    LONGEST_REQUESTED_PAUSE, Subject,
    closed::{ClosedGate, ProbeSlot, pauses},
    evidence::{DIFFERENT, Evidence, Purpose},
};

/// One call that went through the gate, as far as its end matters to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct GateEvent<'a> {
    pub(super) purpose: Purpose,
    pub(super) about: Option<&'a Subject>,
    /// It was the probe of the closed gate.
    pub(super) probe: bool,
    pub(super) now: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: GateState,
    evidence: Evidence,
    /// Calls that failed everybody in a row.
    failures: u32,
    successes: BTreeMap<Purpose, u64>,
    rest_until: Option<Instant>,
    permits: u64,
    /// Whether one waits at the head of the queue who did not fail yet.
    fresh_head: bool,
}

#[derive(Debug, Default)]
enum GateState {
    #[default]
    Open,
    Closed(Box<ClosedGate>),
}

/// What becomes of the head of the queue.
pub(super) enum ProbeTurn {
    Opened,
    Wait(OwnedSemaphorePermit, Instant),
    Offered(u64),
}

/// Whether an event opened or closed the gate, or found it closed for long.
pub(super) enum Transition {
    Unchanged,
    /// It closed, or what keeps it closed is worse than was told.
    Closed(GateClosed),
    /// It has been closed for so long that a person has to look; once.
    StaysClosed {
        closed: GateClosed,
        lasts: Duration,
    },
    Opened(Duration),
}

impl Breaker {
    pub(super) fn closed(&self) -> Option<&GateClosed> {
        match &self.state {
            GateState::Open => None,
            GateState::Closed(closed) => Some(&closed.reason),
        }
    }

    pub(super) fn withholds_all(&self) -> bool {
        matches!(&self.state, GateState::Closed(closed) if closed.only.is_none())
    }

    pub(super) fn successes(&self, purpose: Purpose) -> u64 {
        self.successes.get(purpose).copied().unwrap_or_default()
    }

    pub(super) fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Until when waiters of an open gate rest.
    pub(super) fn rest(&self, now: Instant) -> Option<Instant> {
        self.rest_until.filter(|until| *until > now)
    }

    pub(super) fn rest_until(&mut self, until: Instant) {
        self.rest_until = self.rest_until.max(Some(until));
        if let GateState::Closed(closed) = &mut self.state {
            closed.next_probe = closed.next_probe.max(until);
        }
    }

    /// Any call may be the probe once one is due; that it has waited in the queue only brings it
    /// here in time. So no caller that loses its place keeps the gate closed.
    pub(super) fn admits(&self, purpose: Purpose, now: Instant) -> Result<(), GateClosed> {
        let Some(closed) = self.withholding(purpose) else {
            return Ok(());
        };
        let admits = match closed.probe {
            ProbeSlot::Offered { .. } => true,
            ProbeSlot::Free => closed.next_probe <= now,
            ProbeSlot::UnderWay { .. } => false,
        };
        if admits {
            Ok(())
        } else {
            Err(closed.reason.clone())
        }
    }

    /// Ok(true) for the probe.
    pub(super) fn enter(&mut self, purpose: Purpose, now: Instant) -> Result<bool, GateClosed> {
        self.admits(purpose, now)?;
        let GateState::Closed(closed) = &mut self.state else {
            return Ok(false);
        };
        if !closed.withholds(purpose) {
            return Ok(false);
        }
        let turn = match std::mem::replace(&mut closed.probe, ProbeSlot::Free) {
            ProbeSlot::Offered { turn, .. } => Some(turn),
            ProbeSlot::Free => None,
            ProbeSlot::UnderWay { held } => held,
        };
        closed.probe = ProbeSlot::UnderWay { held: turn };
        Ok(true)
    }

    /// Says whether one who did not fail yet is the head of its queue.
    pub(super) fn fresh_head(&mut self, waits: bool) {
        self.fresh_head = waits;
    }

    /// Puts a queue's turn on offer, or says how long its holder waits. Who failed `again` lets the
    /// others go first.
    pub(super) fn offer(
        &mut self,
        turn: OwnedSemaphorePermit,
        again: bool,
        now: Instant,
    ) -> ProbeTurn {
        let GateState::Closed(closed) = &mut self.state else {
            return ProbeTurn::Opened;
        };
        let due = if again {
            closed.next_probe.max(closed.again_after)
        } else {
            closed.next_probe
        };
        match closed.probe {
            ProbeSlot::UnderWay { .. } => ProbeTurn::Wait(turn, due.max(now + FIRST_PAUSE)),
            ProbeSlot::Free if due > now => ProbeTurn::Wait(turn, due),
            ProbeSlot::Free if again && self.fresh_head => ProbeTurn::Wait(turn, now + FIRST_PAUSE),
            ProbeSlot::Offered { .. } if again => ProbeTurn::Wait(turn, now + FIRST_PAUSE),
            ProbeSlot::Free | ProbeSlot::Offered { .. } => {
                self.permits += 1;
                let to = self.permits;
                closed.probe = ProbeSlot::Offered { to, turn };
                ProbeTurn::Offered(to)
            }
        }
    }

    /// The permit `id` is gone: an offer that nobody took is free again.
    pub(super) fn withdrawn(&mut self, id: u64) {
        if let GateState::Closed(closed) = &mut self.state
            && matches!(closed.probe, ProbeSlot::Offered { to, .. } if to == id)
        {
            closed.probe = ProbeSlot::Free;
        }
    }

    pub(super) fn abandoned(&mut self) {
        if let GateState::Closed(closed) = &mut self.state {
            closed.probe = ProbeSlot::Free;
        }
    }

    pub(super) fn succeeded(&mut self, event: GateEvent<'_>, said: Completion) -> Transition {
        // A call that began before the gate closed says nothing of now.
        if self.withholding(event.purpose).is_some() && !event.probe {
            return Transition::Unchanged;
        }
        match said {
            Completion::Part => {}
            Completion::Judged => self.failures = 0,
            Completion::Whole => {
                self.failures = 0;
                self.evidence
                    .succeeded(event.purpose, event.about, event.now);
                *self.successes.entry(event.purpose).or_default() += 1;
            }
        }
        let GateState::Closed(closed) = &mut self.state else {
            return Transition::Unchanged;
        };
        if !event.probe {
            return Transition::Unchanged;
        }
        let opens = match said {
            Completion::Part => false,
            Completion::Judged => closed.only.is_none(),
            Completion::Whole => true,
        };
        if !opens {
            closed.probe = ProbeSlot::Free;
            closed.next_probe = event.now;
            return Transition::Unchanged;
        }
        let closed_for = event.now.saturating_duration_since(closed.since);
        self.state = GateState::Open;
        self.failures = 0;
        self.rest_until = None;
        Transition::Opened(closed_for)
    }

    /// The upstream as a whole failed, as far as the answer tells.
    pub(super) fn failed(&mut self, event: GateEvent<'_>, failure: &GateFailure<'_>) -> Transition {
        if let Some(about) = event.about {
            self.evidence.note(event.purpose, about);
        }
        let asked = failure
            .retry_after
            .map(|pause| event.now + pause.min(LONGEST_REQUESTED_PAUSE));
        if let Some(closed) = self.withholding_mut(event.purpose) {
            if event.probe {
                return closed.probe_failed(event, failure, asked);
            }
            closed.next_probe = closed.next_probe.max(asked.unwrap_or(event.now));
            return Transition::Unchanged;
        }
        self.failures += 1;
        let at_once = failure.kind.needs_a_person() || failure.kind == ErrorKind::Maintenance;
        if self.failures < FAILURES && !at_once {
            let pause = pauses().next().unwrap_or(FIRST_PAUSE);
            self.rest_until = self.rest_until.max(asked).max(Some(event.now + pause));
            return Transition::Unchanged;
        }
        let mut closed = ClosedGate::new(failure, self.rest_until, event.now);
        closed.again_after = closed.next_probe.max(asked.unwrap_or(event.now));
        // One answer about one subject: the next about another is asked before all wait as long as
        // it says.
        match event.about {
            Some(about) if failure.kind != ErrorKind::Throttled => {
                closed.witness = Some(about.clone());
            }
            Some(_) | None => closed.next_probe = closed.again_after,
        }
        self.close(closed)
    }

    /// The call failed, and that may be the fault of what it was about.
    pub(super) fn doubtful(
        &mut self,
        event: GateEvent<'_>,
        about: &Subject,
        failure: &GateFailure<'_>,
    ) -> (Transition, FaultVerdict) {
        if let Some(closed) = self.withholding_mut(event.purpose) {
            let transition = if event.probe {
                closed.probe_failed(event, failure, None)
            } else {
                Transition::Unchanged
            };
            self.evidence.note(event.purpose, about);
            return (transition, FaultVerdict::Everybody);
        }
        let verdict = self.evidence.failed(event.purpose, about, event.now);
        if verdict != FaultVerdict::Everybody {
            return (Transition::Unchanged, verdict);
        }
        let why = format!(
            "{}; {DIFFERENT} different ones failed in this way and none succeeded",
            failure.why
        );
        let failure = GateFailure {
            why: &why,
            ..*failure
        };
        let mut closed = ClosedGate::new(&failure, self.rest_until, event.now);
        // Two purposes at once are more than one gate tells apart.
        closed.only = matches!(self.state, GateState::Open).then_some(event.purpose);
        (self.close(closed), verdict)
    }

    /// Its own fault, for a reason that the answer told.
    pub(super) fn blamed(&mut self, event: GateEvent<'_>, about: &Subject) -> FaultVerdict {
        let _ = self.succeeded(event, Completion::Part);
        self.evidence.blame(event.purpose, about)
    }

    fn close(&mut self, closed: ClosedGate) -> Transition {
        let reason = closed.reason.clone();
        self.state = GateState::Closed(Box::new(closed));
        Transition::Closed(reason)
    }

    /// What withholds calls of that purpose.
    fn withholding(&self, purpose: Purpose) -> Option<&ClosedGate> {
        match &self.state {
            GateState::Closed(closed) if closed.withholds(purpose) => Some(closed),
            GateState::Open | GateState::Closed(_) => None,
        }
    }

    fn withholding_mut(&mut self, purpose: Purpose) -> Option<&mut ClosedGate> {
        match &mut self.state {
            GateState::Closed(closed) if closed.withholds(purpose) => Some(closed),
            GateState::Open | GateState::Closed(_) => None,
        }
    }
}
