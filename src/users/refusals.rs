//! What is told of a message that is dead-lettered at once.

use super::{account::AccountId, guard::GuardRefusal, sweep::SweepError};
use crate::{
    messaging::{DeadLetter, DeadLetterReason, Disposition},
    upstream::CallError,
};

/// Why a run publishes nothing and its tick becomes a dead letter.
#[derive(Debug)]
pub struct RunRefusal {
    /// The closed list.
    pub reason: DeadLetterReason,
    /// One line for an operator.
    pub detail: String,
}

impl RunRefusal {
    /// The run would change too much.
    pub fn by_guard(refusal: &GuardRefusal) -> Self {
        Self {
            reason: DeadLetterReason::GuardRefused,
            detail: format!("the run would change more than the guard allows: {refusal}"),
        }
    }
}

/// What the sweep found out refuses the run; a call that failed does not.
impl TryFrom<SweepError> for RunRefusal {
    type Error = CallError;

    fn try_from(error: SweepError) -> Result<Self, CallError> {
        let detail = error.to_string();
        let reason = match error {
            SweepError::Call(error) => return Err(error),
            SweepError::Implausible { .. } => DeadLetterReason::DirectoryImplausible,
            SweepError::TooManyAccounts { .. } | SweepError::TooManyPeople { .. } => {
                DeadLetterReason::TooManyUnreadable
            }
        };
        Ok(Self { reason, detail })
    }
}

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
