//! The switch that every write asks right before it begins.

use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{PauseNotice, PauseSource};
use crate::{moment::Moment, telemetry::causes};

/// How long after a reading the next one follows.
pub const READ_EVERY: Duration = Duration::from_secs(2);
/// How long a reading lets writes begin, counted from before it was asked for. Who sets the pause
/// waits for so long, and from then on no write begins.
pub const GOOD_FOR: Duration = Duration::from_secs(10);

/// Whether a write may begin now: the pause as this process read it last. Cheap to clone.
///
/// Nothing waits for a reading on the way to a write: where the newest one is too old, the write
/// does not begin, and whoever holds it waits in [`Self::passable`] for a newer one.
#[derive(Clone, Debug)]
pub struct WriteSwitch {
    /// `None` where there is nothing that could pause.
    state: Option<Arc<SwitchState>>,
}

/// Why no write may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum WritesHeld {
    Paused(PauseNotice),
    /// For how long the state has not been known, and why.
    Unknown(Duration, Option<String>),
}

#[derive(Debug, Default)]
struct SwitchState {
    seen: Mutex<SeenPause>,
    /// Told whenever a reading lets writes begin, under the lock of `seen`.
    opened: Notify,
}

#[derive(Debug, Default)]
struct SeenPause {
    newest: Option<PauseReading>,
    /// What was logged last.
    told: Option<PauseNotice>,
    /// Why the newest attempt to read failed.
    failure: Option<String>,
    told_unknown: bool,
}

/// What one reading said, and when it was asked for: its answer may have been on its way for long.
#[derive(Debug)]
struct PauseReading {
    begun: Moment,
    pause: Option<PauseNotice>,
}

impl WriteSwitch {
    /// A switch where there is nothing that could pause: for tests, and for whoever has no Pub/Sub.
    pub const fn unwatched() -> Self {
        Self { state: None }
    }

    /// Reads `source` now, and every [`READ_EVERY`] for as long as the switch lives.
    ///
    /// # Errors
    /// When the first reading failed.
    pub async fn watching<S: PauseSource>(source: S) -> Result<Self, S::Error> {
        let begun = Moment::now();
        let pause = source.read().await?;
        let state = Arc::<SwitchState>::default();
        state.learn(PauseReading { begun, pause });
        tokio::spawn(watch(source, Arc::downgrade(&state)));
        Ok(Self { state: Some(state) })
    }

    /// Why no write may begin now, in one line; `None` where one may.
    pub fn held_because(&self) -> Option<String> {
        let held = self.state.as_ref()?.seen().held()?;
        Some(held.to_string())
    }

    /// Itself, for whoever has to wait for it: `None` where a write may begin now.
    pub fn if_held(&self) -> Option<Self> {
        self.held_because().map(|_| self.clone())
    }

    /// The pause that was read last, for whoever tells of it.
    pub fn pause(&self) -> Option<PauseNotice> {
        let seen = self.state.as_ref()?.seen();
        seen.newest.as_ref()?.pause.clone()
    }

    /// Why it is not known whether writes are paused; `None` where it is.
    pub fn unknown_because(&self) -> Option<String> {
        match self.state.as_ref()?.seen().held()? {
            WritesHeld::Paused(_) => None,
            unknown @ WritesHeld::Unknown(..) => Some(unknown.to_string()),
        }
    }

    /// Waits until a write may begin.
    pub async fn passable(&self) {
        let Some(state) = &self.state else { return };
        loop {
            let mut opened = pin!(state.opened.notified());
            // Before the state is read, so that an opening in between is not missed.
            opened.as_mut().enable();
            if state.seen().held().is_none() {
                return;
            }
            opened.await;
        }
    }
}

/// Reads for as long as somebody has the switch.
async fn watch<S: PauseSource>(source: S, state: Weak<SwitchState>) {
    loop {
        sleep(READ_EVERY).await;
        if state.strong_count() == 0 {
            return;
        }
        let begun = Moment::now();
        let read = timeout(GOOD_FOR, source.read()).await;
        let Some(state) = state.upgrade() else {
            return;
        };
        match read {
            Ok(Ok(pause)) => state.learn(PauseReading { begun, pause }),
            Ok(Err(error)) => state.missed(causes::on_one_line(&error)),
            Err(_) => state.missed(format!("no answer came within {} s", GOOD_FOR.as_secs())),
        }
    }
}

impl SwitchState {
    fn learn(&self, reading: PauseReading) {
        let mut seen = self.seen();
        seen.learn(reading);
        if seen.held().is_none() {
            self.opened.notify_waiters();
        }
    }

    fn missed(&self, why: String) {
        self.seen().missed(why);
    }

    fn seen(&self) -> MutexGuard<'_, SeenPause> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SeenPause {
    fn held(&self) -> Option<WritesHeld> {
        let unknown = |age| WritesHeld::Unknown(age, self.failure.clone());
        let Some(PauseReading { begun, pause }) = &self.newest else {
            return Some(unknown(Duration::ZERO));
        };
        // A pause holds until a reading says that it is over, however old this one is.
        if let Some(pause) = pause {
            return Some(WritesHeld::Paused(pause.clone()));
        }
        let age = begun.age();
        (age >= GOOD_FOR).then(|| unknown(age))
    }

    fn learn(&mut self, reading: PauseReading) {
        let paused = if reading.pause.is_some() { 1.0 } else { 0.0 };
        metrics::gauge!("sync_paused").set(paused);
        self.failure = None;
        if std::mem::take(&mut self.told_unknown) {
            tracing::info!(
                event = "pause_known",
                "it is known again whether writes are paused"
            );
        }
        if self.told != reading.pause {
            tell(reading.pause.as_ref());
            self.told.clone_from(&reading.pause);
        }
        self.newest = Some(reading);
    }

    fn missed(&mut self, why: String) {
        self.failure = Some(why);
        if let Some(held @ WritesHeld::Unknown(..)) = self.held()
            && !std::mem::replace(&mut self.told_unknown, true)
        {
            tracing::error!(event = "pause_unknown", why = %held, "no write begins: {held}");
        }
    }
}

fn tell(pause: Option<&PauseNotice>) {
    let Some(pause) = pause else {
        tracing::info!(event = "resumed", "writes go on");
        return;
    };
    let since = pause.since.map(tracing::field::display);
    tracing::warn!(
        event = "paused",
        since,
        paused_by = pause.by,
        reason = pause.reason,
        "writes are {pause}: no write begins until `lookup-gitlab-sync resume`"
    );
}

impl fmt::Display for WritesHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused(pause) => {
                write!(
                    f,
                    "writes are {pause}; `lookup-gitlab-sync resume` lets them go on"
                )
            }
            Self::Unknown(age, why) => {
                let seconds = age.as_secs();
                write!(
                    f,
                    "whether writes are paused has not been known for {seconds} s"
                )?;
                match why {
                    Some(why) => write!(f, ": {why}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
