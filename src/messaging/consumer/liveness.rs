//! Whether a consumer still consumes.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// So often in a row something is found wrong before the process is to be replaced: what passes by
/// itself, such as a subscription that is being made anew, has passed then.
const FINDINGS_TO_DIE_OF: u32 = 3;

/// Whether a pull loop still gets what its subscription has for it. Cheap to clone; `/livez` and
/// `/readyz` read it.
///
/// The client reopens streams by itself and says nothing, so a loop that waits looks the same as
/// one cut off. Three things tell them apart: a delivery; while none comes, an answer about the
/// subscription, which must also be what the stage needs; and what a pull of our own finds beside
/// the stream. Waiting at a gate leaves it alive.
#[derive(Clone, Debug)]
pub struct Liveness {
    shared: Arc<LivenessState>,
}

#[derive(Debug)]
struct LivenessState {
    started: Instant,
    /// Milliseconds after `started`.
    last_sign: AtomicU64,
    /// How often in a row a message waited in the subscription that no stream had brought.
    deaf: AtomicU64,
    topology: Mutex<TopologyFindings>,
}

/// What the subscription and all around it were last found to be.
#[derive(Debug, Default)]
struct TopologyFindings {
    /// What is wrong, in one line.
    wrong: Option<String>,
    /// How often in a row something was.
    findings: u32,
}

impl Liveness {
    pub(super) fn new() -> Self {
        Self {
            shared: Arc::new(LivenessState {
                started: Instant::now(),
                last_sign: AtomicU64::new(0),
                deaf: AtomicU64::new(0),
                topology: Mutex::default(),
            }),
        }
    }

    /// Time since the last delivery or answer.
    pub fn silence(&self) -> Duration {
        let last = Duration::from_millis(self.shared.last_sign.load(Ordering::Relaxed));
        self.shared.started.elapsed().saturating_sub(last)
    }

    /// Whether messages reach the stage, as far as is known.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub fn ready(&self) -> Result<(), String> {
        self.at_most(0)
    }

    /// [`Self::ready`], until it has been otherwise three times in a row.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub fn live(&self) -> Result<(), String> {
        self.at_most(FINDINGS_TO_DIE_OF - 1)
    }

    fn at_most(&self, findings: u32) -> Result<(), String> {
        let topology = self.topology();
        if let Some(wrong) = topology
            .wrong
            .as_ref()
            .filter(|_| topology.findings > findings)
        {
            return Err(wrong.clone());
        }
        if self.deaf() > u64::from(findings) {
            return Err("messages wait in the subscription and none is delivered".to_owned());
        }
        Ok(())
    }

    /// Pub/Sub has answered.
    pub(super) fn sign(&self) {
        let now = u64::try_from(self.shared.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.shared.last_sign.store(now, Ordering::Relaxed);
    }

    /// The stream has delivered.
    pub(super) fn delivered(&self) {
        self.sign();
        self.nothing_waits();
    }

    /// A message waited that no stream had brought. Returns how often in a row this was so.
    pub(super) fn message_waited(&self) -> u64 {
        self.shared.deaf.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// No message waits that the stream should have brought.
    pub(super) fn nothing_waits(&self) {
        self.shared.deaf.store(0, Ordering::Relaxed);
    }

    /// See [`Self::message_waited`].
    pub(super) fn deaf(&self) -> u64 {
        self.shared.deaf.load(Ordering::Relaxed)
    }

    /// What is wrong with the subscription and all around it now. Returns whether that is news.
    pub(super) fn found(&self, wrong: Option<&str>) -> bool {
        let mut topology = self.topology();
        let is_news = topology.wrong.as_deref() != wrong;
        topology.findings = match wrong {
            Some(_) => topology.findings.saturating_add(1),
            None => 0,
        };
        topology.wrong = wrong.map(str::to_owned);
        is_news
    }

    fn topology(&self) -> MutexGuard<'_, TopologyFindings> {
        self.shared
            .topology
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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

    #[tokio::test]
    async fn one_message_that_no_stream_brought_makes_unready_and_three_in_a_row_dead() {
        let liveness = Liveness::new();
        assert_eq!(liveness.message_waited(), 1);
        assert!(liveness.ready().is_err() && liveness.live().is_ok());
        assert_eq!(liveness.message_waited(), 2);
        liveness.delivered();
        assert!(liveness.ready().is_ok());
        for _ in 0..3 {
            liveness.message_waited();
        }
        assert!(liveness.live().is_err());
        liveness.nothing_waits();
        assert!(liveness.live().is_ok());
    }

    #[tokio::test]
    async fn what_is_wrong_with_the_subscription_is_news_once_and_no_delivery_heals_it() {
        let liveness = Liveness::new();
        let wrong = || Some("subscription s: missing");
        assert!(!liveness.found(None));
        assert!(liveness.found(wrong()));
        assert!(!liveness.found(wrong()));
        liveness.delivered();
        assert_eq!(liveness.ready(), Err("subscription s: missing".to_owned()));
        assert!(liveness.live().is_ok());
        assert!(!liveness.found(wrong()));
        assert!(liveness.live().is_err());
        assert!(liveness.found(None));
        assert!(liveness.ready().is_ok());
    }
}
