//! Blocks of an earlier service: which are adopted, which never, and what follows.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use simulator::{
    control::InjectedFault,
    gitlab::{OWNER, SimulatedUser, UserState},
    lookup::SimulatedPerson,
};
use testkit::environment::ServiceEnvironment;

use super::whose::{MARKER, blocked};
use crate::support::environment;

/// The account that the earlier service used, and GitLab's record of what it blocked.
const EARLIER: &str = "old-sync/17";
const ADOPT: [&str; 3] = ["adopt", "--blocked-by", "17"];
const PREDECESSOR: (&str, &str) = ("LOOKUP_GITLAB_SYNC__USERS__PREDECESSORS", "[17]");
const MARK: &str = "old_sync_blocked";

fn in_state(id: u64, state: UserState) -> SimulatedUser {
    SimulatedUser {
        state,
        ..SimulatedUser::new(id, &format!("ab{id}"))
    }
}

fn by_earlier(id: u64) -> SimulatedUser {
    blocked(id, &format!("ab{id}"), EARLIER)
}

fn unblocked(id: u64, by: &str, at: &str) -> SimulatedUser {
    by_earlier(id).with_attribute("unblocked_by", format!("{by}+2026-01-10 {at} UTC"))
}

/// Every case: the account, and what `adopt --blocked-by 17` says of it.
fn cases() -> Vec<(SimulatedUser, &'static str)> {
    vec![
        (by_earlier(40), "adopted"),
        (unblocked(41, "old-sync/17", "02:00:02"), "adopted"),
        (unblocked(42, "admin/7", "02:00:03"), "unblocked_since"),
        (unblocked(43, "admin/7", "05:00:00"), "unblocked_since"),
        (
            by_earlier(44).with_attribute("unblocked_by", "nonsense"),
            "unblocked_since",
        ),
        (in_state(45, UserState::Banned), "banned"),
        (in_state(46, UserState::LdapBlocked), "identity_provider"),
        (in_state(47, UserState::Blocked), "no_record"),
        (
            in_state(48, UserState::Blocked).with_attribute("blocked_by", "nonsense"),
            "unreadable_record",
        ),
        (blocked(49, "ab49", "admin/7"), "another_account"),
        // A username that reads like the earlier service's record.
        (blocked(50, "ab50", "old-sync/17+2026/8"), "another_account"),
        (
            by_earlier(51).with_attribute("lookup_gitlab_sync_exempt", "yes"),
            "not_in_scope",
        ),
        (blocked(52, "nobody-we-know", EARLIER), "not_in_scope"),
        (
            blocked(53, "ab53", &format!("{OWNER}/1")).with_attribute("lookup_gitlab_sync", MARKER),
            "already_ours",
        ),
        // An older marker of ours is overwritten.
        (
            by_earlier(54).with_attribute(
                "lookup_gitlab_sync",
                r#"{"v":1,"reason":"inactive","at":"2025-01-01T00:00:00Z","run":"r"}"#,
            ),
            "adopted",
        ),
        (blocked(55, "external-jonas", EARLIER), "adopted"),
        (
            in_state(56, UserState::Blocked).with_attribute(MARK, "2025-12-24"),
            "no_record",
        ),
        (
            in_state(57, UserState::Blocked)
                .with_attribute(MARK, "yes")
                .with_attribute("unblocked_by", "admin/7+2020-01-10 05:00:00 UTC"),
            "no_record",
        ),
        (in_state(58, UserState::Active), ""),
        (by_earlier(59).with_attribute(MARK, "2025-12-24"), "adopted"),
        (
            SimulatedUser {
                state: UserState::Deactivated,
                ..by_earlier(60)
            },
            "",
        ),
    ]
}

async fn scene() -> ServiceEnvironment {
    let accounts: Vec<_> = cases().into_iter().map(|(account, _)| account).collect();
    let people = (40..61).map(|id| SimulatedPerson::current(&format!("ab{id}"), "Here"));
    environment(accounts, people.collect()).await
}

/// What is said of each account, by id: the reason where it is left, else the outcome.
async fn judged(
    scene: &ServiceEnvironment,
    more: &[&str],
    exit: i32,
) -> (BTreeMap<u64, String>, Value) {
    let arguments = [&ADOPT[..], &["--all", "--output", "json"], more].concat();
    let ran = scene.run(&arguments, &[PREDECESSOR]).await;
    assert_eq!(ran.status.code(), Some(exit), "{ran:?}");
    let text = String::from_utf8(ran.stdout).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summary = lines.pop().unwrap();
    let of_line = |line: &Value| {
        let word = line["reason"].as_str().or(line["outcome"].as_str());
        (line["id"].as_u64().unwrap(), word.unwrap().to_owned())
    };
    (lines.iter().map(of_line).collect(), summary)
}

