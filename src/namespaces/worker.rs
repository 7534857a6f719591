//! Sends the newest recorded sync of a namespace in one provisioning call, and records what became
//! of it.
//!
//! In the end a namespace has its newest recorded sync, however often, late or out of order the
//! messages come. A worker may be killed anywhere, and the message may be handled again.

pub mod client;
pub mod identity_token;
mod outcome;
mod portal_token;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use self::outcome::count;
use crate::namespaces::{
    contract::document::rules::joined,
    database::is_lock_timeout,
    ledger::{self, Ledger, LedgerError, NewestSync, attempt_state::AttemptState},
    session::LockedSession,
    worker::client::ProvisioningClient,
};
use crate::{
    failpoint,
    gate::{CallKind, ErrorKind, Gate, GateFailure, Subject, UpstreamId},
    keyed_lock::KeyedLock,
    messaging::{
        DeadLetter, DeadLetterReason, Delivery, Disposition, Handler, Stage, detail,
        wire::{NamespaceRequest, OutcomeKind, OutcomeResult, SyncOutcome},
    },
    telemetry::causes,
};

/// How often a message starts again because a newer sync was recorded while it sent an older one.
const ROUNDS: usize = 5;

/// The worker stage.
#[derive(Debug)]
pub struct NamespaceWorker {
    ledger: Ledger,
    provisioner: ProvisioningClient,
    settle: Duration,
    /// Before the database's own lock: without it, a hundred calls for one namespace would each
    /// wait for that one on a connection of their own, and no other namespace would get a
    /// connection.
    in_process: KeyedLock<i64>,
    gate: Arc<Gate>,
}

/// One message at work.
struct SyncJob<'a> {
    delivery: &'a Delivery,
    namespace_id: i64,
    begun: Instant,
}

/// How far one look at the ledger led.
enum SendStep {
    Ended(Disposition),
    /// A newer sync was recorded while this one was sent.
    Newer,
    /// A call with other content may still be running for so long.
    Wait(Duration),
}

/// Why there is no step.
enum SendError {
    Ledger(LedgerError),
    /// The attempt is not closed, so its outcome is not recorded.
    Unclosed(sqlx::Error),
}

impl<E: Into<LedgerError>> From<E> for SendError {
    fn from(error: E) -> Self {
        Self::Ledger(error.into())
    }
}

impl NamespaceWorker {
    /// A worker that reads `ledger` and posts to `provisioner`. A call that was cut off on our side
    /// may go on at the other for `settle`.
    pub fn new(ledger: Ledger, provisioner: ProvisioningClient, settle: Duration) -> Self {
        Self {
            ledger,
            provisioner,
            settle,
            in_process: KeyedLock::default(),
            gate: Gate::new(UpstreamId::Ledger, CallKind::Write),
        }
    }

    /// The gates that its messages may wait at.
    pub fn gates(&self) -> Vec<Arc<Gate>> {
        let [reads, writes] = self.provisioner.gates();
        vec![reads, writes, Arc::clone(&self.gate)]
    }

    async fn namespace(&self, delivery: &Delivery) -> Disposition {
        let request = match NamespaceRequest::decode(&delivery.body) {
            Ok(request) => request,
            Err(error) => return error.into(),
        };
        let job = SyncJob {
            delivery,
            namespace_id: request.namespace_id,
            begun: Instant::now(),
        };
        let _held = self.in_process.lock(job.namespace_id).await;
        let mut rounds = 0;
        while rounds < ROUNDS {
            match self.step(&job).await {
                Ok(SendStep::Ended(disposition)) => return disposition,
                Ok(SendStep::Newer) => rounds += 1,
                Ok(SendStep::Wait(pause)) => tokio::time::sleep(pause).await,
                Err(broken) => return self.broken(broken, &job),
            }
        }
        Disposition::Retry("newer syncs were recorded during every attempt".to_owned())
    }

    /// Takes the namespace's lock, and sends the newest sync if it has to be sent.
    async fn step(&self, job: &SyncJob<'_>) -> Result<SendStep, SendError> {
        // Before an attempt is recorded; the call itself asks again.
        if let Some(switch) = self.provisioner.held_by() {
            return Ok(SendStep::Ended(Disposition::Hold(switch.into())));
        }
        let Ok(guard) = self.gate.enter() else {
            return Ok(SendStep::Ended(Disposition::Hold(
                Arc::clone(&self.gate).into(),
            )));
        };
        let look = async {
            failpoint::pass("before_sending_lock");
            let mut session = self.ledger.sending(job.namespace_id).await?;
            failpoint::pass("after_sending_lock");
            let connection = session.connection()?;
            let abandoned = ledger::abandon(connection, job.namespace_id).await?;
            count(AttemptState::Abandoned, abandoned);
            let newest = ledger::newest_complete(connection, job.namespace_id).await?;
            Ok::<_, LedgerError>((session, newest))
        };
        let (session, newest) = match look.await {
            Ok(found) => {
                guard.succeeded();
                found
            }
            Err(LedgerError::Database(error)) if is_lock_timeout(&error) => {
                guard.succeeded();
                return Ok(SendStep::Ended(Disposition::Retry(
                    "another worker sends for this namespace".to_owned(),
                )));
            }
            Err(error) => {
                let why = format!(
                    "the ledger database does not work: {}",
                    causes::on_one_line(&error)
                );
                guard.failed(&GateFailure::new(ErrorKind::Unreachable, &why));
                return Err(SendError::Ledger(error));
            }
        };
        if let Some(newest) = newest {
            self.send(job, session, &newest).await
        } else {
            session.close().await;
            Ok(SendStep::Ended(Disposition::DeadLetter(unrecorded(
                job.namespace_id,
            ))))
        }
    }

