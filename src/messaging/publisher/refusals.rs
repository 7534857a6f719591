//! Telling that Pub/Sub refuses what is published, until a person acts.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::messaging::PubSubError;

/// A refusal is told again after this long. A run may publish thousands of messages, each of which
/// is refused.
const PAUSE: Duration = Duration::from_mins(5);

/// The refusals that one publisher of a stage met.
#[derive(Debug, Default)]
pub(in crate::messaging) struct RefusalLog {
    told: Mutex<Option<Instant>>,
}

impl RefusalLog {
    /// Tells of `error`, unless it may pass by itself or one was told just now.
    pub(super) fn met(&self, topic: &str, error: &PubSubError) {
        if error.may_pass() {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        *told = Some(Instant::now());
        tracing::error!(
            event = "publish_refused",
            topic,
            %error,
            "nothing is published there until a person acts"
        );
    }
}
