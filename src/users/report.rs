//! What a run tells of itself before it has an end, for who follows it: that it reads, and that it
//! waits.

use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

use super::sweep::Progress;
use crate::{
    gate::Gate,
    messaging::{
        Delivery, Stage,
        consumer::Records,
        wire::{OutcomeKind, SyncOutcome},
    },
};

/// How often a run that reads says how far it is.
const READING: Duration = Duration::from_secs(10);
/// How often a run that waits says so. A follower gives up after a minute of silence.
const HELD: Duration = Duration::from_secs(30);

/// Where runs tell of themselves.
#[derive(Default)]
pub struct Reports {
    records: Option<Arc<dyn Records>>,
    /// The run that waits at a gate; nobody calls its handler meanwhile, so a task speaks for it.
    held: Mutex<Option<Speaker>>,
}

/// A task that ends with this.
struct Speaker(JoinHandle<()>);

impl Drop for Speaker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reports {
    /// Reports that go where records go.
    pub fn to(records: Arc<dyn Records>) -> Self {
        Self {
            records: Some(records),
            held: Mutex::default(),
        }
    }

    /// Waits for `reading`, and meanwhile tells of its progress: at once, and then every ten
    /// seconds.
    pub async fn while_reading<T>(
        &self,
        delivery: &Delivery,
        progress: impl Fn() -> Progress,
        reading: impl Future<Output = T>,
    ) -> T {
        let mut reading = pin!(reading);
        let mut every = interval(READING);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                done = &mut reading => return done,
                _ = every.tick() => self.reading(delivery, progress()),
            }
        }
    }

    /// The run waits at `gate`: says so now, and every half minute until [`Self::goes_on`].
    pub fn held(&self, delivery: &Delivery, gate: &Gate, why: &str) {
        let Some(records) = self.records.clone() else {
            return;
        };
        let mut outcome = outcome(OutcomeKind::RunHeld, delivery);
        outcome.gate = Some(format!(
            "{} {}",
            gate.upstream().as_str(),
            gate.side().as_str()
        ));
        outcome.detail = Some(gate.closed_because().unwrap_or_else(|| why.to_owned()));
        let traceparent = delivery.continue_trace();
        let speaking = tokio::spawn(async move {
            loop {
                outcome.at = Some(Timestamp::now().to_string());
                records.record(&outcome, &traceparent);
                sleep(HELD).await;
            }
        });
        *self.speaker() = Some(Speaker(speaking));
    }

    /// Whoever waited is worked on again.
    pub fn goes_on(&self) {
        *self.speaker() = None;
    }

    fn reading(&self, delivery: &Delivery, progress: Progress) {
        let Some(records) = &self.records else {
            return;
        };
        let outcome = SyncOutcome {
            pages: Some(progress.pages),
            accounts: Some(progress.accounts),
            people: Some(progress.people),
            ..outcome(OutcomeKind::RunReading, delivery)
        };
        records.record(&outcome, &delivery.continue_trace());
    }

    fn speaker(&self) -> MutexGuard<'_, Option<Speaker>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reports")
    }
}

fn outcome(kind: OutcomeKind, delivery: &Delivery) -> SyncOutcome {
    SyncOutcome {
        kind: Some(kind.as_str().to_owned()),
        run: Some(delivery.run().to_owned()),
        stage: Some(Stage::FanOut.as_str().to_owned()),
        message_id: Some(delivery.message_id.clone()),
        delivery_attempt: delivery.delivery_attempt,
        at: Some(Timestamp::now().to_string()),
        ..SyncOutcome::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        gate::{CallKind, ErrorKind, UpstreamId},
        messaging::Traceparent,
        upstream::Fault,
    };

    #[derive(Default)]
    struct Kept(Mutex<Vec<SyncOutcome>>);

    impl Records for Kept {
        fn record(&self, record: &SyncOutcome, _: &Traceparent) {
            self.0.lock().unwrap().push(record.clone());
        }
    }

    fn delivery() -> Delivery {
        Delivery {
            message_id: "m1".to_owned(),
            body: "{}".into(),
            attributes: BTreeMap::from([("run".to_owned(), "r1".to_owned())]),
            publish_time: None,
            delivery_attempt: Some(1),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_says_that_it_begins_to_read_and_then_how_far_it_is() {
        let kept = Arc::new(Kept::default());
        let reports = Reports::to(Arc::clone(&kept) as Arc<dyn Records>);
        let progress = || Progress {
            pages: 3,
            accounts: 300,
            people: 200,
        };
        let reading = sleep(Duration::from_secs(25));
        reports.while_reading(&delivery(), progress, reading).await;
        let told = kept.0.lock().unwrap();
        assert_eq!(told.len(), 3, "at 0, 10 and 20 s");
        for outcome in told.iter() {
            assert_eq!(outcome.kind.as_deref(), Some("run_reading"));
            assert_eq!(outcome.run.as_deref(), Some("r1"));
            assert_eq!(outcome.stage.as_deref(), Some("fan-out"));
            assert_eq!(
                (outcome.pages, outcome.accounts, outcome.people),
                (Some(3), Some(300), Some(200))
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_is_held_names_its_gate_and_why_until_it_goes_on() {
        let kept = Arc::new(Kept::default());
        let reports = Reports::to(Arc::clone(&kept) as Arc<dyn Records>);
        let gate = Gate::new(UpstreamId::GitLab, CallKind::Read);
        let fault = Fault::new(ErrorKind::Unauthenticated, "answered 401");
        let guard = gate.enter().unwrap();
        guard.failed(&fault.at_gate("GitLab answered 401: check GITLAB_TOKEN"));
        reports.held(&delivery(), &gate, "unused: the gate says why it is closed");
        sleep(Duration::from_secs(65)).await;
        reports.goes_on();
        sleep(Duration::from_mins(5)).await;
        let told = kept.0.lock().unwrap();
        assert_eq!(told.len(), 3, "at 0, 30 and 60 s");
        for outcome in told.iter() {
            assert_eq!(outcome.kind.as_deref(), Some("run_held"));
            assert_eq!(outcome.gate.as_deref(), Some("gitlab read"));
            let detail = outcome.detail.as_deref().unwrap();
            assert!(detail.contains("check GITLAB_TOKEN"), "{detail}");
        }
    }
}
