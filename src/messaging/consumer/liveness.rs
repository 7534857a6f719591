use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// When a pull loop last showed that Pub/Sub still reaches it. Cheap to clone; `/livez` reads it.
///
/// The client reopens streams by itself and says nothing, so a loop that waits looks the same as one cut off. A delivery
/// or, while none comes, an answer about the subscription resets this. Waiting at a gate leaves it moving.
#[derive(Clone, Debug)]
pub struct Liveness {
    started: Instant,
    /// Milliseconds after `started`.
    last_sign: Arc<AtomicU64>,
}

impl Liveness {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            last_sign: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Time since the last sign.
    pub fn silence(&self) -> Duration {
        let last = Duration::from_millis(self.last_sign.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(last)
    }

    pub(super) fn sign(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_sign.store(now, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_grows_until_the_next_sign() {
        let liveness = Liveness::new();
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(liveness.silence(), Duration::from_secs(40));
        liveness.sign();
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(liveness.clone().silence(), Duration::from_secs(2));
    }
}
