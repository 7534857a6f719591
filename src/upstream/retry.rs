//! When a read that failed is tried again.

use std::time::Duration;

use backoff::{BackoffBuilder, ExponentialBuilder};

use super::Fault;

/// The first pause between attempts of a read, before jitter.
const FIRST_RETRY: Duration = Duration::from_millis(200);
/// The longest, before jitter.
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// The longest `Retry-After` that a read waits out in place. Beyond it the message is held instead.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The pauses between so many attempts.
pub(super) fn pauses(attempts: usize) -> impl Iterator<Item = Duration> + use<> {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_RETRY)
        .with_max_delay(LONGEST_RETRY)
        .with_max_times(attempts.saturating_sub(1))
        .with_jitter()
        .build()
}

/// How long to wait before the next attempt; `None` if there is none.
pub(super) fn pause_before_next(fault: &Fault, next: Option<Duration>) -> Option<Duration> {
    let pause = next.filter(|_| fault.kind.is_transient())?;
    let pause = fault.retry_after.map_or(pause, |asked| asked.max(pause));
    (pause <= LONGEST_WAIT).then_some(pause)
}
