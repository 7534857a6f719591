//! Every case of a member's account. The first of them are the ones a small population has.

use jiff::tz::{Offset, TimeZone};

use super::{
    Expected, ExpectedReason,
    builder::PopulationBuilder,
    draft::{AccountDraft, MARKER, after, by_a_person, by_us, stamp},
};
use crate::{
    gitlab::{UserIdentity, UserState},
    lookup::SimulatedPerson,
};

const CANCELLED: ExpectedReason = ExpectedReason::CancelledInLookup;

/// Blocks due among [`cases`].
pub(super) const BLOCKS: usize = 6;

/// Unblocks due among [`cases`].
pub(super) const UNBLOCKS: usize = 4;

/// One of each.
pub(super) fn cases(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    let mut cases = plain(builder);
    cases.extend(to_be_blocked(builder));
    cases.extend(to_be_unblocked(builder));
    cases.extend(blocked_by_others(builder));
    cases.extend(unknown_to_lookup(builder));
    cases.extend(in_states_of_others(builder));
    cases.extend(exempt(builder));
    cases
}

/// The four plain rows of the table.
fn plain(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    vec![
        builder.member("member_current"),
        builder
            .member("member_cancelled")
            .cancelled()
            .becomes_blocked(CANCELLED),
        builder
            .member("member_unblock_due")
            .blocked_by_us(builder, 40, CANCELLED)
            .becomes(Expected::Unblocked),
        builder
            .member("member_blocked_and_cancelled")
            .cancelled()
            .blocked_by_us(builder, 90, CANCELLED),
        builder
            .member("member_blocked_by_a_person")
            .blocked_by_a_person(builder, 30),
        builder
            .member("member_deactivated")
            .state(UserState::Deactivated)
            .seen(builder.days_ago(200)),
    ]
}

fn to_be_blocked(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    let upper = builder.crsid().to_uppercase();
    let mut administrator = builder
        .member("member_cancelled_administrator")
        .cancelled()
        .becomes_blocked(CANCELLED);
    administrator.account.is_admin = true;
    let (blocked, unblocked) = (builder.night(60), builder.night(55));
    vec![
        administrator,
        builder
            .member("member_cancelled_deactivated")
            .state(UserState::Deactivated)
            .seen(builder.days_ago(300))
            .cancelled()
            .becomes_blocked(CANCELLED),
        builder
            .member("member_cancelled_unblocked_by_a_person")
            .cancelled()
            .marked(builder, blocked, CANCELLED)
            .attribute("blocked_by", by_us(after(blocked, 2)))
            .attribute("unblocked_by", by_a_person(unblocked))
            .becomes_blocked(CANCELLED),
        builder
            .member_named("member_cancelled_in_upper_case", &upper)
            .never_seen()
            .cancelled()
            .becomes_blocked(CANCELLED),
        // Killed between the marker and the block.
        builder
            .member("member_cancelled_block_interrupted")
            .cancelled()
            .marked(builder, builder.night(3), CANCELLED)
            .becomes_blocked(CANCELLED),
    ]
}

fn to_be_unblocked(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    let at = builder.night(35);
    let ahead = TimeZone::fixed(Offset::constant(1));
    let local = after(at, 4)
        .to_zoned_datetime(ahead)
        .strftime("%Y-%m-%d %H:%M:%S %z")
        .to_string();
    let (first, again) = (builder.night(80), builder.night(20));
    vec![
        builder
            .member("member_unblock_due_time_with_offset")
            .state(UserState::Blocked)
            .marked(builder, at, CANCELLED)
            .attribute("blocked_by", format!("lookup-gitlab-sync/1+{local}"))
            .becomes(Expected::Unblocked),
        builder
            .member("member_unblock_due_after_an_older_unblock")
            .blocked_by_us(builder, 20, CANCELLED)
            .attribute("unblocked_by", by_a_person(after(first, 600)))
            .becomes(Expected::Unblocked),
        builder
            .member("member_unblock_due_nine_minutes_after_the_marker")
            .state(UserState::Blocked)
            .marked(builder, again, CANCELLED)
            .attribute("blocked_by", by_us(after(again, 9 * 60)))
            .becomes(Expected::Unblocked),
        // Marked, never blocked, and current: nothing is left to do.
        builder
            .member("member_marked_but_never_blocked")
            .marked(builder, at, CANCELLED),
    ]
}

