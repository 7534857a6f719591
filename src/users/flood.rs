//! How many resyncs this process writes for in an hour: the guard of what no run counts.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

const HOUR: Duration = Duration::from_hours(1);

/// The writes for resyncs in the last hour.
#[derive(Debug)]
pub struct Flood {
    allowed: usize,
    writes: Mutex<VecDeque<Instant>>,
}

impl Flood {
    /// Allows that many in any hour.
    pub fn new(allowed_per_hour: u32) -> Self {
        let allowed = usize::try_from(allowed_per_hour).unwrap_or(usize::MAX);
        Self {
            allowed,
            writes: Mutex::default(),
        }
    }

    /// Counts one more write; `false`, and nothing counted, when the hour's are used up.
    pub fn admit(&self) -> bool {
        let now = Instant::now();
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        while writes
            .front()
            .is_some_and(|at| now.duration_since(*at) >= HOUR)
        {
            writes.pop_front();
        }
        let admitted = writes.len() < self.allowed;
        if admitted {
            writes.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_hour_slides() {
        let flood = Flood::new(2);
        assert!(flood.admit());
        tokio::time::advance(Duration::from_mins(40)).await;
        assert!(flood.admit());
        assert!(!flood.admit());
        tokio::time::advance(Duration::from_mins(20)).await;
        assert!(flood.admit(), "the first write is an hour old");
        assert!(!flood.admit(), "the second is not");
    }
}
