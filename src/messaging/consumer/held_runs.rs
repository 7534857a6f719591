//! Tells who follows a run that its messages wait at a gate, or for the end of a pause.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::Records;
use crate::messaging::{
    Delivery, Hold, Stage,
    wire::{OutcomeKind, SyncOutcome},
};

/// How often it is told of a run and a gate. A follower gives up after a minute of silence.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// So many runs are told of in that time, and no more: each resync and each message about a namespace
/// is a run of its own, and a long outage holds as many as the stage has slots.
const MOST_RUNS: usize = 20;
/// How often a message that waits looks whether that is due: the one that told it may be gone.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// When it was last told of which run, and of what it waits for.
#[derive(Debug, Default)]
pub(super) struct HeldRuns(Mutex<HashMap<HeldRun, Instant>>);

type HeldRun = (String, String);

impl HeldRuns {
    /// Records, at once and then every half minute, that `delivery`'s run waits, and why. The
    /// messages of a run share one record.
    pub(super) async fn tell(
        &self,
        records: &impl Records,
        stage: Stage,
        delivery: &Delivery,
        hold: &Hold,
    ) -> Infallible {
        loop {
            if let Some(record) = self.due(stage, delivery, hold) {
                records.record(&record, &delivery.continue_trace());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// The record, unless there was one within half a minute. None where nothing is known but that
    /// the message is tried again.
    fn due(&self, stage: Stage, delivery: &Delivery, hold: &Hold) -> Option<SyncOutcome> {
        let met = || hold.met.as_ref().map(|met| met.why.clone());
        let detail = hold.at.held_because().or_else(met)?;
        let at = hold.at.label();
        self.is_due((delivery.run().to_owned(), at.clone()))
            .then(|| SyncOutcome {
                kind: Some(OutcomeKind::RunHeld.as_str().to_owned()),
                run: Some(delivery.run().to_owned()),
                stage: Some(stage.as_str().to_owned()),
                message_id: Some(delivery.message_id.clone()),
                delivery_attempt: delivery.delivery_attempt,
                gate: Some(at),
                detail: Some(detail),
                at: Some(Timestamp::now().to_string()),
                ..SyncOutcome::default()
            })
    }

    fn is_due(&self, run: HeldRun) -> bool {
        let now = Instant::now();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, told| now.duration_since(*told) < TELL_EVERY);
        let is_due = told.len() < MOST_RUNS && !told.contains_key(&run);
        if is_due {
            told.insert(run, now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::{collections::BTreeMap, sync::Arc};

    use tokio::time::timeout;

    use super::*;
    use crate::{
        gate::{CallKind, ErrorKind, Gate, UpstreamId},
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

    fn message(id: &str, run: &str) -> Delivery {
        Delivery {
            message_id: id.to_owned(),
            body: "{}".into(),
            attributes: BTreeMap::from([("run".to_owned(), run.to_owned())]),
            publish_time: None,
            delivery_attempt: Some(1),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_is_held_names_its_gate_and_why_once_for_all_its_messages() {
        let gate = Gate::new(UpstreamId::GitLab, CallKind::Read);
        let hold = Hold::from(Arc::clone(&gate));
        let (runs, kept) = (HeldRuns::default(), Kept::default());
        let wait = async |seconds, id: &'static str| {
            let message = message(id, "r1");
            let telling = runs.tell(&kept, Stage::UserWorker, &message, &hold);
            let _ = timeout(Duration::from_secs(seconds), telling).await;
        };
        wait(100, "m0").await;
        assert_eq!(kept.0.lock().unwrap().len(), 0, "nothing is known yet");
        let fault = Fault::new(ErrorKind::Unauthenticated, "answered 401");
        let guard = gate.enter().unwrap();
        guard.failed(&fault.at_gate("GitLab answered 401: check GITLAB_TOKEN"));
        tokio::join!(wait(65, "m1"), wait(75, "m2"));
        sleep(Duration::from_mins(5)).await;
        let told = kept.0.lock().unwrap();
        assert_eq!(told.len(), 3, "at 0, 30 and 60 s");
        for outcome in told.iter() {
            assert_eq!(outcome.kind.as_deref(), Some("run_held"));
            assert_eq!(outcome.run.as_deref(), Some("r1"));
            assert_eq!(outcome.stage.as_deref(), Some("user-worker"));
            assert_eq!(outcome.gate.as_deref(), Some("gitlab read"));
            let detail = outcome.detail.as_deref().unwrap();
            assert!(detail.contains("check GITLAB_TOKEN"), "{detail}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_runs_in_an_outage_are_no_thousand_records() {
        let gate = Gate::new(UpstreamId::GitLab, CallKind::Write);
        let fault = Fault::new(ErrorKind::Unauthenticated, "answered 401");
        let guard = gate.enter().unwrap();
        guard.failed(&fault.at_gate("GitLab answered 401"));
        let hold = Hold::from(gate);
        let runs = HeldRuns::default();
        let due = || {
            let told = |number: &usize| {
                let message = message("m1", &format!("r{number}"));
                runs.due(Stage::UserWorker, &message, &hold).is_some()
            };
            (0..1000).filter(told).count()
        };
        assert_eq!((due(), due()), (MOST_RUNS, 0));
        sleep(TELL_EVERY).await;
        assert_eq!(due(), MOST_RUNS);
    }
}
