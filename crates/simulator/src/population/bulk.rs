//! The many ordinary accounts around the edge cases, in the shares of a real GitLab.

use super::{
    AccountClass, Expected, ExpectedReason, draft::AccountDraft, externals, members, others,
    scene::PopulationBuilder,
};
use crate::gitlab::{Kind, UserState};

/// Adds accounts up to `users`. The changes due are counted out, not drawn, so that no seed goes
/// past the guard.
pub(super) fn fill(scene: &mut PopulationBuilder, drafts: &mut Vec<AccountDraft>, users: usize) {
    let missing = users.saturating_sub(drafts.len());
    let there = |class| drafts.iter().filter(|draft| draft.class == class).count();
    let members = (users * 80 / 100)
        .saturating_sub(there(AccountClass::Member))
        .min(missing);
    let externals = (users * 12 / 100)
        .saturating_sub(there(AccountClass::External))
        .min(missing - members);
    let rest = missing - members - externals;

    let blocks = (users * 8 / 1000).saturating_sub(members::BLOCKS + externals::BLOCKS);
    let external_blocks = (blocks / 4).min(externals);
    let member_blocks = (blocks - external_blocks).min(members);
    let unblocks = (users * 2 / 1000)
        .saturating_sub(members::UNBLOCKS)
        .min(members - member_blocks);

    drafts.extend((0..member_blocks).map(|_| cancelled(scene)));
    drafts.extend((0..unblocks).map(|_| returned(scene)));
    drafts.extend((member_blocks + unblocks..members).map(|_| member(scene)));
    drafts.extend((0..external_blocks).map(|_| inactive(scene)));
    drafts.extend((external_blocks..externals).map(|_| external(scene)));
    drafts.extend((0..rest).map(|_| other(scene)));
}

fn cancelled(scene: &mut PopulationBuilder) -> AccountDraft {
    scene
        .member("bulk_member_cancelled")
        .cancelled()
        .becomes_blocked(ExpectedReason::CancelledInLookup)
}

fn returned(scene: &mut PopulationBuilder) -> AccountDraft {
    let days = 10 + scene.upto(300);
    scene
        .member("bulk_member_returned")
        .blocked_by_us(scene, days, ExpectedReason::CancelledInLookup)
        .becomes(Expected::Unblocked)
}

/// A member to be left alone.
fn member(scene: &mut PopulationBuilder) -> AccountDraft {
    let days = 10 + scene.upto(500);
    match scene.upto(200) {
        1..=6 => scene
            .member("bulk_member_blocked")
            .cancelled()
            .blocked_by_us(scene, days, ExpectedReason::CancelledInLookup),
        7 => scene
            .member("bulk_member_blocked_by_a_person")
            .blocked_by_a_person(scene, days),
        8 => scene
            .member("bulk_member_cancelled_and_blocked_by_a_person")
            .cancelled()
            .blocked_by_a_person(scene, days),
        9..=12 => scene
            .member("bulk_member_deactivated")
            .state(UserState::Deactivated)
            .seen(scene.days_ago(100 + days)),
        13 => scene.member("bulk_member_not_in_lookup").absent(),
        14 => scene
            .member("bulk_member_ldap_blocked")
            .cancelled()
            .state(UserState::LdapBlocked),
        _ => student_or_staff(scene),
    }
}

fn student_or_staff(scene: &mut PopulationBuilder) -> AccountDraft {
    let draft = scene.member("bulk_member");
    if scene.chance(40) {
        return draft;
    }
    draft.person(|person| {
        person
            .with("misAffiliation", "student")
            .with("staff", false)
            .with("student", true)
    })
}

fn inactive(scene: &mut PopulationBuilder) -> AccountDraft {
    let seen = scene
        .just_inactive()
        .saturating_sub(jiff::Span::new().days(scene.upto(300)));
    scene
        .external("bulk_external_inactive")
        .seen(seen)
        .becomes_blocked(ExpectedReason::Inactive)
}

/// An external account to be left alone.
fn external(scene: &mut PopulationBuilder) -> AccountDraft {
    let days = 10 + scene.upto(300);
    match scene.upto(20) {
        1..=3 => {
            let seen = scene.days_ago(750 + days);
            scene
                .external("bulk_external_blocked")
                .seen(seen)
                .blocked_by_us(scene, days, ExpectedReason::Inactive)
        }
        4 => scene
            .external("bulk_external_deactivated")
            .seen(scene.days_ago(100 + days))
            .state(UserState::Deactivated),
        _ => scene.external("bulk_external"),
    }
}

fn other(scene: &mut PopulationBuilder) -> AccountDraft {
    match scene.upto(20) {
        1..=8 => others::robot(scene, "bulk_robot"),
        9..=13 => {
            let username = format!("service_account_{}", scene.next());
            others::not_human(
                scene,
                "bulk_service_account",
                &username,
                Kind::ServiceAccount,
            )
        }
        14..=17 => others::group_administrator(scene, "bulk_group_administrator"),
        _ => others::odd_name(scene, "bulk_odd_name"),
    }
}
