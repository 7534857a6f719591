//! What every population has, whatever its seed and size.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use jiff::civil::{Date, date};
use proptest::prelude::*;
use simulator::{
    gitlab::{GitLabSettings, Kind, OWNER, SimulatedGitLab, SimulatedUser, UserState},
    population::{AccountClass, Expected, ExpectedReason, Population},
};

use crate::asking::ask;

/// The cases that are no bulk, as a large population has them.
static EDGE_CASES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let all = cases(&Population::generate(2_000, 1, TODAY));
    all.into_iter()
        .filter(|case| !case.starts_with("bulk_"))
        .collect()
});

const TODAY: Date = date(2026, 11, 22);

fn share(population: &Population, class: AccountClass) -> f64 {
    let count = population
        .origins()
        .values()
        .filter(|origin| origin.class == class)
        .count();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 accounts")]
    let (count, all) = (count as f64, population.accounts().len() as f64);
    count / all
}

fn cases(population: &Population) -> BTreeSet<&'static str> {
    population
        .origins()
        .values()
        .map(|origin| origin.case)
        .collect()
}

/// Active or deactivated accounts that a run may block.
fn blockable(population: &Population) -> usize {
    let may = |account: &&SimulatedUser| {
        let in_scope = population.origins()[&account.id].class != AccountClass::Other;
        in_scope && matches!(account.state, UserState::Active | UserState::Deactivated)
    };
    population.accounts().iter().filter(may).count()
}

/// Accounts that a run finds blocked by the service: the last word in `blocked_by` is its own, and
/// there is a marker.
fn blocked_by_us(population: &Population) -> usize {
    let ours = |account: &&SimulatedUser| {
        let by_us = |key: &str| {
            account
                .custom_attributes
                .get(key)
                .is_some_and(|by| by.starts_with("lookup-gitlab-sync/1+"))
        };
        account.state == UserState::Blocked
            && by_us("blocked_by")
            && population.origins()[&account.id].class != AccountClass::Other
            && [
                "_unblock_due",
                "_returned",
                "bulk_member_blocked",
                "external_blocked",
                "member_blocked_and",
            ]
            .iter()
            .any(|part| population.origins()[&account.id].case.contains(part))
    };
    population.accounts().iter().filter(ours).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_changes_due_stay_inside_the_default_guard(users in 50_usize..1_600, seed: u64) {
        let population = Population::generate(users, seed, TODAY);
        let counts = population.counts();
        prop_assert_eq!(counts.accounts, users);
        let allowed_blocks = (blockable(&population) * 4 / 100).max(10);
        let allowed_unblocks = (blocked_by_us(&population) * 25 / 100).max(10);
        prop_assert!(counts.blocks <= allowed_blocks, "{} of {allowed_blocks}", counts.blocks);
        prop_assert!(counts.unblocks <= allowed_unblocks, "{} of {allowed_unblocks}", counts.unblocks);
        prop_assert!(counts.blocks >= 1 && counts.unblocks >= 1);
    }

    #[test]
    fn the_same_arguments_make_the_same_population(users in 0_usize..400, seed: u64) {
        let population = Population::generate(users, seed, TODAY);
        prop_assert_eq!(&population, &Population::generate(users, seed, TODAY));
        if users > 2 {
            prop_assert_ne!(&population, &Population::generate(users, seed.wrapping_add(1), TODAY));
        }
    }

    #[test]
    fn every_edge_case_is_there_once_from_a_hundred_accounts_on(users in 100_usize..600, seed: u64) {
        let population = Population::generate(users, seed, TODAY);
        for case in EDGE_CASES.iter() {
            let count = population.origins().values().filter(|origin| origin.case == *case).count();
            prop_assert_eq!(count, 1, "{}", case);
        }
        prop_assert!(EDGE_CASES.len() > 70);
    }

    #[test]
    fn lookup_knows_far_more_than_half_of_the_members(users in 50_usize..600, seed: u64) {
        let population = Population::generate(users, seed, TODAY);
        let known: BTreeSet<&str> = population.people().iter().map(|person| person.crsid.as_str()).collect();
        let members: Vec<String> = population
            .accounts()
            .iter()
            .filter(|account| population.origins()[&account.id].class == AccountClass::Member)
            .map(|account| account.username.to_lowercase())
            .collect();
        let found = members.iter().filter(|crsid| known.contains(crsid.as_str())).count();
        prop_assert!(found * 10 >= members.len() * 7, "{found} of {}", members.len());
    }

    #[test]
    fn ids_usernames_and_people_are_there_once(users in 0_usize..1_500, seed: u64) {
        let population = Population::generate(users, seed, TODAY);
        let ids: BTreeSet<u64> = population.accounts().iter().map(|account| account.id).collect();
        let names: BTreeSet<String> =
            population.accounts().iter().map(|account| account.username.to_lowercase()).collect();
        let crsids: BTreeSet<&str> = population.people().iter().map(|person| person.crsid.as_str()).collect();
        prop_assert_eq!(ids.len(), population.accounts().len());
        prop_assert_eq!(names.len(), population.accounts().len());
        prop_assert_eq!(crsids.len(), population.people().len());
        let first = &population.accounts()[0];
        prop_assert_eq!((first.id, first.username.as_str(), first.is_admin), (1, OWNER, true));
    }

    #[test]
    fn on_any_day_the_boundary_is_24_calendar_months(days in 0_i32..3_000) {
        let today = date(2024, 1, 1).saturating_add(jiff::Span::new().days(days));
        let population = Population::generate(200, 5, today);
        let seen = |case: &str| -> Date {
            let (id, _) = population.origins().iter().find(|(_, origin)| origin.case == case).unwrap();
            let account = population.accounts().iter().find(|account| account.id == *id).unwrap();
            account.others["last_activity_on"].as_str().unwrap().parse().unwrap()
        };
        // Month by month, so that this is not the generator's own sum: same day of the month two
        // years on, or the month's last where it is shorter.
        let lapses = |day: Date| {
            let month = date(day.year() + 2, day.month(), 1);
            date(month.year(), month.month(), day.day().min(month.days_in_month()))
        };
        prop_assert!(lapses(seen("external_inactive_since_today")) <= today);
        prop_assert!(lapses(seen("external_inactive_since_today").tomorrow().unwrap()) > today);
        prop_assert!(lapses(seen("external_nearly_inactive")) > today);
    }
}

