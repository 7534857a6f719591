//! A log that a person watches: what a run left as it was is told once for all of it, not account
//! by account.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// A run that is silent for so long has told of all that it left, or is held.
const SILENCE: Duration = Duration::from_secs(2);

/// Takes the accounts that a run left as they are out of the log, and tells their number.
#[derive(Clone, Debug, Default)]
pub(super) struct UnchangedDigest(Arc<DigestState>);

#[derive(Debug, Default)]
struct DigestState {
    runs: Mutex<BTreeMap<String, u64>>,
    came: Notify,
}

impl UnchangedDigest {
    /// Tells the numbers, for as long as the process runs.
    pub(super) async fn tell(self) {
        let Self(state) = self;
        loop {
            state.came.notified().await;
            let mut before = BTreeMap::new();
            loop {
                sleep(SILENCE).await;
                let silent = state.take_silent(&before);
                for (run, accounts) in &silent {
                    tracing::info!(
                        event = "run_unchanged",
                        run,
                        accounts,
                        "{accounts} accounts of the run are as they were; LOG_LEVEL=debug tells of each"
                    );
                }
                before = state.so_far();
                if before.is_empty() {
                    break;
                }
            }
        }
    }

    fn count(&self, run: String) {
        let Self(state) = self;
        *state.lock().entry(run).or_default() += 1;
        state.came.notify_one();
    }
}

impl DigestState {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u64>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn so_far(&self) -> BTreeMap<String, u64> {
        self.lock().clone()
    }

    /// The runs of which nothing came since `before`.
    fn take_silent(&self, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
        let mut runs = self.lock();
        let silent = runs.extract_if(.., |run, accounts| before.get(run) == Some(accounts));
        silent.collect()
    }
}

impl<S: Subscriber> Layer<S> for UnchangedDigest {
    fn event_enabled(&self, event: &Event<'_>, _context: Context<'_, S>) -> bool {
        if event.metadata().fields().field("result").is_none() {
            return true;
        }
        let mut fields = UnchangedFields::default();
        event.record(&mut fields);
        match fields.run.take().filter(|_| fields.are_unchanged()) {
            Some(run) => {
                self.count(run);
                false
            }
            None => true,
        }
    }
}

/// What an event says of an account that a run left as it is. A resync is asked for one account,
/// whose outcome somebody waits for.
const UNCHANGED: [(&str, &str); 4] = [
    ("event", "message_done"),
    ("kind", "user"),
    ("cause", "tick"),
    ("result", "unchanged"),
];

/// How much of [`UNCHANGED`] an event says, and of which run.
#[derive(Default)]
struct UnchangedFields {
    said: usize,
    run: Option<String>,
}

impl UnchangedFields {
    fn are_unchanged(&self) -> bool {
        self.said == UNCHANGED.len()
    }
}

impl Visit for UnchangedFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "run" {
            self.run = Some(value.to_owned());
        }
        self.said += usize::from(UNCHANGED.contains(&(field.name(), value)));
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use tracing_subscriber::{Registry, layer::SubscriberExt};

    use super::*;

    fn done(run: &str, kind: &str, cause: &str, result: &str) {
        tracing::info!(
            event = "message_done",
            kind = Some(kind),
            run = Some(run),
            cause = Some(cause),
            result = Some(result),
        );
    }

    /// Silent accounts by run, as far as they have come.
    fn counted(digest: &UnchangedDigest) -> Vec<(String, u64)> {
        digest.0.so_far().into_iter().collect()
    }

    #[test]
    fn what_a_run_left_as_it_was_is_counted_and_nothing_else() {
        let digest = UnchangedDigest::default();
        let subscriber = Registry::default().with(digest.clone());
        tracing::subscriber::with_default(subscriber, || {
            done("r1", "user", "tick", "unchanged");
            done("r1", "user", "tick", "unchanged");
            done("r2", "user", "tick", "unchanged");
            done("r1", "user", "tick", "applied");
            done("r1", "user", "resync", "unchanged");
            done("r1", "namespace", "tick", "unchanged");
            tracing::info!(event = "another", result = "unchanged", run = "r1");
        });
        let expected = [("r1".to_owned(), 2), ("r2".to_owned(), 1)];
        assert_eq!(counted(&digest), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_is_told_of_when_it_has_fallen_silent() {
        let digest = UnchangedDigest::default();
        let teller = tokio::spawn(digest.clone().tell());
        digest.count("r1".to_owned());
        for _ in 0..3 {
            advance(SILENCE).await;
            tokio::task::yield_now().await;
            digest.count("r1".to_owned());
        }
        assert_eq!(counted(&digest), [("r1".to_owned(), 4)], "it goes on");
        sleep(SILENCE * 3).await;
        assert_eq!(counted(&digest), []);
        teller.abort();
    }
}
