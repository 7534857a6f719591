//! Doubles of all that a dispatch works with; each notes what happened.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::messaging::{
    DeadLetter, Delivery, Disposition, Handler, PubSubError, Stage, Traceparent,
    consumer::{
        Holds,
        dispatch::{DeadLetters, Dispatch, Records},
        lease::Lease,
    },
    wire::SyncOutcome,
};
use crate::pause::{PauseNotice, PauseSource};

/// What happened, in its order.
#[derive(Clone, Default)]
pub(super) struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    pub(super) fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Says that writes are paused until then.
pub(super) struct PausedFor(pub(super) Instant);

impl PauseSource for PausedFor {
    type Error = std::convert::Infallible;

    async fn read(&self) -> Result<Option<PauseNotice>, Self::Error> {
        let notice = PauseNotice::new(jiff::Timestamp::UNIX_EPOCH, None, None);
        Ok((Instant::now() < self.0).then_some(notice))
    }
}

/// Tells how its lease ended; dropped, it nacks as the real one does.
pub(super) struct FakeLease {
    journal: Journal,
    ended: bool,
}

impl Lease for FakeLease {
    fn ack(mut self) {
        self.ended = true;
        self.journal.note("ack");
    }

    fn nack(mut self) {
        self.ended = true;
        self.journal.note("nack");
    }
}

impl Drop for FakeLease {
    fn drop(&mut self) {
        if !self.ended {
            self.journal.note("nack by drop");
        }
    }
}

pub(super) type Step = Box<dyn FnOnce() -> Disposition + Send>;

/// Answers as scripted.
pub(super) struct Scripted(Mutex<VecDeque<Step>>);

impl Handler for Scripted {
    fn stage(&self) -> Stage {
        Stage::UserWorker
    }

    async fn handle(&self, _delivery: Arc<Delivery>) -> Disposition {
        tokio::time::sleep(Duration::from_millis(40)).await;
        let step = self.0.lock().unwrap().pop_front();
        step.map_or_else(|| panic!("asked more often than scripted"), |step| step())
    }

    fn about(&self, _delivery: &Delivery) -> SyncOutcome {
        SyncOutcome {
            gitlab_user_id: Some(42),
            ..SyncOutcome::default()
        }
    }
}

pub(super) struct FakeDeadLetters {
    journal: Journal,
    refuses: bool,
}

impl DeadLetters for FakeDeadLetters {
    async fn publish(
        &self,
        _stage: Stage,
        delivery: &Delivery,
        letter: &DeadLetter,
    ) -> Result<(), PubSubError> {
        if self.refuses {
            return Err(PubSubError::Configuration("refused".to_owned()));
        }
        // Confirmation takes its time, and the ack must not overtake it.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let body = String::from_utf8_lossy(&delivery.body).into_owned();
        self.journal.note(format!(
            "copy of {body} for {}: {}",
            letter.reason, letter.detail
        ));
        Ok(())
    }
}

#[derive(Clone, Default)]
pub(super) struct FakeRecords {
    pub(super) journal: Journal,
    pub(super) records: Arc<Mutex<Vec<SyncOutcome>>>,
    /// What ends nothing.
    pub(super) held: Arc<Mutex<Vec<SyncOutcome>>>,
}

impl Records for FakeRecords {
    fn record(&self, record: &SyncOutcome, _traceparent: &Traceparent) {
        if record.kind.as_deref() == Some("run_held") {
            self.held.lock().unwrap().push(record.clone());
            return;
        }
        self.journal.note(format!(
            "record {}",
            record.kind.as_deref().unwrap_or_default()
        ));
        self.records.lock().unwrap().push(record.clone());
    }
}

/// One delivery taken to its end.
pub(super) struct Scene {
    pub(super) steps: VecDeque<Step>,
    pub(super) attempt: Option<u32>,
    pub(super) refuses_copies: bool,
    pub(super) other_works: bool,
    pub(super) stopping: CancellationToken,
    pub(super) records: FakeRecords,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self {
            steps: VecDeque::new(),
            attempt: Some(1),
            refuses_copies: false,
            other_works: false,
            stopping: CancellationToken::new(),
            records: FakeRecords::default(),
        }
    }

    pub(super) fn answering(mut self, step: impl FnOnce() -> Disposition + Send + 'static) -> Self {
        self.steps.push_back(Box::new(step));
        self
    }

    pub(super) fn at_attempt(mut self, attempt: Option<u32>) -> Self {
        self.attempt = attempt;
        self
    }

    pub(super) fn dispatch(&mut self) -> Dispatch<Scripted, FakeDeadLetters, FakeRecords> {
        Dispatch {
            handler: Scripted(Mutex::new(std::mem::take(&mut self.steps))),
            dead_letters: FakeDeadLetters {
                journal: self.records.journal.clone(),
                refuses: self.refuses_copies,
            },
            records: self.records.clone(),
            holds: Holds::new(2),
        }
    }

    pub(super) fn delivery(&self) -> Arc<Delivery> {
        Arc::new(Delivery {
            message_id: "m1".to_owned(),
            body: Bytes::from_static(b"the body"),
            attributes: BTreeMap::from([("run".to_owned(), "r1".to_owned())]),
            publish_time: None,
            delivery_attempt: self.attempt,
        })
    }

    pub(super) fn lease(&self) -> FakeLease {
        FakeLease {
            journal: self.records.journal.clone(),
            ended: false,
        }
    }

    pub(super) async fn play(mut self) -> (Vec<String>, Vec<SyncOutcome>) {
        let dispatch = self.dispatch();
        let _other = self.other_works.then(|| dispatch.holds.begin());
        dispatch
            .settle(self.delivery(), self.lease(), &self.stopping)
            .await;
        let records = self.records.records.lock().unwrap().clone();
        (self.records.journal.lines(), records)
    }
}