#[test]
fn a_large_population_has_the_shares_of_a_real_one() {
    let population = Population::generate(20_000, 1, TODAY);
    for (class, expected) in [
        (AccountClass::Member, 0.80),
        (AccountClass::External, 0.12),
        (AccountClass::Other, 0.08),
    ] {
        let share = share(&population, class);
        assert!((share - expected).abs() < 0.01, "{class:?}: {share}");
    }
    let counts = population.counts();
    assert_eq!((counts.blocks, counts.unblocks), (160, 40));
    assert!(blocked_by_us(&population) > 400);
}

#[test]
fn every_state_and_kind_and_end_is_there() {
    let population = Population::generate(300, 9, TODAY);
    for state in [
        UserState::Active,
        UserState::Blocked,
        UserState::LdapBlocked,
        UserState::Deactivated,
        UserState::Banned,
        UserState::BlockedPendingApproval,
    ] {
        assert!(
            population
                .accounts()
                .iter()
                .any(|account| account.state == state),
            "{state:?}"
        );
    }
    for kind in [
        Kind::ServiceAccount,
        Kind::ProjectBot,
        Kind::Ghost,
        Kind::Placeholder,
        Kind::AlertBot,
    ] {
        assert!(
            population
                .accounts()
                .iter()
                .any(|account| account.kind == kind),
            "{kind:?}"
        );
    }
    let ends: Vec<Expected> = population.expected().values().copied().collect();
    for end in [
        Expected::Blocked {
            reason: ExpectedReason::CancelledInLookup,
        },
        Expected::Blocked {
            reason: ExpectedReason::Inactive,
        },
        Expected::Unblocked,
        Expected::Untouched,
    ] {
        assert!(ends.contains(&end), "{end:?}");
    }
}

