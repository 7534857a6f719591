//! The one behaviour of every upstream, from the gate to the judged response.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

use super::{
    Authorize, CallError, Exchange, Fault, FaultScope, RateLimiter, UpstreamRequest,
    UpstreamResponse, UpstreamSettings, clock::Clock, reservation::Reservation, retry, retry_after,
};
use crate::{
    config,
    gate::{CallKind, Completion, ErrorKind, Gate},
    pause::WriteSwitch,
};

/// An API as this process calls it: the one behaviour of every upstream. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Upstream {
    pub(super) shared: Arc<UpstreamState>,
    pub(super) reservation: Option<Arc<Reservation>>,
    /// Of one attempt, where it is not its usual one.
    deadline: Option<Duration>,
    made: Arc<AtomicU32>,
}

#[derive(Debug)]
pub(super) struct UpstreamState {
    pub(super) exchange: Exchange,
    pub(super) settings: &'static UpstreamSettings,
    authorize: Box<dyn Authorize>,
    /// What every request asks that is more than a question; `None` where there is none such.
    writes_when: Option<WriteSwitch>,
    attempts: usize,
    pub(super) permits: Arc<Semaphore>,
    /// Held while a permit is waited for, but by who had one and comes back to it with a look that
    /// grows old: of all others one at a time is in that queue.
    pub(super) newcomers: Arc<tokio::sync::Mutex<()>>,
    pub(super) limiter: Arc<RateLimiter>,
    /// Until when the wait lasts that was told last.
    pub(super) told_wait: Arc<Mutex<Option<Instant>>>,
    reads: Arc<Gate>,
    pub(super) writes: Arc<Gate>,
    clock: Clock,
}

impl Upstream {
    /// An upstream reached by `exchange`. Its gates are open, its budget is full. Without
    /// `writes_when` it can only be asked.
    pub fn new(
        exchange: Exchange,
        calls: &config::CallsConfig,
        settings: &'static UpstreamSettings,
        authorize: Box<dyn Authorize>,
        writes_when: Option<WriteSwitch>,
    ) -> Self {
        let name = exchange.name();
        let shared = UpstreamState {
            exchange,
            settings,
            authorize,
            writes_when,
            attempts: calls.read_attempts.max(1),
            permits: Arc::new(Semaphore::new(
                calls.concurrency.clamp(1, Semaphore::MAX_PERMITS),
            )),
            newcomers: Arc::default(),
            limiter: Arc::new(RateLimiter::new(calls.requests_per_minute)),
            told_wait: Arc::default(),
            reads: Gate::new(name, CallKind::Read),
            writes: Gate::new(name, CallKind::Write),
            clock: Clock::default(),
        };
        Self::of(shared)
    }

    /// The same API with other credentials, to be asked only: it shares the exchange, the rate
    /// budget and the permits, and has gates of its own, since what is refused to one is not refused
    /// to the other.
    #[must_use]
    pub fn beside(
        &self,
        settings: &'static UpstreamSettings,
        authorize: Box<dyn Authorize>,
    ) -> Self {
        let name = self.shared.exchange.name();
        let shared = UpstreamState {
            exchange: self.shared.exchange.clone(),
            settings,
            authorize,
            writes_when: None,
            attempts: self.shared.attempts,
            permits: Arc::clone(&self.shared.permits),
            newcomers: Arc::clone(&self.shared.newcomers),
            limiter: Arc::clone(&self.shared.limiter),
            told_wait: Arc::clone(&self.shared.told_wait),
            reads: Gate::new(name, CallKind::Read),
            writes: Gate::new(name, CallKind::Write),
            clock: Clock::default(),
        };
        Self::of(shared)
    }

    fn of(shared: UpstreamState) -> Self {
        Self {
            shared: Arc::new(shared),
            reservation: None,
            deadline: None,
            made: Arc::default(),
        }
    }

    /// The same with at least `deadline` for one attempt, for questions that take the upstream
    /// long.
    #[must_use]
    pub fn allowing(&self, deadline: Duration) -> Self {
        Self {
            deadline: Some(deadline.max(self.shared.exchange.deadline())),
            ..self.clone()
        }
    }

