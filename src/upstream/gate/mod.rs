//! Closed while an upstream as a whole does not work.

mod state;

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep_until},
};

use self::state::{Queued, State, Turned};
use super::{ErrorKind, Fault, Name, Side};

/// Closed while an upstream as a whole does not work. Handlers that meet a closed gate hold their message.
///
/// It closes after three failed calls in a row, at once when the credentials are refused, and when writes about five
/// different things answered 500 or timed out one after the other. Then one probe at a
/// time tests the upstream, with growing pauses (1 s to 60 s, and never before `Retry-After`); the first success
/// opens it.
///
/// Who waits goes through [`Gate::passable`]. While the gate is closed the waiters form a queue, and only its head is
/// let through, when a probe is due: the next call to [`Gate::enter`] is then the probe. Every other call fails at once.
#[derive(Debug)]
pub struct Gate {
    upstream: Name,
    side: Side,
    state: Mutex<State>,
    /// One permit: held by the waiter that is, or is next to be, the probe.
    turn: Arc<Semaphore>,
    /// Told whenever the gate opens, under the lock of `state`. It wakes in the order of arrival, which a `watch`
    /// draws by lot: a schedule of faults would not replay.
    opened: Notify,
}

/// Why a gate withheld a call.
#[derive(Clone, Debug)]
pub struct Shut {
    /// What kind of failure closed it.
    pub kind: ErrorKind,
    /// Why and since when, in one line.
    pub why: Arc<str>,
}

/// Leave to try again. Keep it until the work it was given for is over: while the gate is closed this is the place
/// of the one probe, and dropping it unused gives the place to the next waiter.
#[must_use = "dropping it gives the place of the probe to the next waiter"]
#[derive(Debug)]
pub struct Passage {
    probe: Option<(Arc<Gate>, u64)>,
}

/// One call on its way. What became of it is told by one of its methods; dropped untold, a probe's place is free again.
#[must_use = "the gate has to learn how the call went"]
#[derive(Debug)]
pub struct Ticket {
    gate: Arc<Gate>,
    probe: bool,
    told: bool,
}

impl Gate {
    /// An open gate.
    pub fn new(upstream: Name, side: Side) -> Arc<Self> {
        let gate = Self {
            upstream,
            side,
            state: Mutex::new(State::open()),
            turn: Arc::new(Semaphore::new(1)),
            opened: Notify::new(),
        };
        gate.measure(true);
        Arc::new(gate)
    }

    /// Waits until a caller may try again: the gate is open, or this caller is its one probe. After a failure that
    /// did not close the gate this also waits out a short pause, so that nobody tries again in a tight loop.
    /// Cancelled, it leaves the queue.
    pub async fn passable(self: &Arc<Self>) -> Passage {
        loop {
            let mut opened = pin!(self.opened.notified());
            // Before the state is read, so that an opening in between is not missed.
            opened.as_mut().enable();
            if self.state().shut().is_none() {
                match self.rest() {
                    Some(until) => sleep_until(until).await,
                    None => return Passage { probe: None },
                }
                continue;
            }
            tokio::select! {
                biased;
                () = opened => {}
                passage = self.queue() => if let Some(passage) = passage { return passage },
            }
        }
    }

    /// Why and since when it is closed; `None` when open.
    pub fn closed_because(&self) -> Option<String> {
        self.state().shut().map(|shut| shut.why.to_string())
    }

    /// Which upstream this is a gate of.
    pub fn upstream(&self) -> Name {
        self.upstream
    }

    /// Which calls go through it.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Lets one call through: the gate is open, or a probe is due and this call is it.
    ///
    /// # Errors
    /// [`Shut`] otherwise, at once.
    pub fn enter(self: &Arc<Self>) -> Result<Ticket, Shut> {
        let probe = self.state().enter(Instant::now())?;
        Ok(Ticket {
            gate: Arc::clone(self),
            probe,
            told: false,
        })
    }

    /// Whether [`Gate::enter`] would let a call through now.
    ///
    /// # Errors
    /// [`Shut`] if not.
    pub fn admits(&self) -> Result<(), Shut> {
        self.state().admits(Instant::now())
    }

