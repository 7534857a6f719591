//! A circuit breaker for everything this service calls: the APIs and the databases.

mod breaker;
mod call_guard;
mod closed;
mod error_kind;
mod evidence;
mod failure;
mod probe_permit;
mod subject;
mod upstream_id;

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep_until},
};

use self::breaker::{Breaker, ProbeTurn, Transition};
pub(crate) use self::failure::LONGEST_REQUESTED_PAUSE;
pub use self::{
    call_guard::CallGuard,
    error_kind::ErrorKind,
    evidence::FaultVerdict,
    failure::GateFailure,
    probe_permit::ProbePermit,
    subject::Subject,
    upstream_id::{CallKind, UpstreamId},
};

/// Closed while an upstream as a whole does not work. Handlers that meet a closed gate hold
/// their message.
///
/// It closes after three calls in a row that fail everybody, and at once when the credentials are
/// refused or the upstream is in maintenance. A call about one subject whose failure may be that
/// subject's own closes it only together with those about four others, of the same purpose and
/// without a success between them; then calls of that purpose alone are withheld. Who failed while
/// others succeeded is remembered, and counts no more.
///
/// While it is closed one probe at a time tests the upstream, with growing pauses (1 s to 60 s, and
/// never before `Retry-After`); a whole success opens it, and a part of one, such as the marker
/// before a block, does not.
///
/// Who waits goes through [`Gate::passable`]. While the gate is closed the waiters form two queues,
/// and only the head of one is let through, when a probe is due: the next call to [`Gate::enter`]
/// is then the probe. Who failed already waits in the second, so that a probe is never the same
/// subject first. Every other call fails at once.
#[derive(Debug)]
pub struct Gate {
    upstream: UpstreamId,
    side: CallKind,
    breaker: Mutex<Breaker>,
    /// One permit: held by the waiter that is, or is next to be, the probe.
    turn: Arc<Semaphore>,
    /// The same for those who failed already.
    again: Arc<Semaphore>,
    /// Told whenever the gate opens, under the lock of `breaker`. It wakes in the order of arrival,
    /// which a `watch` draws by lot: a schedule of faults would not replay.
    opened: Notify,
}

/// How much of what was to be done a call that succeeded did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// All of it: others can be expected to succeed too.
    Whole,
    /// The upstream answered as it should, and there was nothing to do, or it may not be done.
    Judged,
    /// A first step. That the whole succeeds is not said by it.
    Part,
}

/// Why a gate withheld a call.
#[derive(Clone, Debug)]
pub struct GateClosed {
    /// What kind of failure closed it.
    pub kind: ErrorKind,
    /// Why and since when, in one line.
    pub why: Arc<str>,
}

impl Gate {
    /// An open gate.
    pub fn new(upstream: UpstreamId, side: CallKind) -> Arc<Self> {
        let gate = Self {
            upstream,
            side,
            breaker: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
            again: Arc::new(Semaphore::new(1)),
            opened: Notify::new(),
        };
        gate.measure(true);
        Arc::new(gate)
    }

    /// Waits until a caller may try again: the gate is open, or this caller is its one probe. After
    /// a failure that did not close the gate this also waits out a short pause, so that nobody
    /// tries again in a tight loop. Cancelled, it leaves the queue.
    pub async fn passable(self: &Arc<Self>) -> ProbePermit {
        self.wait(false).await
    }

    /// The same for one whose own call failed already: while the gate is closed, who has not been
    /// heard yet goes first.
    pub async fn passable_again(self: &Arc<Self>) -> ProbePermit {
        self.wait(true).await
    }

    async fn wait(self: &Arc<Self>, again: bool) -> ProbePermit {
        loop {
            let mut opened = pin!(self.opened.notified());
            // Before the state is read, so that an opening in between is not missed.
            opened.as_mut().enable();
            if self.breaker().closed().is_none() {
                match self.rest() {
                    Some(until) => sleep_until(until).await,
                    None => return ProbePermit { probe: None },
                }
                continue;
            }
            tokio::select! {
                biased;
                () = opened => {}
                permit = self.queue(again) => if let Some(permit) = permit { return permit },
            }
        }
    }

    /// Why and since when it is closed; `None` when open.
    pub fn closed_because(&self) -> Option<String> {
        self.breaker().closed().map(|closed| closed.why.to_string())
    }

    /// Whether it is closed for every call, and not only for those of one purpose.
    pub fn withholds_all(&self) -> bool {
        self.breaker().withholds_all()
    }

    /// Which upstream this is a gate of.
    pub fn upstream(&self) -> UpstreamId {
        self.upstream
    }

    /// Which calls go through it.
    pub fn side(&self) -> CallKind {
        self.side
    }

    /// Lets one call through: the gate is open, or a probe is due and this call is it.
    ///
    /// # Errors
    /// [`GateClosed`] otherwise, at once.
    pub fn enter(self: &Arc<Self>) -> Result<CallGuard, GateClosed> {
        self.enter_for("")
    }

