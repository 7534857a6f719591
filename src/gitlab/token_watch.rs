//! Asks again when the tokens expire, since they can be replaced while the process runs.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::Client;

/// A day on which a token expires is known weeks before.
const EVERY: Duration = Duration::from_hours(6);

/// Asks four times a day until `stop`, so that readiness, the metric and the log tell of the token in
/// use. A start has asked where it matters: the first time is six hours later.
pub async fn watch_expiry(tokens: Vec<Client>, stop: CancellationToken) {
    let mut times = interval_at(Instant::now() + EVERY, EVERY);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(times.tick()).await.is_some() {
        for token in &tokens {
            let asked = stop.run_until_cancelled(ask(token)).await;
            if asked.is_none() {
                return;
            }
        }
    }
}

/// Best effort. Whether the token works is asked first: a refusal by `/personal_access_tokens/self`
/// alone may also mean a token of another kind, and counts as an answer.
async fn ask(token: &Client) {
    if token.current_user().await.is_err() || token.token_details().await.is_err() {
        return;
    }
    if let Some(expiry) = token.token_expiry() {
        expiry.warn_if_soon(Timestamp::now());
    }
}
