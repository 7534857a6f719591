//! Ends or silences the open streaming pulls, for tests.

use tokio::sync::watch;

/// What befalls the streaming pulls of a broker, for tests.
#[derive(Debug, Default)]
pub(super) struct StreamControls {
    /// Changes whenever every open stream is to end.
    resets: watch::Sender<u64>,
    /// Whether they stay open and bring nothing.
    muted: watch::Sender<bool>,
}

impl StreamControls {
    /// Ends every streaming pull that is open.
    pub(super) fn reset(&self) {
        self.resets.send_modify(|resets| *resets += 1);
    }

    /// Changes when the streams that are open now are to end.
    pub(super) fn resets(&self) -> watch::Receiver<u64> {
        self.resets.subscribe()
    }

    pub(super) fn mute(&self, muted: bool) {
        self.muted.send_replace(muted);
    }

    pub(super) fn muted(&self) -> watch::Receiver<bool> {
        self.muted.subscribe()
    }
}
