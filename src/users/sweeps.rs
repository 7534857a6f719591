//! How a run comes by its sweep: light where the last one is known, full at the start of the
//! process, once a day, and wherever light does not do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use metrics::counter;

use super::{
    kept_view::KeptView,
    light_sweep::{LightSweep, LightSweeping},
    rules::Rules,
    sweep::{Progress, Sweep, SweepError},
    sweeping::Sweeping,
};
use crate::{
    config::{SweepConfig, SweepKind},
    directory::Directory,
    gitlab,
    moment::Moment,
};

/// Ids named in one line of the log, at most.
const NAMED: usize = 10;

/// The sweeps of one process, one at a time.
#[derive(Debug)]
pub struct Sweeps {
    gitlab: gitlab::Client,
    directory: Arc<dyn Directory>,
    rules: Arc<Rules>,
    config: SweepConfig,
    state: Mutex<SweepsState>,
}

#[derive(Debug, Default)]
struct SweepsState {
    /// A full sweep that was interrupted; the next run goes on with it.
    interrupted: Option<(Sweeping, Moment)>,
    /// What the last sweep saw.
    view: Option<Arc<KeptView>>,
    /// Why the last light sweep did not do; said once.
    told: Option<String>,
}

impl Sweeps {
    /// Of these two sides, as `config` says.
    pub fn new(
        gitlab: gitlab::Client,
        directory: Arc<dyn Directory>,
        rules: Arc<Rules>,
        config: SweepConfig,
    ) -> Self {
        Self {
            gitlab,
            directory,
            rules,
            config,
            state: Mutex::default(),
        }
    }

    /// Reads all of both sides, telling `progress` how far it is.
    ///
    /// # Errors
    /// See [`SweepError`]; read again, it goes on from where it was, if that is not too long ago.
    pub async fn read(
        &self,
        now: Timestamp,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Sweep, SweepError> {
        if let Some(view) = self.usable_view() {
            let directory = Arc::clone(&self.directory);
            let light = LightSweeping::new(&self.gitlab, directory, &self.rules, &view, now);
            match light.run(progress).await? {
                LightSweep::Whole { sweep, exact } => {
                    self.keep(view.after(&sweep));
                    swept("light", &sweep, exact);
                    return Ok(sweep);
                }
                LightSweep::NeedsFull(why) => self.tell(why),
            }
        }
        self.full(now, progress).await
    }

    async fn full(
        &self,
        now: Timestamp,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Sweep, SweepError> {
        let interrupted = self.state().interrupted.take();
        let (sweeping, began) = interrupted.unwrap_or_else(|| {
            let sweeping = Sweeping::new(Arc::clone(&self.directory), Arc::clone(&self.rules));
            (sweeping, Moment::now())
        });
        let read = sweeping
            .to_the_end(&self.gitlab, now, self.config.max_age, progress)
            .await;
        let sweep = read.map_err(|stopped| {
            let so_far = stopped.so_far.map(|so_far| (*so_far, began));
            self.state().interrupted = so_far;
            stopped.error
        })?;
        if self.config.kind == SweepKind::Light {
            self.check_view(&sweep);
            self.keep(KeptView::of(&sweep, began));
        }
        swept("full", &sweep, sweep.accounts.len());
        Ok(sweep)
    }

    /// What a light sweep can start from.
    fn usable_view(&self) -> Option<Arc<KeptView>> {
        let state = self.state();
        let view = state.view.as_ref()?;
        let is_usable = state.interrupted.is_none() && view.age() < self.config.full_every;
        is_usable.then(|| Arc::clone(view))
    }

    fn keep(&self, view: KeptView) {
        self.state().view = Some(Arc::new(view));
    }

    /// Says what the light sweeps since the last full one could not see.
    fn check_view(&self, sweep: &Sweep) {
        let Some(view) = self.state().view.clone() else {
            return;
        };
        let unseen = view.unseen(sweep);
        if unseen.is_empty() {
            return;
        }
        let accounts = unseen.len();
        let ids: Vec<_> = unseen.iter().take(NAMED).map(ToString::to_string).collect();
        let gitlab_user_ids = ids.join(" ");
        tracing::info!(
            event = "sweep_found_unseen",
            accounts,
            gitlab_user_ids,
            "{accounts} accounts got other identities or attributes since the last full sweep, which light ones do not \
             see: {gitlab_user_ids}"
        );
    }

    fn tell(&self, why: String) {
        let mut state = self.state();
        if state.told.as_ref() != Some(&why) {
            tracing::warn!(
                event = "light_sweep_unavailable",
                why,
                "the run reads all of GitLab by REST, which costs it seven times as much: {why}"
            );
            state.told = Some(why);
        }
    }

    fn state(&self) -> MutexGuard<'_, SweepsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn swept(kind: &'static str, sweep: &Sweep, exact: usize) {
    counter!("sync_sweeps_total", "kind" => kind).increment(1);
    tracing::info!(
        event = "swept",
        kind,
        accounts = sweep.accounts.len(),
        exact,
        "read {} accounts, {exact} of them exactly ({kind} sweep)",
        sweep.accounts.len()
    );
}
