//! The table of answers: how an attempt ended, and what becomes of the message.

use metrics::counter;

use super::{Job, NamespaceWorker};
use crate::{
    messaging::{DeadLetter, DeadLetterReason, Disposition, LAST_ATTEMPT, detail},
    namespaces::{
        answer::{Payload, Status},
        attempt::AttemptState,
        call::{Called, Verdict},
        ledger::{Ended, Newest},
    },
    upstream::{Blame, CallError},
};

impl NamespaceWorker {
    /// What `called` means for the attempt and for the message.
    pub(super) async fn end(
        &self,
        job: &Job<'_>,
        newest: &Newest,
        called: Called,
    ) -> (Ended, Disposition) {
        let stray = called.is_stray();
        let Called { status, result } = called;
        let ended = |state, parts: Option<&Payload>, detail: Option<String>| Ended {
            state,
            http_status: status,
            parts: parts.and_then(|parts| serde_json::to_value(parts).ok()),
            detail,
            stray,
        };
        let outcome = |state, why| job.outcome(newest.sync_id, state, why, 1);
        match result {
            Ok(Verdict::Applied(parts)) => {
                count_parts(parts.as_ref());
                let state = AttemptState::Completed;
                (
                    ended(state, parts.as_ref(), None),
                    Disposition::Done(outcome(state, None)),
                )
            }
            Ok(Verdict::Partly(parts, message)) => {
                count_parts(parts.as_ref());
                let state = AttemptState::PartiallyFailed;
                let why = message.as_deref().map(detail);
                tracing::error!(
                    event = "namespace_partially_failed",
                    namespace_id = job.namespace_id,
                    namespace_sync_id = newest.sync_id,
                    detail = why,
                    "a part of the sync breaks a rule: record a right one, or `namespaces resync` after it was mended"
                );
                (
                    ended(state, parts.as_ref(), why.clone()),
                    Disposition::Done(outcome(state, why)),
                )
            }
            Ok(Verdict::Refused(message)) => {
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
                let last = job
                    .delivery
                    .delivery_attempt
                    .is_some_and(|attempt| attempt >= LAST_ATTEMPT);
                let state = match &disposition {
                    Disposition::Retry(_) if last => AttemptState::Failed,
                    Disposition::DeadLetter(_) => AttemptState::Failed,
                    Disposition::Done(_) | Disposition::Retry(_) | Disposition::Hold(_) => {
                        AttemptState::Retrying
                    }
                };
                (ended(state, None, Some(why)), disposition)
            }
        }
    }

    /// Whose fault it is. After a 500 or a timeout a probe says whether the API is otherwise well.
    async fn blame(&self, error: CallError) -> Disposition {
        match error.blame {
            Blame::Call => Disposition::DeadLetter(DeadLetter {
                reason: DeadLetterReason::Refused,
                detail: error.to_string(),
                record: None,
            }),
            Blame::Upstream(gate) => Disposition::Hold(gate),
            Blame::Unclear => match self.provisioner.probe().await {
                Ok(()) => Disposition::Retry(error.to_string()),
                Err(probe) => match probe.blame {
                    Blame::Upstream(gate) => Disposition::Hold(gate),
                    Blame::Call | Blame::Unclear => Disposition::Retry(error.to_string()),
                },
            },
        }
    }
}

/// Counts attempts that ended in `state`.
pub(super) fn count(state: AttemptState, attempts: u64) {
    if attempts > 0 {
        counter!("sync_namespace_attempts_total", "state" => state.as_str()).increment(attempts);
    }
}

fn count_parts(parts: Option<&Payload>) {
    let Some(parts) = parts else { return };
    let named = [
        ("base_product", &parts.base_product),
        ("storage", &parts.storage),
        ("compute_minutes", &parts.compute_minutes),
        ("add_on_purchases", &parts.add_on_purchases),
    ];
    for (part, answer) in named {
        if let Some(answer) = answer {
            let status = match answer.status {
                Status::Success => "success",
                Status::Error => "error",
            };
            counter!("sync_namespace_parts_total", "part" => part, "status" => status).increment(1);
        }
    }
}
