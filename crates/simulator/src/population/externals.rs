//! Every case of an `external-` account: who was seen when, and what must not be touched.

use jiff::ToSpan;
use serde_json::Value;

use super::{
    ExpectedReason,
    builder::PopulationBuilder,
    draft::{AccountDraft, by_a_person},
};
use crate::gitlab::UserState;

const INACTIVE: ExpectedReason = ExpectedReason::Inactive;

/// Blocks due among [`cases`].
pub(super) const BLOCKS: usize = 3;

/// One of each.
pub(super) fn cases(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    let long_ago = builder.days_ago(900);
    let mut cases = due(builder);
    cases.extend(seen_lately(builder));
    cases.extend([
        builder
            .external("external_blocked_by_us")
            .seen(long_ago)
            .blocked_by_us(builder, 100, INACTIVE),
        // Activity does not lift a block of an external account; a person does.
        builder
            .external("external_blocked_by_us_seen_before")
            .blocked_by_us(builder, 12, INACTIVE),
        builder
            .external("external_blocked_by_a_person")
            .seen(long_ago)
            .blocked_by_a_person(builder, 18),
        builder
            .external("external_ldap_blocked")
            .seen(long_ago)
            .state(UserState::LdapBlocked),
        builder
            .external("external_banned")
            .seen(long_ago)
            .state(UserState::Banned),
        builder
            .external("external_pending")
            .seen(long_ago)
            .state(UserState::BlockedPendingApproval),
        builder
            .external("external_exempt")
            .seen(long_ago)
            .attribute("lookup_gitlab_sync_exempt", "true"),
    ]);
    cases
}

fn due(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    let mut unflagged = builder
        .external("external_inactive_deactivated_without_flag")
        .seen(builder.days_ago(1_000))
        .state(UserState::Deactivated)
        .becomes_blocked(INACTIVE);
    unflagged.account.external = false;
    vec![
        builder
            .external("external_inactive_since_today")
            .seen(builder.just_inactive())
            .becomes_blocked(INACTIVE),
        builder
            .external("external_never_seen")
            .never_seen()
            .with("confirmed_at", Value::Null)
            .becomes_blocked(INACTIVE),
        unflagged,
    ]
}

/// Kept, each for another of the times that count.
fn seen_lately(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    let long_ago = builder.days_ago(900);
    let last_month = builder.days_ago(30);
    // Not the last day itself: a run over midnight would find it a day older.
    let nearly = builder.just_inactive().saturating_add(2.days());
    let blocked = builder.night(30);
    vec![
        builder
            .external("external_reactivated_last_week")
            .seen(long_ago)
            .blocked_by_us(builder, 30, INACTIVE)
            .state(UserState::Active)
            .attribute("unblocked_by", by_a_person(builder.night(7))),
        builder.external("external_active"),
        builder.external("external_nearly_inactive").seen(nearly),
        builder
            .external("external_signed_in_lately")
            .seen(long_ago)
            .with("current_sign_in_at", format!("{last_month}T10:00:00.000Z")),
        builder
            .external("external_created_lately")
            .never_seen()
            .with("created_at", format!("{last_month}T10:00:00.000Z"))
            .with("confirmed_at", Value::Null),
        builder
            .external("external_confirmed_lately")
            .never_seen()
            .with("confirmed_at", format!("{last_month}T10:00:00.000Z")),
        builder
            .external("external_activity_unreadable")
            .seen(long_ago)
            .with("last_activity_on", "0000-00-00"),
        builder
            .external("external_sign_in_unreadable")
            .seen(long_ago)
            .with("current_sign_in_at", "yesterday"),
        builder
            .external("external_deactivated_not_inactive")
            .seen(builder.days_ago(400))
            .state(UserState::Deactivated)
            .marked(builder, blocked, INACTIVE),
    ]
}