    /// Takes `calls` from the rate budget and one permit among the concurrent calls, waiting until
    /// both are there. The calls of the returned clone wait for neither again, so nothing lies
    /// between a look and its write; the permit is given back when the clone is dropped. Wait for
    /// nothing else while holding it, locks included.
    pub async fn reserve(&self, calls: u32) -> Self {
        self.take(calls).await;
        let permit = self.permit().await;
        Self {
            shared: Arc::clone(&self.shared),
            reservation: Some(Arc::new(Reservation::new(calls, permit))),
            deadline: self.deadline,
            made: Arc::default(),
        }
    }

    /// Requests sent by this clone and the clones made of it, retries included.
    pub fn calls_made(&self) -> u32 {
        self.made.load(Ordering::Relaxed)
    }

    /// From now on an answer to a read whose `Date` is more than five minutes from this machine's
    /// clock is a failure that closes the gate.
    pub fn keep_time(&self) {
        self.shared.clock.count();
    }

    /// Whether its answers do not say what time it is.
    pub fn is_without_clock(&self) -> bool {
        self.shared.clock.is_silent()
    }

    /// How often the credentials were replaced since the start.
    pub fn credentials_generation(&self) -> u64 {
        self.shared.authorize.generation()
    }

    /// The setting that holds the credentials.
    pub fn credentials_setting(&self) -> &'static str {
        self.shared.settings.credentials
    }

    /// The gate of one side.
    pub fn gate(&self, side: CallKind) -> Arc<Gate> {
        Arc::clone(self.gate_of(side))
    }

    /// Asks for something that changes nothing; repeated while the failure is transient and the
    /// gate open.
    ///
    /// `judge` reads the answer; what it refuses counts as a failure of this call.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn read<T>(
        &self,
        call: &UpstreamRequest,
        judge: impl Fn(&UpstreamResponse) -> Result<T, Fault>,
    ) -> Result<T, CallError> {
        let gate = &self.shared.reads;
        gate.admits(call.purpose)
            .map_err(|closed| call.withheld(gate, &closed))?;
        let mut permit = self.admit().await;
        let guard = gate
            .enter_for(call.purpose)
            .map_err(|closed| call.withheld(gate, &closed))?;
        let clock = &self.shared.clock;
        let judge = |answer: &UpstreamResponse| match clock.objection(answer, Timestamp::now()) {
            Some(objection) => Err(objection),
            None => judge(answer),
        };
        let mut pauses = retry::pauses(if guard.is_probe() {
            1
        } else {
            self.shared.attempts
        });
        loop {
            let fault = match self.attempt(call, &judge).await {
                Ok(value) => {
                    guard.ended(Completion::Whole, call.about.as_ref());
                    return Ok(value);
                }
                Err(fault) => fault,
            };
            drop(permit);
            let Some(pause) = retry::pause_before_next(&fault, pauses.next()) else {
                return Err(self.settle(CallKind::Read, call, guard, &fault));
            };
            tracing::debug!(operation = call.operation, %fault, ?pause, "read is tried again");
            sleep(pause).await;
            permit = self.admit().await;
            if !guard.is_probe() && gate.admits(call.purpose).is_err() {
                return Err(self.settle(CallKind::Read, call, guard, &fault));
            }
        }
    }

    /// Asks for a change, once. On a reservation nothing waits: what cannot go at once is an error.
    ///
    /// # Errors
    /// See [`CallError`]. Unless [`CallError::was_sent`] is false, the change may or may not have
    /// been made.
    pub async fn write<T>(
        &self,
        call: &UpstreamRequest,
        judge: impl Fn(&UpstreamResponse) -> Result<T, Fault>,
    ) -> Result<T, CallError> {
        self.change(call, judge, |_| Completion::Whole).await
    }

    /// The same, where not every answer that is none of a failure means that the whole was done.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn change<T>(
        &self,
        call: &UpstreamRequest,
        judge: impl Fn(&UpstreamResponse) -> Result<T, Fault>,
        said: impl Fn(&T) -> Completion,
    ) -> Result<T, CallError> {
        let gate = &self.shared.writes;
        gate.admits(call.purpose)
            .map_err(|closed| call.withheld(gate, &closed))?;
        let _permit = match &self.reservation {
            Some(reservation) => self.admit_at_once(call, reservation)?,
            None => self.admit().await,
        };
        let guard = gate
            .enter_for(call.purpose)
            .map_err(|closed| call.withheld(gate, &closed))?;
        match self.attempt(call, &judge).await {
            Ok(value) => {
                guard.ended(said(&value), call.about.as_ref());
                Ok(value)
            }
            Err(fault) => Err(self.settle(CallKind::Write, call, guard, &fault)),
        }
    }

    /// One attempt; a second one with fresh credentials where the first was answered 401 and there
    /// are some.
    pub(super) async fn attempt<T>(
        &self,
        call: &UpstreamRequest,
        judge: &impl Fn(&UpstreamResponse) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut renewed = false;
        loop {
            let mut request = call.request();
            let authorize = &self.shared.authorize;
            let credentials = authorize.header().await.map_err(Fault::unsent)?;
            if let Some((name, value)) = credentials.clone() {
                request.headers_mut().insert(name, value);
            }
            if let Some((name, value)) = authorize.front_header().await.map_err(Fault::unsent)? {
                request.headers_mut().insert(name, value);
            }
            // Nothing may lie between this and the request.
            self.may_send(call)?;
            self.made.fetch_add(1, Ordering::Relaxed);
            let exchange = &self.shared.exchange;
            let deadline = self.deadline.unwrap_or(exchange.deadline());
            let answer = exchange
                .send_within(deadline, call.operation, request)
                .await?;
            self.learn(call, &answer);
            match judge(&answer) {
                Err(fault) if fault.kind == ErrorKind::Unauthenticated && !renewed => {
                    renewed = match &credentials {
                        Some((_, used)) => authorize.renew(used).await,
                        None => false,
                    };
                    if !renewed {
                        return Err(fault);
                    }
                }
                verdict => return verdict,
            }
        }
    }

    /// Whether this request may be sent now. This is the one place that every request
    /// passes: here a pause stops all that is more than a question.
    fn may_send(&self, call: &UpstreamRequest) -> Result<(), Fault> {
        if call.is_question {
            return Ok(());
        }
        match &self.shared.writes_when {
            None => Err(Fault::new(
                ErrorKind::BadRequest,
                "was not called: this client only reads",
            )),
            Some(switch) => switch
                .held_because()
                .map_or(Ok(()), |why| Err(Fault::paused(switch, &why))),
        }
    }

    /// What an answer says about the pace of calls, whatever else it says.
    fn learn(&self, call: &UpstreamRequest, answer: &UpstreamResponse) {
        let UpstreamState {
            limiter,
            reads,
            writes,
            ..
        } = &*self.shared;
        if let Some((remaining, resets_in)) = retry_after::rate_limit(&answer.headers) {
            limiter.learn(remaining, resets_in);
        }
        // A 503 asks for a pause of its own side alone, which its gate keeps: GitLab in maintenance
        // mode reads well. Nor does everybody wait for one about whom others know better.
        let throttled = answer.status.as_u16() == 429
            && !call.about.as_ref().is_some_and(|about| {
                [reads, writes]
                    .iter()
                    .any(|gate| gate.suspects(call.purpose, about))
            });
        if let Some(pause) = answer.retry_after().filter(|_| throttled) {
            let until = limiter.hold_off(pause);
            reads.rest_until(until);
            writes.rest_until(until);
        }
    }

    pub(super) fn error(
        &self,
        call: &UpstreamRequest,
        scope: FaultScope,
        fault: Fault,
    ) -> CallError {
        CallError::of(
            self.shared.exchange.name(),
            call.operation,
            self.shared.settings,
            scope,
            fault,
        )
        .for_purpose(call.purpose)
    }

    fn gate_of(&self, side: CallKind) -> &Arc<Gate> {
        match side {
            CallKind::Read => &self.shared.reads,
            CallKind::Write => &self.shared.writes,
        }
    }
}
