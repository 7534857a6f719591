//! How many calls may go in which time.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::gate::LONGEST_REQUESTED_PAUSE;

/// When calls may go: GCRA for the configured rate, and a not-before instant that the upstream
/// itself sets.
///
/// GCRA keeps one instant, `due`: when the calls let through so far would all have gone at the
/// exact rate. Calls may run ahead of it by `ahead`, which is the burst. On `tokio::time`, so it
/// follows virtual time.
#[derive(Debug)]
pub struct RateLimiter {
    /// Makes takers queue, so that one who takes many is not overtaken for ever.
    queue: tokio::sync::Mutex<()>,
    state: Mutex<LimiterState>,
}

#[derive(Debug)]
struct LimiterState {
    rate: Option<CallRate>,
    not_before: Option<Instant>,
    window: Option<RateWindow>,
}

#[derive(Debug)]
struct CallRate {
    interval: Duration,
    ahead: Duration,
    due: Instant,
}

/// What the upstream's `CallRate-*` headers leave until they start anew.
#[derive(Debug)]
struct RateWindow {
    remaining: u32,
    resets: Instant,
}

impl RateLimiter {
    /// `per_minute` calls, a tenth of them (at least ten) at once; `None` is no bound of our own.
    pub fn new(per_minute: Option<u32>) -> Self {
        let rate = per_minute.map(|calls| {
            let calls = calls.max(1);
            let interval = Duration::from_mins(1) / calls;
            CallRate {
                interval,
                ahead: interval * (calls / 10).max(10),
                due: Instant::now(),
            }
        });
        Self {
            queue: tokio::sync::Mutex::default(),
            state: Mutex::new(LimiterState {
                rate,
                not_before: None,
                window: None,
            }),
        }
    }

    /// Waits until `calls` may go at once, and takes them. Cancelled, it has taken nothing.
    pub async fn take(&self, calls: u32) {
        let _turn = self.queue.lock().await;
        while let Some(earliest) = self.try_take(calls) {
            sleep_until(earliest).await;
        }
    }

    /// Takes `calls` if they may go now; otherwise takes nothing and says when to ask again.
    pub fn try_take(&self, calls: u32) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state();
        let wait = state.wait(calls, now);
        if wait.is_none() {
            state.commit(calls, now);
        }
        wait
    }

    /// Until when the upstream asked for no calls at all; `None` if calls may go. Calls taken
    /// earlier ask this too.
    pub fn paused_until(&self) -> Option<Instant> {
        self.state()
            .not_before
            .filter(|instant| *instant > Instant::now())
    }

    /// Until when the upstream lets no `calls` through, by `Retry-After` or by what its rate limit
    /// leaves.
    pub fn withheld_until(&self, calls: u32) -> Option<Instant> {
        let now = Instant::now();
        let state = self.state();
        let spent = state
            .window
            .as_ref()
            .filter(|window| window.remaining < calls)
            .map(|window| window.resets);
        state.not_before.max(spent).filter(|instant| *instant > now)
    }

    /// Waits out the pause that the upstream asked for.
    pub async fn pause(&self) {
        while let Some(instant) = self.paused_until() {
            sleep_until(instant).await;
        }
    }

    /// `Retry-After`: no call before that, bounded by a quarter of an hour. Answers when calls may
    /// go again.
    pub fn hold_off(&self, pause: Duration) -> Instant {
        let until = Instant::now() + pause.min(LONGEST_REQUESTED_PAUSE);
        let mut state = self.state();
        state.not_before = state.not_before.max(Some(until));
        until
    }

    /// `CallRate-Remaining` and `CallRate-Reset`: that many calls are left for that long.
    pub fn learn(&self, remaining: u32, resets_in: Duration) {
        let now = Instant::now();
        let resets = now + resets_in.min(LONGEST_REQUESTED_PAUSE);
        let mut state = self.state();
        // Answers come out of order, and do not count the calls still under way: within a window
        // the lowest holds. A second's grace, because the reset is told in whole seconds.
        let known = state
            .window
            .as_ref()
            .filter(|known| known.resets > now && resets <= known.resets + Duration::from_secs(1))
            .map_or(u32::MAX, |known| known.remaining);
        state.window = Some(RateWindow {
            remaining: remaining.min(known),
            resets,
        });
    }

    fn state(&self) -> MutexGuard<'_, LimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LimiterState {
    /// When to ask again, if `calls` may not go now.
    fn wait(&mut self, calls: u32, now: Instant) -> Option<Instant> {
        self.window.take_if(|window| window.resets <= now);
        let window = self.window.as_ref();
        let spent = window
            .filter(|window| window.remaining < calls)
            .map(|window| window.resets);
        let early = self.rate.as_ref().map(|rate| rate.earliest(calls));
        [self.not_before, spent, early]
            .into_iter()
            .flatten()
            .filter(|instant| *instant > now)
            .max()
    }

    fn commit(&mut self, calls: u32, now: Instant) {
        if let Some(rate) = &mut self.rate {
            rate.due = rate.due.max(now) + rate.interval * calls;
        }
        if let Some(window) = &mut self.window {
            window.remaining = window.remaining.saturating_sub(calls);
        }
    }
}