#[test]
fn the_smallest_population_is_the_services_own_account() {
    for users in [0, 1] {
        let population = Population::generate(users, 1, TODAY);
        let names: Vec<&str> = population
            .accounts()
            .iter()
            .map(|account| account.username.as_str())
            .collect();
        assert_eq!(names, [OWNER]);
    }
}

/// Does by plain calls what a run should do, and nothing else.
async fn carry_out(gitlab: &SimulatedGitLab, population: &Population) {
    for (id, expected) in population.expected() {
        match expected {
            Expected::Untouched | Expected::Refused | Expected::Contested { .. } => {}
            Expected::Unblocked => {
                assert_eq!(
                    ask(gitlab, "POST", &format!("/users/{id}/unblock"))
                        .await
                        .body,
                    "true"
                );
            }
            Expected::Blocked { reason } => {
                let marker = format!(r#"{{"v":1,"reason":"{}"}}"#, reason.as_str());
                let path = format!("/users/{id}/custom_attributes/lookup_gitlab_sync");
                let put = crate::asking::request(gitlab, "PUT", &path).form(&[("value", marker)]);
                assert_eq!(crate::asking::send(put).await.status, 200);
                assert_eq!(
                    ask(gitlab, "POST", &format!("/users/{id}/block"))
                        .await
                        .body,
                    "true"
                );
            }
        }
    }
}

async fn start(population: &Population) -> SimulatedGitLab {
    let accounts = population.accounts().to_vec();
    SimulatedGitLab::start(GitLabSettings {
        accounts,
        ..GitLabSettings::default()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn the_check_is_content_once_every_change_due_is_made_and_not_before() {
    let population = Population::generate(150, 2, TODAY);
    let gitlab = start(&population).await;
    let counts = population.counts();
    assert_eq!(
        population.check(&gitlab.snapshot()).len(),
        counts.blocks + counts.unblocks
    );
    carry_out(&gitlab, &population).await;
    assert_eq!(population.check(&gitlab.snapshot()), []);
}

#[tokio::test]
async fn the_check_names_every_account_that_ended_otherwise() {
    let population = Population::generate(150, 2, TODAY);
    let gitlab = start(&population).await;
    carry_out(&gitlab, &population).await;
    let of = |case: &str| {
        *population
            .origins()
            .iter()
            .find(|(_, origin)| origin.case == case)
            .unwrap()
            .0
    };
    let (banned, robot, current) = (
        of("member_banned"),
        of("robot_with_external_flag"),
        of("member_current"),
    );
    let (unmarked, by_hand, back) = (
        of("member_cancelled"),
        of("external_never_seen"),
        of("member_unblock_due"),
    );
    let change = |id, change| gitlab.change_user(id, change).unwrap();
    ask(&gitlab, "POST", &format!("/users/{banned}/unblock")).await;
    gitlab.delete_user(robot);
    change(
        current,
        serde_json::json!({"custom_attributes": {"lookup_gitlab_sync": "{}"}}),
    );
    change(
        unmarked,
        serde_json::json!({"custom_attributes": {"lookup_gitlab_sync": "{}"}}),
    );
    change(
        by_hand,
        serde_json::json!({"custom_attributes": {"blocked_by": "root/2+2026-11-01 02:00:03 UTC"}}),
    );
    change(back, serde_json::json!({"state": "blocked"}));
    change(999_999, serde_json::json!({"username": "new1"}));
    let found: BTreeMap<u64, String> = population
        .check(&gitlab.snapshot())
        .into_iter()
        .map(|mismatch| (mismatch.id, mismatch.to_string()))
        .collect();
    let ids: BTreeSet<u64> = found.keys().copied().collect();
    assert_eq!(
        ids,
        BTreeSet::from([banned, robot, current, unmarked, by_hand, back, 999_999])
    );
    assert!(
        found[&banned].contains("member_banned"),
        "{}",
        found[&banned]
    );
    assert!(found[&robot].ends_with("it is gone"));
    assert!(found[&999_999].contains("was not there at the start"));
}