fn refuse_markers(scene: &ServiceEnvironment, path: &str) {
    let fault = InjectedFault {
        status: Some(422),
        body: Some(json!({"message": "not now"})),
        ..InjectedFault::on("PUT", path)
    };
    scene.servers.gitlab.control().inject(fault).unwrap();
}

fn expected(adopted: &str) -> BTreeMap<u64, String> {
    let judged = cases().into_iter().filter(|(_, word)| !word.is_empty());
    let word = |word: &str| word.replace("adopted", adopted);
    judged.map(|(account, is)| (account.id, word(is))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_an_earlier_services_block_is_adopted_or_left_for_its_reason() {
    let mut scene = scene().await;
    let (dry, summary) = judged(&scene, &["--dry-run"], 0).await;
    assert_eq!(dry, expected("would_adopt"));
    assert_eq!(summary["would_adopt"], 5);
    assert_eq!(scene.writes(), 0);

    let (done, summary) = judged(&scene, &[], 0).await;
    assert_eq!(done, expected("adopted"));
    assert_eq!(
        (&summary["adopted"], &summary["failed"]),
        (&json!(5), &json!(0))
    );
    assert_eq!(scene.writes(), 5, "a marker each, and no account's state");
    let marker = scene.servers.gitlab.account(40).unwrap();
    let marker = format!("{:?}", marker.custom_attributes);
    assert!(
        marker.contains(r#"\"reason\":\"adopted\",\"run\""#)
            && marker.contains("2026-01-10T02:00:03Z"),
        "{marker}"
    );

    let (again, _) = judged(&scene, &[], 0).await;
    assert_eq!(again, expected("already_ours"));
    assert_eq!(scene.writes(), 5, "nothing is marked twice");

    scene.serve(&[], &[PREDECESSOR]).await;
    scene.tick(json!({"max_unblock_percent": 100.0})).await;
    scene.quiet().await;
    let unblocked = (40..61).filter(|id| !matches!(*id, 58 | 60));
    let unblocked: Vec<u64> = unblocked
        .filter(|id| scene.state(*id) == UserState::Active)
        .collect();
    assert_eq!(unblocked, [40, 41, 53, 54, 59], "an external account stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_earlier_services_own_mark_speaks_for_a_block_without_a_record() {
    let mut scene = scene().await;
    let marked = ["--custom-attribute", MARK];
    let (done, _) = judged(&scene, &marked, 0).await;
    let mut expected = expected("adopted");
    expected.insert(56, "adopted".to_owned());
    expected.insert(57, "unblocked_since".to_owned());
    assert_eq!(done, expected);
    let said = scene
        .run(&["plan", "--all", "--output", "csv"], &[PREDECESSOR])
        .await;
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(
        said.contains("56,ab56,member,ab56,blocked,unblock"),
        "{said}"
    );
    scene.serve(&[], &[PREDECESSOR]).await;
    scene.tick(json!({"max_unblock_percent": 100.0})).await;
    scene.quiet().await;
    assert_eq!(scene.state(56), UserState::Active);
    // A person blocks it again: that block is nobody's but the person's.
    scene
        .servers
        .gitlab
        .change_user(56, json!({"state": "blocked"}))
        .unwrap();
    scene.tick(json!({"max_unblock_percent": 100.0})).await;
    scene.quiet().await;
    assert_eq!(scene.state(56), UserState::Blocked);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_blocked_on_a_day_or_later_is_left() {
    let scene = scene().await;
    let (left, _) = judged(&scene, &["--dry-run", "--before", "2026-01-10"], 0).await;
    assert_eq!(left[&40], "not_before");
    let (taken, _) = judged(&scene, &["--dry-run", "--before", "2026-01-11"], 0).await;
    assert_eq!(taken[&40], "would_adopt");
    let marked = [
        "--custom-attribute",
        MARK,
        "--before",
        "2025-12-24",
        "--dry-run",
    ];
    assert_eq!(judged(&scene, &marked, 0).await.0[&56], "not_before");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_of_an_unmarked_service_with_the_same_token_are_adopted_without_configuration() {
    let accounts = vec![blocked(40, "ab40", &format!("{OWNER}/1"))];
    let scene = environment(accounts, vec![SimulatedPerson::current("ab40", "Here")]).await;
    let ran = scene.run(&["adopt", "--blocked-by", "1"], &[]).await;
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    assert_eq!(scene.writes(), 1);
    let said = scene.run(&["explain", "ab40"], &[]).await;
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("unblock"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adoption_that_would_be_without_effect_or_too_large_writes_nothing() {
    let scene = scene().await;
    let unknown = scene.run(&ADOPT, &[]).await;
    assert_eq!(unknown.status.code(), Some(2));
    let why = String::from_utf8(unknown.stderr).unwrap();
    assert!(why.contains("set users.predecessors = [17]"), "{why}");
    let few = ("LOOKUP_GITLAB_SYNC__GUARD__MAX_BLOCKS", "4");
    let none = ("LOOKUP_GITLAB_SYNC__GUARD__FLOOR", "0");
    let large = scene.run(&ADOPT, &[PREDECESSOR, few, none]).await;
    assert_eq!(large.status.code(), Some(3));
    let why = String::from_utf8(large.stderr).unwrap();
    assert!(
        why.contains("these are 5 blocks, and guard.max_blocks is 4"),
        "{why}"
    );
    let dry = ("LOOKUP_GITLAB_SYNC__MODE", "dry-run");
    let ran = scene.run(&ADOPT, &[PREDECESSOR, dry]).await;
    assert_eq!(ran.status.code(), Some(0));
    for own in ["lookup_gitlab_sync", "blocked_by", " "] {
        let refused = scene.run(&["adopt", "--custom-attribute", own], &[]).await;
        assert_eq!(refused.status.code(), Some(2), "{own}");
    }
    assert_eq!(scene.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_marker_gitlab_refuses_is_named_and_all_others_are_adopted() {
    let scene = scene().await;
    refuse_markers(&scene, "/api/v4/users/41/*");
    let (done, summary) = judged(&scene, &[], 1).await;
    assert_eq!(
        (&summary["adopted"], &summary["failed"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(done[&54], "adopted");
    assert!(done[&41].contains("not now"), "{}", done[&41]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gitlab_that_refuses_every_marker_is_not_asked_for_each() {
    let scene = scene().await;
    refuse_markers(&scene, "*");
    let (_, summary) = judged(&scene, &[], 4).await;
    assert_eq!(summary["adopted"], 0);
    assert!(scene.servers.gitlab.control().count("PUT", "*") <= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_adopted_is_told_in_a_table() {
    let scene = scene().await;
    for width in ["80", "120"] {
        let columns = [PREDECESSOR, ("COLUMNS", width)];
        let ran = scene
            .run(&[&ADOPT[..], &["--all", "--dry-run"]].concat(), &columns)
            .await;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let said = format!("{}\n{}", text(ran.stdout), text(ran.stderr));
        insta::assert_snapshot!(format!("adopt_{width}"), said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_service_and_this_one_are_compared_account_by_account() {
    let external = |id, seen: &str| {
        blocked(id, &format!("external-{id}"), EARLIER).with("last_activity_on", seen)
    };
    let accounts = vec![
        by_earlier(40),
        by_earlier(41),
        by_earlier(42),
        in_state(43, UserState::Active),
        in_state(44, UserState::Active),
        in_state(45, UserState::Banned),
        blocked(46, "ab46", "admin/7"),
        external(47, "2099-01-01"),
        external(48, "2001-01-01").with("created_at", "2001-01-01T00:00:00Z"),
    ];
    let people = vec![
        SimulatedPerson::cancelled("ab40", "Gone"),
        SimulatedPerson::current("ab41", "Here"),
        SimulatedPerson::cancelled("ab43", "Gone"),
        SimulatedPerson::current("ab44", "Here"),
        SimulatedPerson::cancelled("ab45", "Gone"),
        SimulatedPerson::cancelled("ab46", "Gone"),
    ];
    let scene = environment(accounts, people).await;
    for width in ["80", "120"] {
        let columns = [("COLUMNS", width)];
        let ran = scene
            .run(&["compare", "--with", "17", "--all"], &columns)
            .await;
        assert_eq!(ran.status.code(), Some(0), "{ran:?}");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let said = format!("{}\n{}", text(ran.stdout), text(ran.stderr));
        insta::assert_snapshot!(format!("compare_{width}"), said);
    }
    let ran = scene
        .run(&["compare", "--with", "17", "--output", "json"], &[])
        .await;
    let compared = String::from_utf8(ran.stdout).unwrap();
    insta::assert_snapshot!(compared);
    assert_eq!(scene.writes(), 0);

    // To recognise the earlier service's blocks is not to have made them.
    let same = ["compare", "--with", "17", "--output", "json"];
    let same = scene.run(&same, &[PREDECESSOR]).await;
    assert_eq!(String::from_utf8(same.stdout).unwrap(), compared);
    let blocked = scene.run(&["plan", "--blocked"], &[PREDECESSOR]).await;
    let blocked = String::from_utf8(blocked.stdout).unwrap();
    assert!(blocked.contains("old-sync (17)"), "{blocked}");
    let explained = scene.run(&["explain", "ab40"], &[PREDECESSOR]).await;
    let explained = String::from_utf8(explained.stdout).unwrap();
    assert!(explained.contains("old-sync (17) at"), "{explained}");

    let adopted = scene.run(&ADOPT, &[PREDECESSOR]).await;
    assert_eq!(adopted.status.code(), Some(0), "{adopted:?}");
    let all = ["compare", "--with", "17", "--all", "--output", "csv"];
    let after = scene.run(&all, &[PREDECESSOR]).await;
    let after = String::from_utf8(after.stdout).unwrap();
    assert!(after.contains("41,ab41,ours,current"), "{after}");
}
