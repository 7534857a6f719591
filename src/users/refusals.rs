//! What is told of a user's message that is given up at once.

use super::account::AccountId;
use crate::messaging::{DeadLetter, DeadLetterReason, Disposition};

/// Several accounts are the person that a message names.
pub fn ambiguous(ids: &[AccountId]) -> DeadLetter {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let detail = format!(
        "several accounts are this person's: name one by gitlab_user_id ({})",
        ids.join(", ")
    );
    DeadLetter {
        reason: DeadLetterReason::InvalidField,
        detail,
        record: None,
    }
}

/// A resync over the hour's bound.
pub fn over_resync_limit() -> Disposition {
    let detail = "more resyncs than worker.resyncs_per_hour would change accounts: publish a tick instead, or wait";
    Disposition::DeadLetter(DeadLetter {
        reason: DeadLetterReason::GuardRefused,
        detail: detail.to_owned(),
        record: None,
    })
}
