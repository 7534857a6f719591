//! A point in time by the monotonic clock and by the wall clock.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::time::Instant;

/// A moment by both clocks. The monotonic one stands still while a machine sleeps, the other may be
/// set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// The larger age of the two: a clock that was set back says nothing of it, and one that ran on
    /// says all.
    pub(crate) fn age(&self) -> Duration {
        let by_wall = self.wall.elapsed().unwrap_or_default();
        self.monotonic.elapsed().max(by_wall)
    }

    /// The same where the machine slept for `slept` afterwards: the monotonic clock stood still.
    #[cfg(test)]
    pub(crate) fn as_if_slept(self, slept: Duration) -> Self {
        Self {
            wall: self.wall - slept,
            ..self
        }
    }

    /// When it was by the wall clock; `None` where no calendar reaches.
    pub(crate) fn wall(&self) -> Option<Timestamp> {
        self.wall.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What may be expected to pass within a test, however slow the machine.
    const LONG: Duration = Duration::from_mins(10);

    #[tokio::test]
    async fn a_machine_that_slept_has_no_fresh_look() {
        let awake = Moment::now();
        assert!(awake.age() < LONG);
        assert!(Moment::now().as_if_slept(LONG).age() >= LONG);
        // A clock that was set back says nothing of the age.
        let set_back = Moment {
            wall: SystemTime::now() + LONG,
            ..Moment::now()
        };
        assert!(set_back.age() < LONG);
    }
}
