//! Accounts that are nobody's: the service's own, robots, group administrators, what GitLab keeps
//! for itself.

use super::{
    draft::{ADMINISTRATOR, AccountDraft},
    scene::PopulationBuilder,
};
use crate::{
    gitlab::{Kind, OWNER, UserState},
    lookup::SimulatedPerson,
};

/// The service's own account, which gets id 1.
pub(super) fn own_account(scene: &mut PopulationBuilder) -> AccountDraft {
    let mut draft = scene.other("own_account", OWNER).seen(scene.days_ago(1));
    draft.account.is_admin = true;
    draft
}

/// The administrator who acts by hand, who gets id 2. The name could be a CRSid, but nobody has it.
pub(super) fn administrator(scene: &mut PopulationBuilder) -> AccountDraft {
    let mut draft = scene
        .other("administrator", ADMINISTRATOR)
        .seen(scene.days_ago(1));
    draft.account.is_admin = true;
    draft
}

/// One of each.
pub(super) fn cases(scene: &mut PopulationBuilder) -> Vec<AccountDraft> {
    let cancelled = |scene: &mut PopulationBuilder, username: &str| {
        vec![SimulatedPerson::cancelled(username, scene.surname())]
    };
    let bot_name = scene.crsid();
    let mut bot = not_human(
        scene,
        "bot_named_like_a_cancelled_person",
        &bot_name,
        Kind::ServiceAccount,
    );
    bot.people = cancelled(scene, &bot_name);
    // Not `bot`, and yet not human: only `humans=true` leaves it out.
    let mut ghost = not_human(
        scene,
        "ghost_named_like_a_cancelled_person",
        "ghost1",
        Kind::Ghost,
    );
    ghost.people = cancelled(scene, "ghost1");
    let project_bot = format!("project_{}_bot", scene.next());
    let placeholder = scene.crsid();
    let mut placeholder_of_cancelled = not_human(
        scene,
        "placeholder_named_like_a_cancelled_person",
        &placeholder,
        Kind::Placeholder,
    );
    placeholder_of_cancelled.people = cancelled(scene, &placeholder);
    vec![
        robot(scene, "robot_with_external_flag"),
        group_administrator(scene, "group_administrator_of_a_cancelled_person"),
        bot,
        ghost,
        placeholder_of_cancelled,
        not_human(scene, "project_bot", &project_bot, Kind::ProjectBot),
        not_human(scene, "alert_bot", "alert-bot", Kind::AlertBot),
        robot(scene, "robot_blocked_by_a_person").blocked_by_a_person(scene, 200),
        odd_name(scene, "name_out_of_scope"),
        odd_name(scene, "name_out_of_scope_deactivated").state(UserState::Deactivated),
        scene
            .other("name_too_long_for_a_crsid", "christopherson")
            .seen(scene.days_ago(950)),
        scene
            .other("name_ends_like_external", "not-external-visitor")
            .seen(scene.days_ago(950)),
    ]
}

/// A robot of a group. GitLab's `external` flag is on, as it is for robots, and it has not been
/// used for years.
pub(super) fn robot(scene: &mut PopulationBuilder, case: &'static str) -> AccountDraft {
    let username = format!("{}-build{}-bot", scene.group(), scene.next());
    let mut draft = scene.other(case, &username).seen(scene.days_ago(1_050));
    draft.account.external = true;
    draft
}

/// The second account of somebody who administers a group; the person is cancelled.
pub(super) fn group_administrator(
    scene: &mut PopulationBuilder,
    case: &'static str,
) -> AccountDraft {
    let crsid = scene.crsid();
    let username = format!("{}-admin-{crsid}", scene.group());
    let mut draft = scene.other(case, &username).seen(scene.days_ago(100));
    draft
        .people
        .push(SimulatedPerson::cancelled(&crsid, scene.surname()));
    draft
}

/// An account GitLab does not count as human.
pub(super) fn not_human(
    scene: &mut PopulationBuilder,
    case: &'static str,
    username: &str,
    kind: Kind,
) -> AccountDraft {
    let mut draft = scene.other(case, username).never_seen();
    draft.account.kind = kind;
    draft
}

/// A name no pattern knows.
pub(super) fn odd_name(scene: &mut PopulationBuilder, case: &'static str) -> AccountDraft {
    let username = format!("{}.{}", scene.surname().to_lowercase(), scene.next());
    scene.other(case, &username).seen(scene.days_ago(800))
}
