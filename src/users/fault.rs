//! Whose fault a failed call is, and so what becomes of the message that made it.

use crate::{
    gitlab,
    messaging::{DeadLetter, DeadLetterReason, Disposition},
    upstream::{Blame, CallError},
};

/// What becomes of a message whose handling met `error`.
///
/// A write that answered 500 or timed out says nothing about GitLab as a whole, so a neutral
/// probe is asked: where it succeeds, the trouble is with this message.
pub async fn disposition(error: CallError, gitlab: &gitlab::Client) -> Disposition {
    match error.blame {
        Blame::Call => Disposition::DeadLetter(DeadLetter {
            reason: DeadLetterReason::Refused,
            detail: error.to_string(),
            record: None,
        }),
        Blame::Upstream(gate) => Disposition::Hold(gate),
        Blame::Unclear => match gitlab.current_user().await {
            Ok(_) => Disposition::Retry(error.to_string()),
            Err(probe) => match probe.blame {
                Blame::Upstream(gate) => Disposition::Hold(gate),
                Blame::Call | Blame::Unclear => Disposition::Retry(error.to_string()),
            },
        },
    }
}
