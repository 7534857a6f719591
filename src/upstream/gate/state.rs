//! The gate as a value: what each event turns it into. Time comes in; nothing here waits.

use std::{collections::BTreeSet, time::Duration};

use backoff::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use jiff::{Timestamp, Unit};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{super::pace, FAILURES, FIRST_PAUSE, Fault, LONGEST_PAUSE, Shut, UNCLEAR};

#[derive(Debug)]
pub(super) struct State {
    door: Door,
    rest_until: Option<Instant>,
    passages: u64,
}

#[derive(Debug)]
enum Door {
    Open {
        failures: u32,
        /// What the unclear failures since the last success were about.
        unclear: BTreeSet<Box<str>>,
    },
    Closed(Box<Closed>),
}

#[derive(Debug)]
struct Closed {
    since: Instant,
    shut: Shut,
    pauses: ExponentialBackoff,
    next_probe: Instant,
    probe: Probe,
    /// Unclear failures closed it, and a success in part does not open it.
    by_unclear: bool,
}

/// The one place for a probe. The queue's turn lies in it until the probe has ended, if the probe came by the queue.
#[derive(Debug)]
enum Probe {
    Free,
    Offered { to: u64, turn: OwnedSemaphorePermit },
    UnderWay { held: Option<OwnedSemaphorePermit> },
}

/// What becomes of the head of the queue.
pub(super) enum Queued {
    Opened,
    Wait(OwnedSemaphorePermit, Instant),
    Offered(u64),
}

/// Whether an event opened or closed the gate.
pub(super) enum Turned {
    No,
    Closed(Shut),
    Opened(Duration),
}

impl Door {
    const fn open() -> Self {
        Self::Open {
            failures: 0,
            unclear: BTreeSet::new(),
        }
    }
}

impl State {
    pub(super) fn open() -> Self {
        Self {
            door: Door::open(),
            rest_until: None,
            passages: 0,
        }
    }

    pub(super) fn shut(&self) -> Option<&Shut> {
        match &self.door {
            Door::Open { .. } => None,
            Door::Closed(closed) => Some(&closed.shut),
        }
    }

    /// Until when waiters of an open gate rest.
    pub(super) fn rest(&self, now: Instant) -> Option<Instant> {
        self.rest_until.filter(|until| *until > now)
    }

    pub(super) fn rest_until(&mut self, until: Instant) {
        self.rest_until = self.rest_until.max(Some(until));
        if let Door::Closed(closed) = &mut self.door {
            closed.next_probe = closed.next_probe.max(until);
        }
    }

    /// Any call may be the probe once one is due; that it has waited in the queue only brings it here in time.
    /// So no caller that loses its place keeps the gate closed.
    pub(super) fn admits(&self, now: Instant) -> Result<(), Shut> {
        let Door::Closed(closed) = &self.door else {
            return Ok(());
        };
        let admits = match closed.probe {
            Probe::Offered { .. } => true,
            Probe::Free => closed.next_probe <= now,
            Probe::UnderWay { .. } => false,
        };
        if admits {
            Ok(())
        } else {
            Err(closed.shut.clone())
        }
    }

    /// Ok(true) for the probe.
    pub(super) fn enter(&mut self, now: Instant) -> Result<bool, Shut> {
        self.admits(now)?;
        let Door::Closed(closed) = &mut self.door else {
            return Ok(false);
        };
        let turn = match std::mem::replace(&mut closed.probe, Probe::Free) {
            Probe::Offered { turn, .. } => Some(turn),
            Probe::Free => None,
            Probe::UnderWay { held } => held,
        };
        closed.probe = Probe::UnderWay { held: turn };
        Ok(true)
    }

    /// Puts the queue's turn on offer, or says how long its holder waits.
    pub(super) fn offer(&mut self, turn: OwnedSemaphorePermit, now: Instant) -> Queued {
        let Door::Closed(closed) = &mut self.door else {
            return Queued::Opened;
        };
        match closed.probe {
            Probe::UnderWay { .. } => Queued::Wait(turn, closed.next_probe.max(now + FIRST_PAUSE)),
            Probe::Free if closed.next_probe > now => Queued::Wait(turn, closed.next_probe),
            Probe::Free | Probe::Offered { .. } => {
                self.passages += 1;
                let to = self.passages;
                closed.probe = Probe::Offered { to, turn };
                Queued::Offered(to)
            }
        }
    }

