//! Until when a plan may be applied: the worker's half of the guard's promise.
//!
//! A run counts what it changes itself, what we changed in the last 24 hours, and what earlier runs
//! may still change. The last of these needs an end, and here it is.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How far the clocks of fan-out and worker may differ: each of them at most five minutes from
/// GitLab's.
pub const CLOCKS: SignedDuration = SignedDuration::from_mins(10);

/// Which plans have lapsed, as far as one worker process can tell.
#[derive(Debug)]
pub struct Lapse {
    after: SignedDuration,
    newest: Mutex<Option<Timestamp>>,
}

impl Lapse {
    /// A plan lapses `after` so long, or once a message of a later one has been seen.
    pub fn new(after: SignedDuration) -> Self {
        Self {
            after,
            newest: Mutex::new(None),
        }
    }

    /// Takes note of a plan that may be applied. One from the future is no plan of ours and makes
    /// no other one lapse.
    pub fn saw(&self, planned_at: Timestamp, now: Timestamp) {
        if planned_at.duration_since(now) <= CLOCKS {
            let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            *newest = (*newest).max(Some(planned_at));
        }
    }

    /// Which plans may be applied as things stand.
    pub fn validity(&self) -> PlanValidity {
        PlanValidity {
            after: self.after,
            newest: *self.newest.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// Which plans may be applied, given the plans that were seen so far.
#[derive(Clone, Copy, Debug)]
pub struct PlanValidity {
    after: SignedDuration,
    newest: Option<Timestamp>,
}

impl PlanValidity {
    /// Where no plan was seen yet: one lapses `after` so long.
    pub const fn unseen(after: SignedDuration) -> Self {
        Self {
            after,
            newest: None,
        }
    }

    /// Whether a plan of that moment may not be applied any more at `now`. One that does not say
    /// when it was made has lapsed: nobody knows which run still counts it.
    pub fn is_over(&self, planned_at: Option<Timestamp>, now: Timestamp) -> bool {
        let Some(planned_at) = planned_at else {
            return true;
        };
        let age = now.duration_since(planned_at);
        let superseded = self.newest.is_some_and(|newest| planned_at < newest);
        age > self.after || age < -CLOCKS || superseded
    }
}
