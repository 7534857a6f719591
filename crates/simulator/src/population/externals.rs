//! Every case of an `external-` account: who was seen when, and what must not be touched.

use jiff::ToSpan;
use serde_json::Value;

use super::{
    ExpectedReason,
    draft::{AccountDraft, by_a_person},
    scene::PopulationBuilder,
};
use crate::gitlab::UserState;

const INACTIVE: ExpectedReason = ExpectedReason::Inactive;

/// Blocks due among [`cases`].
pub(super) const BLOCKS: usize = 3;

/// One of each.
pub(super) fn cases(scene: &mut PopulationBuilder) -> Vec<AccountDraft> {
    let long_ago = scene.days_ago(900);
    let mut cases = due(scene);
    cases.extend(seen_lately(scene));
    cases.extend([
        scene
            .external("external_blocked_by_us")
            .seen(long_ago)
            .blocked_by_us(scene, 100, INACTIVE),
        // Activity does not lift a block of an external account; a person does.
        scene
            .external("external_blocked_by_us_seen_before")
            .blocked_by_us(scene, 12, INACTIVE),
        scene
            .external("external_blocked_by_a_person")
            .seen(long_ago)
            .blocked_by_a_person(scene, 18),
        scene
            .external("external_ldap_blocked")
            .seen(long_ago)
            .state(UserState::LdapBlocked),
        scene
            .external("external_banned")
            .seen(long_ago)
            .state(UserState::Banned),
        scene
            .external("external_pending")
            .seen(long_ago)
            .state(UserState::BlockedPendingApproval),
        scene
            .external("external_exempt")
            .seen(long_ago)
            .attribute("lookup_gitlab_sync_exempt", "true"),
    ]);
    cases
}

fn due(scene: &mut PopulationBuilder) -> Vec<AccountDraft> {
    let mut unflagged = scene
        .external("external_inactive_deactivated_without_flag")
        .seen(scene.days_ago(1_000))
        .state(UserState::Deactivated)
        .becomes_blocked(INACTIVE);
    unflagged.account.external = false;
    vec![
        scene
            .external("external_inactive_since_today")
            .seen(scene.just_inactive())
            .becomes_blocked(INACTIVE),
        scene
            .external("external_never_seen")
            .never_seen()
            .with("confirmed_at", Value::Null)
            .becomes_blocked(INACTIVE),
        unflagged,
    ]
}

/// Kept, each for another of the times that count.
fn seen_lately(scene: &mut PopulationBuilder) -> Vec<AccountDraft> {
    let long_ago = scene.days_ago(900);
    let last_month = scene.days_ago(30);
    // Not the last day itself: a run over midnight would find it a day older.
    let nearly = scene.just_inactive().saturating_add(2.days());
    let blocked = scene.night(30);
    vec![
        scene
            .external("external_reactivated_last_week")
            .seen(long_ago)
            .blocked_by_us(scene, 30, INACTIVE)
            .state(UserState::Active)
            .attribute("unblocked_by", by_a_person(scene.night(7))),
        scene.external("external_active"),
        scene.external("external_nearly_inactive").seen(nearly),
        scene
            .external("external_signed_in_lately")
            .seen(long_ago)
            .with("current_sign_in_at", format!("{last_month}T10:00:00.000Z")),
        scene
            .external("external_created_lately")
            .never_seen()
            .with("created_at", format!("{last_month}T10:00:00.000Z"))
            .with("confirmed_at", Value::Null),
        scene
            .external("external_confirmed_lately")
            .never_seen()
            .with("confirmed_at", format!("{last_month}T10:00:00.000Z")),
        scene
            .external("external_activity_unreadable")
            .seen(long_ago)
            .with("last_activity_on", "0000-00-00"),
        scene
            .external("external_sign_in_unreadable")
            .seen(long_ago)
            .with("current_sign_in_at", "yesterday"),
        scene
            .external("external_deactivated_not_inactive")
            .seen(scene.days_ago(400))
            .state(UserState::Deactivated)
            .marked(scene, blocked, INACTIVE),
    ]
}
