//! A start-up that waits for the network.
//!
//! Behind Direct VPC egress of Cloud Run the first connections of an instance may fail for a minute
//! and longer. What may pass is tried again, told, and shown by `/readyz`; what does not pass by
//! itself ends the process at once.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use backoff::{BackoffBuilder as _, ExponentialBuilder};
use tokio::time::{Instant, sleep, sleep_until};

use super::error::AppError;
use crate::telemetry::{HealthChecks, causes};

/// How long a start-up is tried. Then the process ends, so that what watches for exits is told.
const START_PATIENCE: Duration = Duration::from_mins(5);
/// The pause after the first attempt that failed, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// How long nothing is told of an attempt that has not failed yet.
const SLOW: Duration = Duration::from_secs(10);
/// How often it is told that the same is still waited for.
const TELL_AGAIN: Duration = Duration::from_mins(1);

/// What a start-up waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartStep {
    /// Pub/Sub, a first token of Google Cloud's included.
    PubSub,
    /// GitLab's word about its tokens, which is not waited for long.
    Tokens,
    /// The ledger.
    LedgerDatabase,
    /// The database with GitLab's tables.
    ProvisioningDatabase,
}

impl StartStep {
    /// As logs and `/readyz` name it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::PubSub => "pubsub",
            Self::Tokens => "gitlab",
            Self::LedgerDatabase => "ledger-database",
            Self::ProvisioningDatabase => "provisioning-database",
        }
    }

    /// What to look at where it is waited for.
    const fn remedy(self) -> &'static str {
        match self {
            Self::PubSub => {
                "check that this machine reaches Pub/Sub and Google's token server: the VPC's route, Private Google \
                 Access, DNS, PUBSUB_EMULATOR_HOST"
            }
            Self::Tokens => "check that this machine reaches GitLab",
            Self::LedgerDatabase => {
                "check that the server in namespaces.ledger_database_url runs and that this machine reaches it"
            }
            Self::ProvisioningDatabase => {
                "check that the server in namespaces.provisioning_database_url runs and that this machine reaches it"
            }
        }
    }
}

/// How far a start-up has come. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct StartProgress(Arc<Mutex<ProgressState>>);

#[derive(Debug, Default)]
struct ProgressState {
    /// When the start-up began, and when the step did that goes on now.
    began: Option<Instant>,
    step: Option<(StartStep, Instant)>,
    /// The step that failed last, and why, until an attempt has passed it.
    failure: Option<(StartStep, String)>,
    /// What was told last, and when.
    told: Option<(StartStep, Instant)>,
    is_done: bool,
}

impl StartProgress {
    /// Readiness shows it until it is [`Self::done`].
    pub(super) fn shown_by(health: &HealthChecks) -> Self {
        let progress = Self::default();
        let shown = progress.clone();
        health.register_readiness("start", move || std::future::ready(shown.ready()));
        progress
    }

    /// What goes on from now on.
    pub(super) fn waits_for(&self, step: StartStep) {
        let now = Instant::now();
        let mut state = self.state();
        state.began.get_or_insert(now);
        let Some((last, _)) = state.step.filter(|(last, _)| *last != step) else {
            state.step.get_or_insert((step, now));
            return;
        };
        if state
            .failure
            .as_ref()
            .is_some_and(|(failed, _)| *failed == last)
        {
            state.failure = None;
        }
        state.step = Some((step, now));
    }

    /// Everything is there.
    pub(super) fn done(&self) {
        *self.state() = ProgressState {
            is_done: true,
            ..ProgressState::default()
        };
    }

    fn failed(&self, error: &AppError) {
        let mut state = self.state();
        // The next attempt begins at the first step: it goes back, and has not passed this one.
        if let Some((step, _)) = state.step.take() {
            state.failure = Some((step, causes::on_one_line(error)));
        }
    }

    fn ready(&self) -> Result<(), String> {
        let state = self.state();
        if state.is_done {
            return Ok(());
        }
        let Some((step, why)) = state.waits() else {
            return Err("begins".to_owned());
        };
        let (step, seconds) = (step.as_str(), state.seconds());
        Err(format!("waits for {step} for {seconds} s: {why}"))
    }

    /// One line for what is waited for, and one a minute while that lasts.
    fn tell(&self) {
        let mut state = self.state();
        let Some((step, why)) = state.waits() else {
            return;
        };
        let is_recent =
            |(told, at): (StartStep, Instant)| told == step && at.elapsed() < TELL_AGAIN;
        if state.told.is_some_and(is_recent) {
            return;
        }
        state.told = Some((step, Instant::now()));
        let (seconds, remedy) = (state.seconds(), step.remedy());
        drop(state);
        let step = step.as_str();
        tracing::warn!(
            event = "start_waits",
            waits_for = step,
            seconds,
            why,
            "the start waits for {step} and tries again: {why}; {remedy}"
        );
    }

    /// When it is time to tell of a step that neither ends nor fails.
    fn tells_at(&self) -> Instant {
        let state = self.state();
        match (state.step, state.told) {
            (Some((step, _)), Some((told, at))) if told == step => at + TELL_AGAIN,
            (Some((_, since)), _) => since + SLOW,
            (None, _) => Instant::now() + SLOW,
        }
    }

    fn state(&self) -> MutexGuard<'_, ProgressState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProgressState {
    fn waits(&self) -> Option<(StartStep, String)> {
        let unanswered = || Some((self.step?.0, "no answer yet".to_owned()));
        self.failure.clone().or_else(unanswered)
    }

    fn seconds(&self) -> u64 {
        self.began.map_or(0, |began| began.elapsed().as_secs())
    }
}

/// Attempts a start-up until it succeeds.
///
/// # Errors
/// What does not pass by itself, at once; what may pass, after [`START_PATIENCE`].
pub(super) async fn until_prepared<T>(
    progress: &StartProgress,
    prepare: impl AsyncFnMut() -> Result<T, AppError>,
) -> Result<T, AppError> {
    tokio::select! {
        prepared = attempts(progress, prepare) => prepared,
        never = tell_of_slow_steps(progress) => match never {},
    }
}

async fn tell_of_slow_steps(progress: &StartProgress) -> Infallible {
    loop {
        sleep_until(progress.tells_at()).await;
        progress.tell();
    }
}

async fn attempts<T>(
    progress: &StartProgress,
    mut prepare: impl AsyncFnMut() -> Result<T, AppError>,
) -> Result<T, AppError> {
    let until = Instant::now() + START_PATIENCE;
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(PAUSES.0)
        .with_max_delay(PAUSES.1)
        .with_jitter()
        .without_max_times()
        .build();
    loop {
        let error = match prepare().await {
            Ok(prepared) => return Ok(prepared),
            Err(error) => error,
        };
        let pause = pauses.next().unwrap_or(PAUSES.1);
        if !error.may_pass() || Instant::now() + pause >= until {
            return Err(error);
        }
        progress.failed(&error);
        progress.tell();
        sleep(pause).await;
    }
}

#[cfg(test)]
mod tests;
