//! The many ordinary accounts around the edge cases, in the shares of a real GitLab.

use super::{
    AccountClass, Expected, ExpectedReason, builder::PopulationBuilder, draft::AccountDraft,
    externals, members, service_accounts,
};
use crate::gitlab::{Kind, UserState};

/// Adds accounts up to `users`. The changes due are counted out, not drawn, so that no seed goes
/// past the guard.
pub(super) fn fill(builder: &mut PopulationBuilder, drafts: &mut Vec<AccountDraft>, users: usize) {
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

    drafts.extend((0..member_blocks).map(|_| cancelled(builder)));
    drafts.extend((0..unblocks).map(|_| returned(builder)));
    drafts.extend((member_blocks + unblocks..members).map(|_| member(builder)));
    drafts.extend((0..external_blocks).map(|_| inactive(builder)));
    drafts.extend((external_blocks..externals).map(|_| external(builder)));
    drafts.extend((0..rest).map(|_| other(builder)));
}

fn cancelled(builder: &mut PopulationBuilder) -> AccountDraft {
    builder
        .member("bulk_member_cancelled")
        .cancelled()
        .becomes_blocked(ExpectedReason::CancelledInLookup)
}

fn returned(builder: &mut PopulationBuilder) -> AccountDraft {
    let days = 10 + builder.upto(300);
    builder
        .member("bulk_member_returned")
        .blocked_by_us(builder, days, ExpectedReason::CancelledInLookup)
        .becomes(Expected::Unblocked)
}

/// A member to be left alone.
fn member(builder: &mut PopulationBuilder) -> AccountDraft {
    let days = 10 + builder.upto(500);
    match builder.upto(200) {
        1..=6 => builder
            .member("bulk_member_blocked")
            .cancelled()
            .blocked_by_us(builder, days, ExpectedReason::CancelledInLookup),
        7 => builder
            .member("bulk_member_blocked_by_a_person")
            .blocked_by_a_person(builder, days),
        8 => builder
            .member("bulk_member_cancelled_and_blocked_by_a_person")
            .cancelled()
            .blocked_by_a_person(builder, days),
        9..=12 => builder
            .member("bulk_member_deactivated")
            .state(UserState::Deactivated)
            .seen(builder.days_ago(100 + days)),
        13 => builder.member("bulk_member_not_in_lookup").absent(),
        14 => builder
            .member("bulk_member_ldap_blocked")
            .cancelled()
            .state(UserState::LdapBlocked),
        _ => student_or_staff(builder),
    }
}

fn student_or_staff(builder: &mut PopulationBuilder) -> AccountDraft {
    let draft = builder.member("bulk_member");
    if builder.chance(40) {
        return draft;
    }
    draft.person(|person| {
        person
            .with("misAffiliation", "student")
            .with("staff", false)
            .with("student", true)
    })
}

fn inactive(builder: &mut PopulationBuilder) -> AccountDraft {
    let seen = builder
        .just_inactive()
        .saturating_sub(jiff::Span::new().days(builder.upto(300)));
    builder
        .external("bulk_external_inactive")
        .seen(seen)
        .becomes_blocked(ExpectedReason::Inactive)
}

/// An external account to be left alone.
fn external(builder: &mut PopulationBuilder) -> AccountDraft {
    let days = 10 + builder.upto(300);
    match builder.upto(20) {
        1..=3 => {
            let seen = builder.days_ago(750 + days);
            builder
                .external("bulk_external_blocked")
                .seen(seen)
                .blocked_by_us(builder, days, ExpectedReason::Inactive)
        }
        4 => builder
            .external("bulk_external_deactivated")
            .seen(builder.days_ago(100 + days))
            .state(UserState::Deactivated),
        _ => builder.external("bulk_external"),
    }
}

fn other(builder: &mut PopulationBuilder) -> AccountDraft {
    match builder.upto(20) {
        1..=8 => service_accounts::robot(builder, "bulk_robot"),
        9..=13 => {
            let username = format!("service_account_{}", builder.next());
            service_accounts::not_human(
                builder,
                "bulk_service_account",
                &username,
                Kind::ServiceAccount,
            )
        }
        14..=17 => service_accounts::group_administrator(builder, "bulk_group_administrator"),
        _ => service_accounts::odd_name(builder, "bulk_odd_name"),
    }
}
