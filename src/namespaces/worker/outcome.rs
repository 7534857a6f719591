//! The table of responses: the outcome of an attempt, and what becomes of the message.

use metrics::counter;

use super::{NamespaceWorker, SyncJob};
use crate::{
    gate::ErrorKind,
    messaging::{DeadLetter, DeadLetterReason, Disposition, LAST_ATTEMPT, detail},
    namespaces::{
        contract::response::{PartResults, PartStatus},
        ledger::{FinishedAttempt, NewestSync, attempt_state::AttemptState},
        worker::client::{ProvisionCall, ProvisionOutcome},
    },
    upstream::CallError,
};

impl NamespaceWorker {
    /// What `called` means for the attempt and for the message.
    pub(super) async fn end(
        &self,
        job: &SyncJob<'_>,
        newest: &NewestSync,
        called: ProvisionCall,
    ) -> (FinishedAttempt, Disposition) {
        let stray = called.is_in_doubt();
        let ProvisionCall { status, result } = called;
        let ended = |state, parts: Option<&PartResults>, detail: Option<String>| FinishedAttempt {
            state,
            http_status: status,
            parts: parts.and_then(|parts| serde_json::to_value(parts).ok()),
            detail,
            in_doubt: stray,
        };
        let outcome = |state, why| job.outcome(newest.sync_id, state, why, 1);
        match result {
            Ok(ProvisionOutcome::Applied(parts)) => {
                count_parts(parts.as_ref());
                let sent = &newest.document.provision;
                let undelivered = parts.as_ref().map(|parts| parts.undelivered(sent));
                let undelivered = undelivered.unwrap_or_default();
                if undelivered.is_empty() {
                    let state = AttemptState::Completed;
                    (
                        ended(state, parts.as_ref(), None),
                        Disposition::Done(outcome(state, None)),
                    )
                } else {
                    let why = Some(detail(&undelivered.join(", ")));
                    partly(job, newest, why.as_deref());
                    let state = AttemptState::PartiallyFailed;
                    (
                        ended(state, parts.as_ref(), why.clone()),
                        Disposition::Done(outcome(state, why)),
                    )
                }
            }
            Ok(ProvisionOutcome::Partly(parts, message)) => {
                count_parts(parts.as_ref());
                let state = AttemptState::PartiallyFailed;
                let why = message.as_deref().map(detail);
                partly(job, newest, why.as_deref());
                (
                    ended(state, parts.as_ref(), why.clone()),
                    Disposition::Done(outcome(state, why)),
                )
            }
            Ok(ProvisionOutcome::Broken(message)) => {
                let why = detail(&message);
                (
                    ended(
                        job.unless_last(AttemptState::Retrying),
                        None,
                        Some(why.clone()),
                    ),
                    Disposition::Retry(why),
                )
            }
            Ok(ProvisionOutcome::Refused(message)) => {
                let state = AttemptState::Failed;
                let why = detail(&message);
                let letter = DeadLetter {
                    reason: DeadLetterReason::Refused,
                    detail: why.clone(),
                    record: Some(outcome(state, Some(why.clone()))),
                };
                (
                    ended(state, None, Some(why)),
                    Disposition::DeadLetter(letter),
                )
            }
            Err(error) => {
                let why = detail(&error.to_string());
                let disposition = self.blame(error).await;
                let state = match &disposition {
                    Disposition::DeadLetter(_) => AttemptState::Failed,
                    Disposition::Retry(_) => job.unless_last(AttemptState::Retrying),
                    Disposition::Done(_) | Disposition::Hold(_) => AttemptState::Retrying,
                };
                (ended(state, None, Some(why)), disposition)
            }
        }
    }

    /// Whose fault it is. After a timeout a probe says whether the API is otherwise well; after a
    /// 500 whether it can verify our tokens at all.
    async fn blame(&self, error: CallError) -> Disposition {
        let probe = async {
            if error.kind() == ErrorKind::ServerError {
                self.provisioner.verifies_tokens().await
            } else {
                self.provisioner.probe().await
            }
        };
        Disposition::after(&error, probe).await
    }
}

impl SyncJob<'_> {
    /// `state`, or failed where this is the last delivery.
    fn unless_last(&self, state: AttemptState) -> AttemptState {
        let attempt = self.delivery.delivery_attempt;
        if attempt.is_some_and(|attempt| attempt >= LAST_ATTEMPT) {
            AttemptState::Failed
        } else {
            state
        }
    }
}

/// Only this line tells a person that something is to be done.
fn partly(job: &SyncJob<'_>, newest: &NewestSync, why: Option<&str>) {
    tracing::error!(
        event = "namespace_partially_failed",
        namespace_id = job.namespace_id,
        namespace_sync_id = newest.sync_id,
        detail = why,
        "a part of the sync is not carried out: record a valid one, or run `namespaces resync` after the cause is fixed"
    );
}

/// Counts attempts that ended in `state`.
pub(super) fn count(state: AttemptState, attempts: u64) {
    if attempts > 0 {
        counter!("sync_namespace_attempts_total", "state" => state.as_str()).increment(attempts);
    }
}

fn count_parts(parts: Option<&PartResults>) {
    let Some(parts) = parts else { return };
    for (part, answer) in parts.named() {
        if let Some(answer) = answer {
            let status = match answer.status {
                PartStatus::Success => "success",
                PartStatus::Error => "error",
            };
            counter!("sync_namespace_parts_total", "part" => part, "status" => status).increment(1);
        }
    }
}