    /// The passage `id` is gone: an offer that nobody took is free again.
    pub(super) fn withdrawn(&mut self, id: u64) {
        if let Door::Closed(closed) = &mut self.door
            && matches!(closed.probe, Probe::Offered { to, .. } if to == id)
        {
            closed.probe = Probe::Free;
        }
    }

    pub(super) fn abandoned(&mut self) {
        if let Door::Closed(closed) = &mut self.door {
            closed.probe = Probe::Free;
        }
    }

    /// `in_part`: by a call whose success does not say that those succeed which ended unclear.
    pub(super) fn succeeded(&mut self, probe: bool, in_part: bool, now: Instant) -> Turned {
        match &mut self.door {
            Door::Open { failures, unclear } => {
                *failures = 0;
                if !in_part {
                    unclear.clear();
                }
                Turned::No
            }
            // A call that began before the gate closed says nothing of now.
            Door::Closed(_) if !probe => Turned::No,
            Door::Closed(closed) if in_part && closed.by_unclear => {
                closed.probe = Probe::Free;
                closed.next_probe = now;
                Turned::No
            }
            Door::Closed(closed) => {
                let closed_for = now.saturating_duration_since(closed.since);
                self.door = Door::open();
                self.rest_until = None;
                Turned::Opened(closed_for)
            }
        }
    }

    pub(super) fn failed(&mut self, probe: bool, fault: &Fault, why: &str, now: Instant) -> Turned {
        let asked = fault
            .retry_after
            .map(|pause| now + pause.min(pace::LONGEST_PAUSE));
        match &mut self.door {
            Door::Open { failures, .. } => {
                *failures += 1;
                if *failures < FAILURES && !fault.kind.needs_a_person() {
                    let pause = pauses().next().unwrap_or(FIRST_PAUSE);
                    self.rest_until = self.rest_until.max(asked).max(Some(now + pause));
                    return Turned::No;
                }
                let closed = Closed::new(fault, why, asked.max(self.rest_until), now);
                let shut = closed.shut.clone();
                self.door = Door::Closed(Box::new(closed));
                Turned::Closed(shut)
            }
            Door::Closed(closed) => {
                if probe {
                    closed.probe_failed(now);
                }
                closed.next_probe = closed.next_probe.max(asked.unwrap_or(now));
                Turned::No
            }
        }
    }

    /// One that fails again and again may be to blame itself; several different ones in a row are not.
    pub(super) fn unclear(
        &mut self,
        probe: bool,
        fault: &Fault,
        why: &str,
        about: &str,
        now: Instant,
    ) -> Turned {
        match &mut self.door {
            Door::Open { unclear, .. } => {
                unclear.insert(about.into());
                if unclear.len() < UNCLEAR {
                    return Turned::No;
                }
                let why = format!("{why}; so it was with {UNCLEAR} different calls in a row");
                let mut closed = Closed::new(fault, &why, self.rest_until, now);
                closed.by_unclear = true;
                let shut = closed.shut.clone();
                self.door = Door::Closed(Box::new(closed));
                Turned::Closed(shut)
            }
            Door::Closed(closed) => {
                if probe {
                    closed.probe_failed(now);
                }
                Turned::No
            }
        }
    }
}

impl Closed {
    fn new(fault: &Fault, why: &str, asked: Option<Instant>, now: Instant) -> Self {
        let wall = Timestamp::now();
        let wall = wall.round(Unit::Second).unwrap_or(wall);
        let shut = Shut {
            kind: fault.kind,
            why: format!("{why} (held since {wall})").into(),
        };
        let mut pauses = pauses();
        let next_probe = now + pauses.next().unwrap_or(LONGEST_PAUSE);
        let next_probe = next_probe.max(asked.unwrap_or(now));
        Self {
            since: now,
            shut,
            pauses,
            next_probe,
            probe: Probe::Free,
            by_unclear: false,
        }
    }

    fn probe_failed(&mut self, now: Instant) {
        self.probe = Probe::Free;
        let pause = self.pauses.next().unwrap_or(LONGEST_PAUSE);
        self.next_probe = self.next_probe.max(now + pause);
    }
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter()
        .build()
}