/// Blocked, current, and yet not ours to unblock.
fn blocked_by_others(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    let (old, at) = (builder.night(400), builder.night(50));
    let marked = |builder: &mut PopulationBuilder, case| {
        builder
            .member(case)
            .state(UserState::Blocked)
            .marked(builder, at, CANCELLED)
    };
    let by_hand = builder
        .member("member_blocked_with_our_token_by_hand")
        .state(UserState::Blocked);
    vec![
        builder
            .member("member_marker_stale")
            .blocked_by_a_person(builder, 15)
            .marked(builder, old, CANCELLED)
            .attribute("unblocked_by", by_us(builder.night(300))),
        marked(builder, "member_marker_time_differs")
            .attribute("blocked_by", by_us(after(at, 2 * 60 * 60))),
        marked(builder, "member_marker_time_differs_by_eleven_minutes")
            .attribute("blocked_by", by_us(after(at, 11 * 60))),
        by_hand.attribute("blocked_by", by_us(at)),
        builder
            .member("member_marker_unreadable")
            .state(UserState::Blocked)
            .attribute(MARKER, "cancelled in Lookup")
            .attribute("blocked_by", by_us(at)),
        marked(builder, "member_blocked_by_unreadable")
            .attribute("blocked_by", "lookup-gitlab-sync/1+last Tuesday"),
        marked(builder, "member_blocked_by_our_name_with_another_id").attribute(
            "blocked_by",
            stamp("lookup-gitlab-sync", 4_000_000, after(at, 3)),
        ),
        marked(builder, "member_unblocked_since_and_blocked_without_trace")
            .attribute("blocked_by", by_us(after(at, 3)))
            .attribute("unblocked_by", by_a_person(builder.night(10))),
        builder
            .member("member_blocked_without_trace")
            .state(UserState::Blocked),
        builder
            .member("member_cancelled_blocked_by_a_person")
            .cancelled()
            .blocked_by_a_person(builder, 70),
    ]
}

/// Lookup says neither yes nor no.
fn unknown_to_lookup(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    vec![
        builder.member("member_not_in_lookup").absent(),
        builder
            .member("member_blocked_and_not_in_lookup")
            .blocked_by_us(builder, 25, CANCELLED)
            .absent(),
        builder
            .member("member_cancelled_missing")
            .person(|person| person.without("cancelled")),
        builder
            .member("member_cancelled_is_text")
            .person(|person| person.with("cancelled", "true")),
        builder
            .member("member_cancelled_is_null")
            .person(|person| person.with("cancelled", serde_json::Value::Null)),
        builder
            .member("member_cancelled_is_a_number")
            .person(|person| person.with("cancelled", 1)),
        builder
            .member("member_blocked_and_cancelled_is_text")
            .blocked_by_us(builder, 45, CANCELLED)
            .person(|person| person.with("cancelled", "false")),
    ]
}

/// States that are not ours to change, whatever Lookup says.
fn in_states_of_others(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    vec![
        builder
            .member("member_cancelled_ldap_blocked")
            .cancelled()
            .state(UserState::LdapBlocked),
        builder
            .member("member_ldap_blocked")
            .blocked_by_us(builder, 65, CANCELLED)
            .state(UserState::LdapBlocked),
        // Unblocking it would lift the ban.
        builder
            .member("member_banned")
            .blocked_by_us(builder, 75, CANCELLED)
            .state(UserState::Banned),
        builder
            .member("member_cancelled_banned")
            .cancelled()
            .state(UserState::Banned),
        // Unblocking it would approve the account.
        builder
            .member("member_pending")
            .blocked_by_us(builder, 85, CANCELLED)
            .state(UserState::BlockedPendingApproval),
        builder
            .member("member_cancelled_pending")
            .never_seen()
            .cancelled()
            .state(UserState::BlockedPendingApproval),
    ]
}

/// Spared, or shown in a way that must not matter.
fn exempt(builder: &mut PopulationBuilder) -> Vec<AccountDraft> {
    const EXEMPT: &str = "lookup_gitlab_sync_exempt";
    let mut external_flag = builder
        .member("member_with_gitlabs_external_flag")
        .seen(builder.days_ago(1_000));
    external_flag.account.external = true;
    let mut sparse = builder.member("member_with_a_sparse_row").never_seen();
    for key in [
        "locked",
        "scim_identities",
        "confirmed_at",
        "email",
        "commit_email",
    ] {
        sparse.account = sparse.account.without(key);
    }
    sparse.account.identities.clear();
    vec![
        builder
            .member("member_cancelled_exempt")
            .cancelled()
            .attribute(EXEMPT, "agreed with the department"),
        builder
            .member("member_blocked_exempt")
            .blocked_by_us(builder, 95, CANCELLED)
            .attribute(EXEMPT, "true"),
        external_flag,
        sparse,
        builder.member_named("member_without_digits", "spqr"),
        identities_disagree(builder),
    ]
}

/// The username's person is current, the identity's is cancelled; by default the username counts.
fn identities_disagree(builder: &mut PopulationBuilder) -> AccountDraft {
    let mut draft = builder.member("member_identity_of_another");
    let other = builder.crsid();
    let extern_uid = format!("{other}@example.ac.uk");
    draft.account.identities = vec![UserIdentity::new("saml", &extern_uid)];
    draft
        .people
        .push(SimulatedPerson::cancelled(&other, builder.surname()));
    draft
}
