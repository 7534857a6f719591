//! Asking what has become of a stage's subscription.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Liveness;
use crate::messaging::{Stage, Topology, error::chain};

/// Asks, again and again, what has become of a stage's subscription and of all else it needs.
///
/// Google's emulator lets a stream stand whose subscription is gone, and Pub/Sub delivers nothing
/// to one that was given a push endpoint: from the stream alone nobody would know.
pub(super) struct Watch {
    pub(super) topology: Topology,
    pub(super) stage: Stage,
    pub(super) liveness: Liveness,
    pub(super) every: Duration,
}

impl Watch {
    /// Asks until `stopping`. `mended` is called when all is well again after something was wrong:
    /// a stream that was open meanwhile may hang on a subscription that is no more.
    pub(super) async fn run(self, stopping: CancellationToken, mended: impl Fn()) {
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(self.every) => {}
            }
            let answer = tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                answer = self.topology.what_is_lost(self.stage) => answer,
            };
            match answer {
                Ok(wrong) => {
                    self.liveness.sign();
                    if self.tell(wrong.as_deref()) {
                        mended();
                    }
                }
                Err(error) => {
                    let silent_s = self.liveness.silence().as_secs();
                    warn!(event = "pubsub_silent", stage = %self.stage, silent_s, why = chain(&error));
                }
            }
        }
    }

    /// Whether all is well again.
    fn tell(&self, wrong: Option<&str>) -> bool {
        if !self.liveness.found(wrong) {
            return false;
        }
        if let Some(why) = wrong {
            error!(event = "topology_lost", stage = %self.stage, why, "messages are lost, or none come");
        } else {
            info!(event = "topology_mended", stage = %self.stage);
        }
        wrong.is_none()
    }
}
