//! Where records of what became of each message go: the log line is the record, the topic gets a copy best effort.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use super::{
    DeadLetterReason, Publisher,
    attributes::{self, Traceparent},
    error::chain,
    wire::SyncOutcome,
};

/// Copies that may wait for confirmation at once; past it they are dropped, since an ack never waits for them.
const MAX_WAITING: usize = 20_000;

/// Records outcomes. Cheap to clone.
#[derive(Clone)]
pub struct Outcomes {
    inner: Arc<Inner>,
}

struct Inner {
    publisher: Option<Publisher>,
    waiting: Arc<Semaphore>,
    tasks: TaskTracker,
    /// Whether the last copy failed: the first failure is a warning, the rest would be a flood.
    failing: AtomicBool,
}

impl fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcomes")
            .field("publisher", &self.inner.publisher)
            .finish_non_exhaustive()
    }
}

impl Outcomes {
    /// Logs each record and publishes a copy with `publisher`.
    pub fn new(publisher: Publisher) -> Self {
        Self::with(Some(publisher))
    }

    /// Logs each record, publishes nothing.
    pub fn only_logged() -> Self {
        Self::with(None)
    }

    fn with(publisher: Option<Publisher>) -> Self {
        Self {
            inner: Arc::new(Inner {
                publisher,
                waiting: Arc::new(Semaphore::new(MAX_WAITING)),
                tasks: TaskTracker::new(),
                failing: AtomicBool::new(false),
            }),
        }
    }

    /// Logs `record` and hands a copy to be published. Never waits, never fails.
    pub fn record(&self, record: SyncOutcome, traceparent: &Traceparent) {
        log(&record, traceparent);
        self.publish(record, traceparent);
    }

    /// Waits until each copy handed over before is confirmed or has failed.
    pub async fn flush(&self) {
        let Some(publisher) = &self.inner.publisher else {
            return;
        };
        publisher.flush().await;
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.tasks.reopen();
    }

    fn publish(&self, record: SyncOutcome, traceparent: &Traceparent) {
        let Some(publisher) = self.inner.publisher.clone() else {
            return;
        };
        let Ok(place) = Arc::clone(&self.inner.waiting).try_acquire_owned() else {
            self.failed("too many wait for confirmation");
            return;
        };
        let attributes = attributes::for_message(
            record.run.as_deref().unwrap_or_default(),
            record.kind.as_deref().unwrap_or_default(),
            traceparent,
        );
        let outcomes = self.clone();
        self.inner.tasks.spawn(async move {
            match publisher.publish(&record, attributes).await {
                Ok(_) => outcomes.inner.failing.store(false, Ordering::Relaxed),
                Err(error) => outcomes.failed(&chain(&error)),
            }
            drop(place);
        });
    }

    fn failed(&self, why: &str) {
        if self.inner.failing.swap(true, Ordering::Relaxed) {
            debug!(event = "outcome_not_published", why);
        } else {
            warn!(
                event = "outcome_not_published",
                why, "the log has the record; further failures are logged at debug level"
            );
        }
    }
}

/// The record's fields, flat, at `$level`.
macro_rules! log_record {
    ($level:ident, $event:literal, $record:expr, $traceparent:expr) => {
        $level!(
            event = $event,
            kind = $record.kind.as_deref(),
            run = $record.run.as_deref(),
            cause = $record.cause.as_deref(),
            stage = $record.stage.as_deref(),
            message_id = $record.message_id.as_deref(),
            gitlab_user_id = $record.gitlab_user_id,
            username = $record.username.as_deref(),
            crsid = $record.crsid.as_deref(),
            namespace_id = $record.namespace_id,
            namespace_sync_id = $record.namespace_sync_id,
            class = $record.class.as_deref(),
            decision = $record.decision.as_deref(),
            reason = $record.reason.as_deref(),
            result = $record.result.as_deref(),
            dry_run = $record.dry_run,
            delivery_attempt = $record.delivery_attempt,
            milliseconds = $record.milliseconds,
            calls = $record.calls,
            accounts = $record.accounts,
            messages = $record.messages,
            blocks = $record.blocks,
            unblocks = $record.unblocks,
            keeps = $record.keeps,
            dead_letter_reason = $record.dead_letter_reason.as_deref(),
            detail = $record.detail.as_deref(),
            traceparent = $traceparent.as_str(),
        )
    };
}

fn log(record: &SyncOutcome, traceparent: &Traceparent) {
    match record.dead_letter_reason.as_deref() {
        None => log_record!(info, "message_done", record, traceparent),
        Some(reason) if needs_a_person(reason) => {
            log_record!(error, "message_dead_lettered", record, traceparent);
        }
        Some(_) => log_record!(warn, "message_dead_lettered", record, traceparent),
    }
}

/// These stop whole runs until somebody looks; the others wait in the dead-letter topic without harm to the rest.
fn needs_a_person(reason: &str) -> bool {
    match DeadLetterReason::parse(reason) {
        Some(DeadLetterReason::GuardRefused | DeadLetterReason::DirectoryImplausible) => true,
        Some(
            DeadLetterReason::Undecodable
            | DeadLetterReason::InvalidField
            | DeadLetterReason::NoIdentifier
            | DeadLetterReason::TooLarge
            | DeadLetterReason::Refused
            | DeadLetterReason::AttemptsExhausted,
        )
        | None => false,
    }
}
