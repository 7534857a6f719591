//! What time it is by an upstream's answers, beside what this machine says.

use std::sync::{
    Once,
    atomic::{AtomicBool, Ordering},
};

use jiff::{SignedDuration, Timestamp, Unit};
use reqwest::header::{AGE, DATE, HeaderMap};

use super::{Fault, UpstreamResponse, retry_after};
use crate::gate::ErrorKind;

/// How far two clocks may lie apart. Beyond it 24 hours and 24 months are not what they seem, and
/// nothing is decided.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Whether an upstream says what time it is, and whether its word counts.
#[derive(Debug, Default)]
pub(super) struct Clock {
    counts: AtomicBool,
    silent: AtomicBool,
}

impl Clock {
    /// From now on an answer with another time than ours is refused.
    pub(super) fn count(&self) {
        self.counts.store(true, Ordering::Relaxed);
    }

    /// Whether the last good answer had no `Date`, as those of a bare application server have none.
    pub(super) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    /// Learns from an answer, and says why it may decide nothing.
    pub(super) fn objection(&self, answer: &UpstreamResponse, now: Timestamp) -> Option<Fault> {
        if !answer.status.is_success() {
            return None;
        }
        let theirs = said(&answer.headers);
        self.silent.store(theirs.is_none(), Ordering::Relaxed);
        if !self.counts.load(Ordering::Relaxed) {
            return None;
        }
        let theirs = theirs.filter(|theirs| now.duration_since(*theirs).abs() > TOLERANCE)?;
        Some(skewed(theirs, now))
    }
}

fn skewed(theirs: Timestamp, ours: Timestamp) -> Fault {
    let ours = ours.round(Unit::Second).unwrap_or(ours);
    let what = format!("answered at {theirs}, when this machine's clock said {ours}");
    Fault::new(ErrorKind::ClockSkew, what)
}

/// The time of an answer (RFC 9110, section 6.6.1). One out of a cache tells of another moment.
fn said(headers: &HeaderMap) -> Option<Timestamp> {
    if headers.contains_key(AGE) {
        return None;
    }
    let date = headers.get(DATE)?.to_str().ok()?;
    retry_after::http_date(date)
}

/// Says, once in a process, that no upstream tells the time.
pub fn warn_without_clock() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        tracing::warn!(
            event = "clock_unchecked",
            "neither GitLab nor the directory gives the time in its answers, so this machine's clock is not \
             checked: put GitLab behind its usual front end, and keep the clock by NTP"
        );
    });
}
