//! Whose fault a failed call is, and so what becomes of the message that made it.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    gitlab,
    messaging::{Delivery, Disposition},
    upstream::{CallError, FaultScope},
};

/// A look that takes longer, or a neutral probe, and the upstream is slow as a whole.
pub const SLOW: Duration = Duration::from_secs(1);
/// Before a message is tried again whose looks were too old because the upstream is slow.
const REST: Duration = Duration::from_secs(30);

/// What becomes of a message whose every look was too old to act on.
///
/// Where the looks themselves or a neutral probe take long, the upstream is slow for everybody: the
/// message is held and spends no attempt. Otherwise the trouble is with the writes of this one
/// account.
pub async fn when_looks_are_old(looks_were_slow: bool, gitlab: &gitlab::Client) -> Disposition {
    let begun = Instant::now();
    if let Err(error) = gitlab.current_user().await {
        return disposition(error, gitlab).await;
    }
    if looks_were_slow || begun.elapsed() > SLOW {
        let gate = gitlab.write_gate();
        gate.rest_until(Instant::now() + REST);
        return Disposition::Hold(gate.into());
    }
    Disposition::Retry(
        "every look was too old to act on: this account's writes are slow".to_owned(),
    )
}

/// What becomes of a message whose handling met `error`. `GET /user` is the neutral probe.
pub async fn disposition(error: CallError, gitlab: &gitlab::Client) -> Disposition {
    Disposition::after(&error, async { gitlab.current_user().await.map(drop) }).await
}

/// The same of a message about one account, which is named once where the fault is its own.
pub async fn of_account(
    error: CallError,
    account: Option<u64>,
    delivery: &Delivery,
    gitlab: &gitlab::Client,
) -> Disposition {
    let news = matches!(error.scope, FaultScope::Subject { news: true, .. });
    let why = error.to_string();
    let disposition = disposition(error, gitlab).await;
    if news && matches!(disposition, Disposition::Retry(_)) {
        tracing::warn!(
            event = "account_fails",
            gitlab_user_id = account,
            run = delivery.run(),
            why,
            "only this one fails while GitLab is otherwise well; it is tried again and then a dead letter"
        );
    }
    disposition
}
