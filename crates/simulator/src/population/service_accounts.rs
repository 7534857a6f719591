//! Accounts that are nobody's: the service's own, robots, group administrators, what GitLab keeps
//! for itself.

use super::{
    builder::PopulationBuilder,
    draft::{ADMINISTRATOR, AccountDraft},
};
use crate::{
    gitlab::{Kind, OWNER, UserState},
    lookup::SimulatedPerson,
};

/// The service's own account, which gets id 1.
pub(super) fn own_account(builder: &mut PopulationBuilder) -> AccountDraft {
    let mut draft = builder
        .other("own_account", OWNER)
        .seen(builder.days_ago(1));
    draft.account.is_admin = true;
    draft
}

/// The administrator who acts by hand, who gets id 2. The name could be a CRSid, but nobody has it.
pub(super) fn administrator(builder: &mut PopulationBuilder) -> AccountDraft {
    let mut draft = builder
        .other("administrator", ADMINISTRATOR)
        .seen(builder.days_ago(1));
    draft.account.is_admin = true;
    draft
}

/// One of each.
pub(super) fn cases(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    let cancelled = |builder: &mut PopulationBuilder, username: &str| {
        vec![SimulatedPerson::cancelled(username, builder.surname())]
    };
    let bot_name = builder.crsid();
    let mut bot = not_human(
        builder,
        "bot_named_like_a_cancelled_person",
        &bot_name,
        Kind::ServiceAccount,
    );
    bot.people = cancelled(builder, &bot_name);
    // Not `bot`, and yet not human: only `humans=true` leaves it out.
    let mut ghost = not_human(
        builder,
        "ghost_named_like_a_cancelled_person",
        "ghost1",
        Kind::Ghost,
    );
    ghost.people = cancelled(builder, "ghost1");
    let project_bot = format!("project_{}_bot", builder.next());
    let placeholder = builder.crsid();
    let mut placeholder_of_cancelled = not_human(
        builder,
        "placeholder_named_like_a_cancelled_person",
        &placeholder,
        Kind::Placeholder,
    );
    placeholder_of_cancelled.people = cancelled(builder, &placeholder);
    vec![
        robot(builder, "robot_with_external_flag"),
        group_administrator(builder, "group_administrator_of_a_cancelled_person"),
        bot,
        ghost,
        placeholder_of_cancelled,
        not_human(builder, "project_bot", &project_bot, Kind::ProjectBot),
        not_human(builder, "alert_bot", "alert-bot", Kind::AlertBot),
        robot(builder, "robot_blocked_by_a_person").blocked_by_a_person(builder, 200),
        odd_name(builder, "name_out_of_scope"),
        odd_name(builder, "name_out_of_scope_deactivated").state(UserState::Deactivated),
        builder
            .other("name_too_long_for_a_crsid", "christopherson")
            .seen(builder.days_ago(950)),
        builder
            .other("name_ends_like_external", "not-external-visitor")
            .seen(builder.days_ago(950)),
    ]
}

/// A robot of a group. GitLab's `external` flag is on, as it is for robots, and it has not been
/// used for years.
pub(super) fn robot(builder: &mut PopulationBuilder, case: &'static str) -> AccountDraft {
    let username = format!("{}-build{}-bot", builder.group(), builder.next());
    let mut draft = builder.other(case, &username).seen(builder.days_ago(1_050));
    draft.account.external = true;
    draft
}

/// The second account of somebody who administers a group; the person is cancelled.
pub(super) fn group_administrator(
    builder: &mut PopulationBuilder,
    case: &'static str,
) -> AccountDraft {
    let crsid = builder.crsid();
    let username = format!("{}-admin-{crsid}", builder.group());
    let mut draft = builder.other(case, &username).seen(builder.days_ago(100));
    draft
        .people
        .push(SimulatedPerson::cancelled(&crsid, builder.surname()));
    draft
}

/// An account GitLab does not count as human.
pub(super) fn not_human(
    builder: &mut PopulationBuilder,
    case: &'static str,
    username: &str,
    kind: Kind,
) -> AccountDraft {
    let mut draft = builder.other(case, username).never_seen();
    draft.account.kind = kind;
    draft
}

/// A name no pattern knows.
pub(super) fn odd_name(builder: &mut PopulationBuilder, case: &'static str) -> AccountDraft {
    let username = format!("{}.{}", builder.surname().to_lowercase(), builder.next());
    builder.other(case, &username).seen(builder.days_ago(800))
}
