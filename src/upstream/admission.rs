//! When a call may go: the rate limit, and a permit among the concurrent calls.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{CallError, Fault, FaultScope, Upstream, UpstreamRequest, reservation::Reservation};
use crate::gate::ErrorKind;

/// A wait for the upstream's rate limit that a person would notice.
const WORTH_TELLING: Duration = Duration::from_secs(1);

impl Upstream {
    /// Waits for the budget. A wait of seconds that the upstream asks for is told, once.
    pub(super) async fn take(&self, calls: u32) {
        let limiter = &self.shared.limiter;
        if let Some(until) = limiter.withheld_until(calls) {
            self.tell_wait(until);
        }
        limiter.take(calls).await;
    }

    fn tell_wait(&self, until: Instant) {
        let wait = until.saturating_duration_since(Instant::now());
        let mut told = self
            .shared
            .told_wait
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_told = told.is_some_and(|told| until <= told + WORTH_TELLING);
        if wait >= WORTH_TELLING && !is_told {
            *told = Some(until);
            let (name, seconds) = (self.shared.exchange.name(), wait.as_secs() + 1);
            tracing::info!(
                event = "rate_limited",
                upstream = name.as_str(),
                seconds,
                "{name} asks for a pause: waiting {seconds} s for its rate limit"
            );
        }
    }

    /// Waits for the budget and a permit.
    pub(super) async fn admit(&self) -> Option<OwnedSemaphorePermit> {
        let limiter = &self.shared.limiter;
        match &self.reservation {
            Some(reservation) if reservation.spend() => limiter.pause().await,
            Some(_) | None => self.take(1).await,
        }
        match &self.reservation {
            Some(_) => None,
            None => self.permit().await,
        }
    }

    pub(super) fn admit_at_once(
        &self,
        call: &UpstreamRequest,
        reservation: &Reservation,
    ) -> Result<Option<OwnedSemaphorePermit>, CallError> {
        let limiter = &self.shared.limiter;
        let wait = limiter.paused_until().or_else(|| {
            if reservation.spend() {
                None
            } else {
                limiter.try_take(1)
            }
        });
        let Some(until) = wait else { return Ok(None) };
        let gate = &self.shared.writes;
        gate.rest_until(until);
        let fault = Fault::new(ErrorKind::Throttled, "asked for a pause before this call");
        Err(self
            .error(call, FaultScope::Upstream(Arc::clone(gate)), fault)
            .not_sent())
    }

    pub(super) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let _turn = self.shared.newcomers.lock().await;
        self.permit_again().await
    }

    pub(super) async fn permit_again(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.shared.permits).acquire_owned().await.ok()
    }
}
