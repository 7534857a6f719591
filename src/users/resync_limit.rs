//! How many resyncs this process writes for in an hour: the guard of what no run counts.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

const HOUR: Duration = Duration::from_hours(1);

/// The resyncs that were to write in the last hour.
#[derive(Debug)]
pub struct ResyncLimit {
    allowed: usize,
    resyncs: Mutex<VecDeque<(Instant, String)>>,
}

impl ResyncLimit {
    /// Allows that many in any hour.
    pub fn new(allowed_per_hour: u32) -> Self {
        let allowed = usize::try_from(allowed_per_hour).unwrap_or(usize::MAX);
        Self {
            allowed,
            resyncs: Mutex::default(),
        }
    }

    /// Counts the resync `message`; `false`, and nothing counted, when the hour's are used up.
    ///
    /// One that was held, delivered again or had to look again counts once: an outage uses up no
    /// limit.
    pub fn admit(&self, message: &str) -> bool {
        let now = Instant::now();
        let mut resyncs = self.resyncs.lock().unwrap_or_else(PoisonError::into_inner);
        while resyncs
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) >= HOUR)
        {
            resyncs.pop_front();
        }
        if resyncs.iter().any(|(_, counted)| counted == message) {
            return true;
        }
        let admitted = resyncs.len() < self.allowed;
        if admitted {
            resyncs.push_back((now, message.to_owned()));
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_hour_slides() {
        let limit = ResyncLimit::new(2);
        assert!(limit.admit("m1"));
        tokio::time::advance(Duration::from_mins(40)).await;
        assert!(limit.admit("m2"));
        assert!(!limit.admit("m3"));
        tokio::time::advance(Duration::from_mins(20)).await;
        assert!(limit.admit("m3"), "the first is an hour old");
        assert!(!limit.admit("m4"), "the second is not");
    }

    #[tokio::test(start_paused = true)]
    async fn a_resync_that_starts_again_counts_once() {
        let limit = ResyncLimit::new(2);
        for _ in 0..100 {
            assert!(limit.admit("held"));
        }
        assert!(limit.admit("another"));
        assert!(!limit.admit("one too many"));
        assert!(limit.admit("held"), "what was counted may go on");
    }
}
