//! What a run has to tell beside its counts.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    plan::Plan,
    policy::{Decision, FIGHT_DAYS, FIGHT_ROUNDS, KeepReason},
};

/// How often it is said that nothing proves the directory's answers.
const REMIND_EVERY: Duration = Duration::from_hours(24);

/// Says once a day that the directory's answers are believed without a control.
#[derive(Debug, Default)]
pub struct ControlsReminder(Mutex<Option<Instant>>);

impl ControlsReminder {
    /// Says it if that is due and no control is configured.
    pub fn tell(&self, has_controls: bool) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if has_controls || told.is_some_and(|told| told.elapsed() < REMIND_EVERY) {
            return;
        }
        *told = Some(Instant::now());
        tracing::warn!(
            event = "directory_without_controls",
            "no control people are configured: a directory that hides what the service may not see would be believed. \
             `config check --connect` says how to choose them"
        );
    }
}

/// Tells what an operator has to know of single accounts.
pub fn tell(plan: &Plan) {
    tell_fights(plan);
    tell_blocks_of_another(plan);
}

/// Tells how many blocks are not recognised because the service has another account now.
fn tell_blocks_of_another(plan: &Plan) {
    for (other, count) in &plan.blocked_as {
        tracing::warn!(
            event = "blocked_as_another",
            by = other.0,
            accounts = count,
            "{count} accounts carry this service's marker and were blocked by account {other}, which is not its own: they \
             are never unblocked. If the service used that account before, set users.former_ids = [{other}]; if it adopted the \
             blocks of an earlier service, set users.predecessors = [{other}]"
        );
    }
}

/// Tells of each account that an identity provider makes active as often as we block it.
fn tell_fights(plan: &Plan) {
    for decided in &plan.decided {
        let fought_over = Decision::Keep(KeepReason::UnblockedByIdentityProvider);
        if decided.decision != fought_over {
            continue;
        }
        let account = &decided.account;
        let lifted = account.facts.lifted.as_deref();
        let by = lifted.map_or("an identity provider", |lifted| lifted.by.as_str());
        tracing::error!(
            event = "fought_over",
            gitlab_user_id = account.id.0,
            username = &*account.username,
            by,
            "account {} ({}) should be blocked, and {by} has made it active again {FIGHT_ROUNDS} times in {FIGHT_DAYS} \
             days: it is left active. Tell who runs {by}, or exempt the account",
            account.id,
            account.username
        );
    }
}
