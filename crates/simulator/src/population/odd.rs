//! Accounts as only a real GitLab has them: old data, half-done work, an identity provider that
//! insists.

use serde_json::Value;

use super::{Expected, ExpectedReason, builder::PopulationBuilder, draft::AccountDraft};
use crate::gitlab::{Deletion, UserState};

const CANCELLED: ExpectedReason = ExpectedReason::CancelledInLookup;

/// How long the identity provider takes to make its account active again.
const RESTORED_AFTER_MS: u64 = 2_000;

/// One of each.
pub(super) fn cases(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    vec![
        without_namespace(builder),
        not_validating(builder),
        builder
            .member("odd_without_created_at")
            .with("created_at", Value::Null)
            .cancelled()
            .becomes_blocked(CANCELLED),
        // Without any sign of life there is nothing to judge it by.
        builder
            .external("odd_external_without_any_time")
            .never_seen()
            .with("created_at", Value::Null),
        being_deleted(builder),
        insisted_on(builder),
    ]
}

/// Its pages are a 500, so that nobody can decide about it.
fn without_namespace(builder: &mut PopulationBuilder) -> AccountDraft {
    let mut draft = builder.member("odd_without_namespace").cancelled();
    draft.account.hidden.without_namespace = true;
    draft
}

/// A name was not always required.
fn not_validating(builder: &mut PopulationBuilder) -> AccountDraft {
    builder
        .member("odd_not_validating")
        .with("name", Value::Null)
        .cancelled()
        .becomes(Expected::Refused)
}

/// Blocked by the worker that deletes it, without a trace: not ours to unblock.
fn being_deleted(builder: &mut PopulationBuilder) -> AccountDraft {
    let mut draft = builder
        .member("odd_being_deleted")
        .state(UserState::Blocked);
    draft.account.hidden.deletion = Some(Deletion::UnderWay);
    draft
}

/// Cancelled in Lookup, active for the identity provider.
fn insisted_on(builder: &mut PopulationBuilder) -> AccountDraft {
    let mut draft = builder
        .member("odd_made_active_by_scim")
        .cancelled()
        .becomes(Expected::Contested { reason: CANCELLED });
    draft.account.set_by_scim(true);
    draft.account.hidden.scim_restores_after_ms = Some(RESTORED_AFTER_MS);
    draft
}