    /// Nobody who waits in [`Gate::passable`] goes on before `until`: the upstream asked for a pause.
    pub fn rest_until(&self, until: Instant) {
        self.state().rest_until(until);
    }

    /// The head of the queue waits here until it may probe. `None` if the gate opened meanwhile.
    async fn queue(self: &Arc<Self>) -> Option<Passage> {
        let mut turn = Arc::clone(&self.turn).acquire_owned().await.ok()?;
        loop {
            let queued = self.state().offer(turn, Instant::now());
            match queued {
                Queued::Opened => return None,
                Queued::Offered(id) => {
                    return Some(Passage {
                        probe: Some((Arc::clone(self), id)),
                    });
                }
                Queued::Wait(kept, until) => {
                    turn = kept;
                    sleep_until(until).await;
                }
            }
        }
    }

    fn rest(&self) -> Option<Instant> {
        self.state().rest(Instant::now())
    }

    /// Lets one event act on the state, and tells the world if that opened or closed the gate.
    fn apply(&self, event: impl FnOnce(&mut State) -> Turned) {
        let mut state = self.state();
        let turned = event(&mut state);
        match turned {
            Turned::No => return,
            Turned::Closed(_) => {}
            Turned::Opened(_) => self.opened.notify_waiters(),
        }
        drop(state);
        self.tell(&turned);
    }

    fn tell(&self, turned: &Turned) {
        let (upstream, gate) = (self.upstream.as_str(), self.side.as_str());
        match turned {
            Turned::No => {}
            Turned::Closed(shut) => {
                self.measure(false);
                let why = &shut.why;
                let reason = shut.kind.as_str();
                tracing::error!(event = "gate_closed", upstream, gate, reason, %why,
                    "{} calls to {upstream} are held until it works again: {why}", gate);
            }
            Turned::Opened(closed_for) => {
                self.measure(true);
                let closed_seconds = closed_for.as_secs();
                tracing::info!(
                    event = "gate_opened",
                    upstream,
                    gate,
                    closed_seconds,
                    "{} calls to {upstream} go on after {closed_seconds} s",
                    gate
                );
            }
        }
    }

    fn measure(&self, open: bool) {
        metrics::gauge!("sync_upstream_gate_open",
            "upstream" => self.upstream.as_str(), "gate" => self.side.as_str())
        .set(if open { 1.0 } else { 0.0 });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Whether this call is the one probe of a closed gate: it gets one attempt.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// The upstream works.
    pub fn succeeded(self) {
        self.end(|state, probe| state.succeeded(probe, false, Instant::now()));
    }

    /// The upstream works, as far as a write tells that can be repeated: that others succeed is not said by it.
    pub fn succeeded_in_part(self) {
        self.end(|state, probe| state.succeeded(probe, true, Instant::now()));
    }

    /// The upstream as a whole failed. `why` tells an operator in one line.
    pub fn failed(self, fault: &Fault, why: &str) {
        self.end(|state, probe| state.failed(probe, fault, why, Instant::now()));
    }

    /// The call failed, and that may be the fault of what it was `about`. It does not open a closed gate, and closes an
    /// open one only with as many about other things, and no success between them.
    pub fn unclear(self, fault: &Fault, why: &str, about: &str) {
        self.end(|state, probe| state.unclear(probe, fault, why, about, Instant::now()));
    }

    fn end(mut self, event: impl FnOnce(&mut State, bool) -> Turned) {
        self.told = true;
        self.gate.apply(|state| event(state, self.probe));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.probe && !self.told {
            self.gate.state().abandoned();
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if let Some((gate, id)) = &self.probe {
            gate.state().withdrawn(*id);
        }
    }
}

/// Failed calls in a row that close an open gate.
const FAILURES: u32 = 3;
/// Calls about different things that end unclear, without a success between them, close it too.
const UNCLEAR: usize = 5;
/// The first pause of a closed gate, before jitter, which adds up to as much again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest, before jitter: with it, 60 s.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
