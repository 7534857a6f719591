//! What a run tells of itself while it reads, for who follows it.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use super::sweep::Progress;
use crate::messaging::{
    Delivery, Stage,
    consumer::Records,
    wire::{OutcomeKind, SyncOutcome},
};

/// How often a run that reads says how far it is.
const READING: Duration = Duration::from_secs(10);

/// Where runs tell of themselves.
#[derive(Default)]
pub struct Reports(Option<Arc<dyn Records>>);

impl Reports {
    /// Reports that go where records go.
    pub fn to(records: Arc<dyn Records>) -> Self {
        Self(Some(records))
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

    fn reading(&self, delivery: &Delivery, progress: Progress) {
        let Some(records) = &self.0 else {
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
    use std::{collections::BTreeMap, sync::Mutex};

    use tokio::time::sleep;

    use super::*;
    use crate::messaging::Traceparent;

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
            ..Progress::default()
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
}
