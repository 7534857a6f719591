//! Whose fault a failed call is, and so what becomes of the message that made it.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    gitlab,
    messaging::{DeadLetter, DeadLetterReason, Disposition},
    upstream::{Blame, CallError},
};

/// A look that takes longer, or a neutral probe, and the upstream is slow as a whole.
pub const SLOW: Duration = Duration::from_secs(1);
/// Before a message is tried again whose looks were too old because the upstream is slow.
const REST: Duration = Duration::from_secs(30);

/// What becomes of a message whose every look was too old to act on.
///
/// Where the looks themselves or a neutral probe take long, the upstream is slow for everybody: the message is held and
/// spends no attempt. Otherwise the trouble is with the writes of this one account.
pub async fn when_looks_are_old(looks_were_slow: bool, gitlab: &gitlab::Client) -> Disposition {
    let begun = Instant::now();
    if let Err(error) = gitlab.current_user().await {
        return disposition(error, gitlab).await;
    }
    if looks_were_slow || begun.elapsed() > SLOW {
        let gate = gitlab.write_gate();
        gate.rest_until(Instant::now() + REST);
        return Disposition::Hold(gate);
    }
    Disposition::Retry(
        "every look was too old to act on: this account's writes are slow".to_owned(),
    )
}

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
        // The gate's own probe, or a call that was under way: writes fail for many accounts, so it is not this message.
        Blame::Unclear if gitlab.write_gate().closed_because().is_some() => {
            Disposition::Hold(gitlab.write_gate())
        }
        Blame::Unclear => match gitlab.current_user().await {
            Ok(_) => Disposition::Retry(error.to_string()),
            Err(probe) => match probe.blame {
                Blame::Upstream(gate) => Disposition::Hold(gate),
                Blame::Call | Blame::Unclear => Disposition::Retry(error.to_string()),
            },
        },
    }
}