impl CallRate {
    fn earliest(&self, calls: u32) -> Instant {
        let cost = self.interval * calls;
        match self.ahead.checked_sub(cost) {
            // A clock that began less than `lead` ago has nothing to wait for.
            Some(lead) => self.due.checked_sub(lead).unwrap_or(self.due),
            None => self.due + cost.saturating_sub(self.ahead),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn seconds_to_take(limiter: &RateLimiter, calls: u32) -> f64 {
        let begun = Instant::now();
        limiter.take(calls).await;
        begun.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_then_the_rate_holds() {
        let limiter = RateLimiter::new(Some(120));
        assert!(seconds_to_take(&limiter, 12).await < 0.001);
        let waited = seconds_to_take(&limiter, 1).await;
        assert!((0.499..0.51).contains(&waited), "{waited}");
        let begun = Instant::now();
        for _ in 0..120 {
            limiter.take(1).await;
        }
        let minute = begun.elapsed().as_secs_f64();
        assert!((59.0..61.0).contains(&minute), "{minute}");
    }

    #[tokio::test(start_paused = true)]
    async fn several_calls_are_taken_together_or_not_at_all() {
        let limiter = RateLimiter::new(Some(60));
        limiter.take(9).await;
        assert!(limiter.try_take(3).is_some());
        assert!(
            limiter.try_take(1).is_none(),
            "the refused three took nothing"
        );
        let waited = seconds_to_take(&limiter, 3).await;
        assert!((2.99..3.01).contains(&waited), "{waited}");
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_a_burst_waits_longer_but_not_for_ever() {
        let limiter = RateLimiter::new(Some(60));
        let waited = seconds_to_take(&limiter, 25).await;
        assert!((14.9..15.1).contains(&waited), "{waited}");
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_stops_every_call_until_it_is_over_and_is_bounded() {
        let limiter = RateLimiter::new(None);
        limiter.hold_off(Duration::from_secs(7));
        assert!(limiter.paused_until().is_some());
        let waited = seconds_to_take(&limiter, 1).await;
        assert!((6.99..7.01).contains(&waited), "{waited}");
        limiter.hold_off(Duration::from_secs(u64::MAX));
        let waited = seconds_to_take(&limiter, 1).await;
        assert!((899.0..901.0).contains(&waited), "{waited}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_exhausted_rate_limit_waits_for_its_reset_and_a_late_higher_figure_does_not_lift_it()
    {
        let limiter = RateLimiter::new(None);
        limiter.learn(2, Duration::from_secs(30));
        limiter.take(2).await;
        limiter.learn(5, Duration::from_secs(30));
        let waited = seconds_to_take(&limiter, 1).await;
        assert!((29.9..30.1).contains(&waited), "{waited}");
        assert!(
            seconds_to_take(&limiter, 100).await < 0.001,
            "a new window is not yet known"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_taker_has_taken_nothing() {
        let limiter = RateLimiter::new(Some(60));
        limiter.take(10).await;
        let waited = tokio::time::timeout(Duration::from_millis(100), limiter.take(10)).await;
        assert!(waited.is_err());
        let waited = seconds_to_take(&limiter, 1).await;
        assert!(waited < 1.0, "{waited}");
    }

    proptest! {
        #[test]
        fn no_minute_lets_through_more_than_the_rate_and_one_burst(
            per_minute in 1_u32..600, sizes in prop::collection::vec(1_u32..20, 1..60)
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time().start_paused(true).build().map_err(|error| TestCaseError::fail(error.to_string()))?;
            let (total, took) = runtime.block_on(async {
                let limiter = RateLimiter::new(Some(per_minute));
                let begun = Instant::now();
                let mut total = 0;
                for size in &sizes {
                    limiter.take(*size).await;
                    total += size;
                }
                (f64::from(total), begun.elapsed().as_secs_f64())
            });
            let burst = f64::from((per_minute / 10).max(10));
            prop_assert!(total <= burst + took * f64::from(per_minute) / 60.0 + 1.0);
        }
    }
}
