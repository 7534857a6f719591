//! Where records of what became of each message go: the log line is the record, the topic gets a
//! copy best effort.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error, info, warn};

use super::{
    DeadLetterReason, Publisher, Traceparent, attributes,
    error::chain,
    publisher::Confirmation,
    wire::{OutcomeKind, SyncOutcome},
};

/// Records outcomes. Cheap to clone.
#[derive(Clone)]
pub struct Outcomes {
    copies: Option<Copies>,
}

/// Where copies go.
#[derive(Clone)]
struct Copies {
    publisher: Publisher,
    /// One task waits for all of them: a task for each would cost more than the rest of a message
    /// that changes nothing.
    waiting: mpsc::UnboundedSender<OutcomeQueueItem>,
    failures: Arc<Failures>,
}

/// What is waited for, in this order. As many copies as the publisher has room for, no more.
enum OutcomeQueueItem {
    Copy(Box<Confirmation>),
    /// Somebody who wants to know that it is its turn.
    Flush(oneshot::Sender<()>),
}

impl fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let publisher = self.copies.as_ref().map(|copies| &copies.publisher);
        f.debug_struct("Outcomes")
            .field("publisher", &publisher)
            .finish_non_exhaustive()
    }
}

impl Outcomes {
    /// Logs each record and publishes a copy with `publisher`. Begins a task, which ends with the
    /// last clone.
    pub fn new(publisher: Publisher) -> Self {
        let (waiting, copies) = mpsc::unbounded_channel();
        let failures = Arc::<Failures>::default();
        tokio::spawn(confirm(copies, Arc::clone(&failures)));
        Self {
            copies: Some(Copies {
                publisher,
                waiting,
                failures,
            }),
        }
    }

    /// Logs each record, publishes nothing.
    pub const fn only_logged() -> Self {
        Self { copies: None }
    }

    /// Logs `record` and hands a copy to be published. Never waits, never fails.
    pub fn record(&self, record: &SyncOutcome, traceparent: &Traceparent) {
        log(record, traceparent);
        if let Some(copies) = &self.copies {
            copies.publish(record, traceparent);
        }
    }

    /// Waits until each copy handed over before is confirmed or has failed.
    pub async fn flush(&self) {
        let Some(copies) = &self.copies else {
            return;
        };
        copies.publisher.flush().await;
        let (done, all_are_done) = oneshot::channel();
        // Where the task is gone nothing is waited for.
        if copies.waiting.send(OutcomeQueueItem::Flush(done)).is_ok() {
            let _ = all_are_done.await;
        }
    }
}

impl Copies {
    fn publish(&self, record: &SyncOutcome, traceparent: &Traceparent) {
        let mut attributes = attributes::for_message(
            record.run.as_deref().unwrap_or_default(),
            record.kind.as_deref().unwrap_or_default(),
            traceparent,
        );
        if let Some(result) = &record.result {
            attributes.insert(attributes::RESULT.to_owned(), result.clone());
        }
        match self.publisher.publish_soon(record, attributes) {
            // It fails only where the task is gone, and the copy goes out all the same.
            Ok(Some(copy)) => drop(self.waiting.send(OutcomeQueueItem::Copy(Box::new(copy)))),
            Ok(None) => self.failures.one("too many wait for confirmation"),
            Err(error) => self.failures.one(&chain(&error)),
        }
    }
}

async fn confirm(mut waiting: mpsc::UnboundedReceiver<OutcomeQueueItem>, failures: Arc<Failures>) {
    while let Some(next) = waiting.recv().await {
        match next {
            OutcomeQueueItem::Copy(copy) => match copy.confirmed().await {
                Ok(_) => failures.none(),
                Err(error) => failures.one(&chain(&error)),
            },
            OutcomeQueueItem::Flush(done) => drop(done.send(())),
        }
    }
}

/// Whether the last copy failed: the first failure is a warning, the rest would be a flood.
#[derive(Default)]
struct Failures(AtomicBool);

impl Failures {
    fn none(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn one(&self, why: &str) {
        if self.0.swap(true, Ordering::Relaxed) {
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
            pages = $record.pages,
            people = $record.people,
            gate = $record.gate.as_deref(),
            unreadable_accounts = $record.unreadable_accounts,
            unreadable_people = $record.unreadable_people,
            dead_letter_reason = $record.dead_letter_reason.as_deref(),
            detail = $record.detail.as_deref(),
            traceparent = $traceparent.as_str(),
        )
    };
}

fn log(record: &SyncOutcome, traceparent: &Traceparent) {
    match record.known_kind() {
        // They come every few seconds, for who follows the run.
        Some(OutcomeKind::RunReading) => log_record!(debug, "run_reading", record, traceparent),
        Some(OutcomeKind::RunHeld) => log_record!(debug, "run_held", record, traceparent),
        Some(
            OutcomeKind::User
            | OutcomeKind::Namespace
            | OutcomeKind::RunStarted
            | OutcomeKind::Coalesced
            | OutcomeKind::RunRefused(_)
            | OutcomeKind::DeadLettered,
        )
        | None => log_end(record, traceparent),
    }
}

fn log_end(record: &SyncOutcome, traceparent: &Traceparent) {
    match record.dead_letter_reason.as_deref() {
        None => log_record!(info, "message_done", record, traceparent),
        Some(reason) if needs_a_person(reason) => {
            log_record!(error, "message_dead_lettered", record, traceparent);
        }
        Some(_) => log_record!(warn, "message_dead_lettered", record, traceparent),
    }
}

/// These stop whole runs until somebody looks; the others wait in the dead-letter topic without
/// harm to the rest.
fn needs_a_person(reason: &str) -> bool {
    match DeadLetterReason::parse(reason) {
        Some(
            DeadLetterReason::GuardRefused
            | DeadLetterReason::DirectoryImplausible
            | DeadLetterReason::TooManyUnreadable,
        ) => true,
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