    async fn send(
        &self,
        job: &SyncJob<'_>,
        mut session: LockedSession,
        newest: &NewestSync,
    ) -> Result<SendStep, SendError> {
        let connection = session.connection()?;
        if newest.settled {
            ledger::skip(connection, newest).await?;
            failpoint::pass("after_skip");
            session.close().await;
            count(AttemptState::Skipped, 1);
            let outcome = job.outcome(newest.sync_id, AttemptState::Skipped, None, 0);
            return Ok(SendStep::Ended(Disposition::Done(outcome)));
        }
        let broken = self.ledger.rules().check(&newest.document);
        if !broken.is_empty() {
            let why = detail(&joined(&broken));
            ledger::fail(connection, newest, &why).await?;
            session.close().await;
            count(AttemptState::Failed, 1);
            let record = job.outcome(newest.sync_id, AttemptState::Failed, Some(why.clone()), 0);
            return Ok(SendStep::Ended(Disposition::DeadLetter(DeadLetter {
                reason: DeadLetterReason::Refused,
                detail: why,
                record: Some(record),
            })));
        }
        let stray = ledger::youngest_in_doubt(connection, job.namespace_id, newest.sync_id).await?;
        if let Some(rest) = stray.and_then(|age| self.settle.checked_sub(age)) {
            session.close().await;
            return Ok(SendStep::Wait(rest));
        }
        failpoint::pass("before_attempt");
        let attempt = ledger::start(connection, newest).await?;
        failpoint::pass("after_attempt");
        let called = self
            .provisioner
            .provision(job.namespace_id, &newest.document)
            .await;
        failpoint::pass("after_post");
        let (ended, disposition) = self.end(job, newest, called).await;
        let newest_now = ledger::close(connection, job.namespace_id, attempt, &ended)
            .await
            .map_err(SendError::Unclosed)?;
        failpoint::pass("after_attempt_closed");
        session.close().await;
        failpoint::pass("after_sending_unlock");
        count(ended.state, 1);
        let held = matches!(disposition, Disposition::Hold(_));
        if newest_now == Some(newest.sync_id) || held {
            Ok(SendStep::Ended(disposition))
        } else {
            Ok(SendStep::Newer)
        }
    }

    fn broken(&self, broken: SendError, job: &SyncJob<'_>) -> Disposition {
        match broken {
            SendError::Ledger(
                error @ (LedgerError::Document { .. }
                | LedgerError::Refused(_)
                | LedgerError::RefusedBefore(_)),
            ) => Disposition::DeadLetter(DeadLetter {
                reason: DeadLetterReason::Refused,
                detail: detail(&causes::on_one_line(&error)),
                record: None,
            }),
            SendError::Ledger(
                error @ (LedgerError::Database(_)
                | LedgerError::Settings(_)
                | LedgerError::Sessions(_)
                | LedgerError::Migration(_)),
            ) => {
                tracing::warn!(
                    event = "ledger_failed",
                    namespace_id = job.namespace_id,
                    error = causes::on_one_line(&error),
                    "held until the ledger database works"
                );
                Disposition::Hold(Arc::clone(&self.gate).into())
            }
            SendError::Unclosed(error) => Disposition::Retry(detail(&format!(
                "the attempt could not be closed in the ledger: {}",
                causes::on_one_line(&error)
            ))),
        }
    }
}

impl Handler for NamespaceWorker {
    fn stage(&self) -> Stage {
        Stage::NamespaceWorker
    }

    async fn handle(&self, delivery: Arc<Delivery>) -> Disposition {
        self.namespace(&delivery).await
    }

    fn about(&self, delivery: &Delivery) -> SyncOutcome {
        let request = NamespaceRequest::decode(&delivery.body).ok();
        SyncOutcome {
            namespace_id: request.and_then(|request| u64::try_from(request.namespace_id).ok()),
            ..SyncOutcome::default()
        }
    }

    fn subject(&self, delivery: &Delivery) -> Option<Subject> {
        let request = NamespaceRequest::decode(&delivery.body).ok()?;
        Some(Subject::namespace(request.namespace_id))
    }

    /// Each sends the newest recorded sync.
    fn covers(&self, _one: &Delivery, _other: &Delivery) -> bool {
        true
    }

    fn superseded(&self, delivery: &Delivery) -> SyncOutcome {
        SyncOutcome {
            kind: Some(OutcomeKind::Namespace.as_str().to_owned()),
            result: Some(OutcomeResult::Superseded.as_str().to_owned()),
            ..self.about(delivery)
        }
    }
}

impl SyncJob<'_> {
    fn outcome(
        &self,
        sync_id: i64,
        state: AttemptState,
        detail: Option<String>,
        calls: u32,
    ) -> Box<SyncOutcome> {
        Box::new(SyncOutcome {
            kind: Some(OutcomeKind::Namespace.as_str().to_owned()),
            run: Some(self.delivery.run().to_owned()),
            message_id: Some(self.delivery.message_id.clone()),
            delivery_attempt: self.delivery.delivery_attempt,
            namespace_id: u64::try_from(self.namespace_id).ok(),
            namespace_sync_id: u64::try_from(sync_id).ok(),
            result: Some(state.as_str().to_owned()),
            detail,
            calls: Some(calls),
            milliseconds: self.begun.elapsed().as_millis().try_into().ok(),
            at: Some(Timestamp::now().to_string()),
            ..SyncOutcome::default()
        })
    }
}

/// A message for a namespace of which nothing is recorded: the portal records before it publishes,
/// so it is nobody's of ours.
pub fn unrecorded(namespace_id: i64) -> DeadLetter {
    DeadLetter {
        reason: DeadLetterReason::InvalidField,
        detail: format!(
            "namespace_id: expected one with a recorded sync, and {namespace_id} has none"
        ),
        record: None,
    }
}
