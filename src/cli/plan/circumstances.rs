//! What is said with a plan though no account shows it.

use jiff::Timestamp;

use super::pause::PlannedPause;
use crate::gitlab::{Client, TokenExpiry};

/// What a run would meet.
pub(super) struct Circumstances {
    /// Whether it would have to wait.
    pub pause: PlannedPause,
    /// When the token that it reads with expires, as far as GitLab tells.
    pub token: Option<TokenExpiry>,
}

impl Circumstances {
    /// Asks after the plan: the token works, so a refusal means a token of another kind.
    pub(super) async fn of(pause: PlannedPause, gitlab: &Client) -> Self {
        let asked = gitlab.token_details().await;
        Self {
            pause,
            token: asked.ok().and_then(|_| gitlab.token_expiry()),
        }
    }

    /// What somebody has to do something about, each on a line of its own.
    pub(super) fn in_words(&self) -> String {
        let soon = self
            .token
            .and_then(|token| token.advice(Timestamp::now()))
            .map(|advice| format!("\n{advice}"));
        self.pause.in_words() + &soon.unwrap_or_default()
    }
}