    /// The same for a gate whose calls have different purposes, a closed set.
    ///
    /// # Errors
    /// [`GateClosed`] otherwise, at once.
    pub fn enter_for(self: &Arc<Self>, purpose: &'static str) -> Result<CallGuard, GateClosed> {
        let probe = self.breaker().enter(purpose, Instant::now())?;
        Ok(CallGuard {
            gate: Arc::clone(self),
            purpose,
            probe,
            told: false,
        })
    }

    /// Whether [`Gate::enter_for`] would let a call through now.
    ///
    /// # Errors
    /// [`GateClosed`] if not.
    pub fn admits(&self, purpose: &'static str) -> Result<(), GateClosed> {
        self.breaker().admits(purpose, Instant::now())
    }

    /// How many calls of that purpose reached their end since the process began.
    pub fn successes(&self, purpose: &'static str) -> u64 {
        self.breaker().successes(purpose)
    }

    /// Whether `about` failed at that purpose while others succeeded, and has not succeeded since.
    pub fn suspects(&self, purpose: &'static str, about: &Subject) -> bool {
        self.breaker()
            .evidence()
            .failed_alone(purpose, about, Instant::now())
    }

    /// Whether a call about `about` failed since the last success of such calls.
    pub fn is_failing(&self, about: &Subject) -> bool {
        self.breaker().evidence().is_failing(about)
    }

    /// Nobody who waits in [`Gate::passable`] goes on before `until`: the upstream asked for a
    /// pause.
    pub fn rest_until(&self, until: Instant) {
        self.breaker().rest_until(until);
    }

    /// The head of the queue waits here until it may probe. `None` if the gate opened meanwhile.
    async fn queue(self: &Arc<Self>, again: bool) -> Option<ProbePermit> {
        let turns = if again { &self.again } else { &self.turn };
        let mut turn = Arc::clone(turns).acquire_owned().await.ok()?;
        let _head = (!again).then(|| QueueHead::of(self));
        loop {
            let queued = self.breaker().offer(turn, again, Instant::now());
            match queued {
                ProbeTurn::Opened => return None,
                ProbeTurn::Offered(id) => {
                    return Some(ProbePermit {
                        probe: Some((Arc::clone(self), id)),
                    });
                }
                ProbeTurn::Wait(kept, until) => {
                    turn = kept;
                    sleep_until(until).await;
                }
            }
        }
    }

    fn rest(&self) -> Option<Instant> {
        self.breaker().rest(Instant::now())
    }

    /// Lets one event act on the state, and tells the world if that opened or closed the gate.
    fn apply<T>(&self, event: impl FnOnce(&mut Breaker) -> (Transition, T)) -> T {
        let mut breaker = self.breaker();
        let (transition, answer) = event(&mut breaker);
        match transition {
            Transition::Unchanged => return answer,
            Transition::Closed(_) | Transition::StaysClosed { .. } => {}
            Transition::Opened(_) => self.opened.notify_waiters(),
        }
        drop(breaker);
        self.tell(&transition);
        answer
    }

    fn tell(&self, transition: &Transition) {
        let (upstream, gate) = (self.upstream.as_str(), self.side.as_str());
        match transition {
            Transition::Unchanged => {}
            Transition::Closed(closed) => {
                self.measure(false);
                let why = &closed.why;
                let reason = closed.kind.as_str();
                tracing::warn!(event = "gate_closed", upstream, gate, reason, %why,
                    "{} calls to {upstream} are held until {}: {why}", gate, end_of(closed.kind));
            }
            Transition::StaysClosed { closed, lasts } => {
                let why = &closed.why;
                let reason = closed.kind.as_str();
                let closed_seconds = lasts.as_secs();
                tracing::error!(event = "gate_stays_closed", upstream, gate, reason, closed_seconds, %why,
                    "{} calls to {upstream} have been held for {closed_seconds} s: {why}", gate);
            }
            Transition::Opened(closed_for) => {
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

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_of(kind: ErrorKind) -> &'static str {
    if kind == ErrorKind::Maintenance {
        "its maintenance is over"
    } else {
        "it works again"
    }
}

/// Says, as long as it lives, that one who did not fail yet is the head of its queue.
struct QueueHead<'a>(&'a Gate);

impl<'a> QueueHead<'a> {
    fn of(gate: &'a Gate) -> Self {
        gate.breaker().fresh_head(true);
        Self(gate)
    }
}

impl Drop for QueueHead<'_> {
    fn drop(&mut self) {
        self.0.breaker().fresh_head(false);
    }
}

/// Failed calls in a row that close an open gate.
const FAILURES: u32 = 3;
/// The first pause of a closed gate, before jitter, which adds up to as much again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest, before jitter: with it, 60 s.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A gate that closes is no alarm: most open again by themselves. For so long nobody has to act.
const ALARM_AFTER: Duration = Duration::from_mins(15);
/// The same for an upstream that says it is in maintenance.
const MAINTENANCE_ALARM_AFTER: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests;
