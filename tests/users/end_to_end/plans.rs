//! What `plan` shows beside the changes: who blocked whom, who is due, and what the guard counts.

use serde_json::Value;
use simulator::{
    gitlab::{OWNER, SimulatedUser, UserState},
    lookup::SimulatedPerson,
};
use testkit::{command::Variables, environment::ServiceEnvironment};

use super::whose::{MARKER, blocked};
use crate::support::environment;

fn in_state(id: u64, username: &str, state: UserState) -> SimulatedUser {
    SimulatedUser {
        state,
        ..SimulatedUser::new(id, username)
    }
}

/// Last seen on that day of the year 2099, long after whatever day this runs on.
fn external(id: u64, username: &str, last_seen: &str) -> SimulatedUser {
    SimulatedUser::new(id, username).with("last_activity_on", last_seen)
}

async fn scene() -> ServiceEnvironment {
    let accounts = vec![
        blocked(40, "aa40", &format!("{OWNER}/1")).with_attribute("lookup_gitlab_sync", MARKER),
        blocked(41, "bb41", "old-sync/17"),
        blocked(42, "cc42", "old-sync/17"),
        in_state(43, "dd43", UserState::LdapBlocked),
        in_state(44, "ee44", UserState::Banned),
        in_state(45, "ff45", UserState::Blocked),
        external(46, "external-dimitrova-2", "2099-01-10"),
        external(47, "external-jonas", "2099-06-01"),
        external(48, "external-mei", "2099-01-02"),
    ];
    let crsids = ["aa40", "bb41", "cc42", "dd43", "ee44", "ff45"];
    let people = crsids.map(|crsid| SimulatedPerson::cancelled(crsid, "Gone"));
    environment(accounts, people.to_vec()).await
}

/// Standard output and standard error.
async fn said(scene: &ServiceEnvironment, arguments: &[&str], variables: Variables<'_>) -> String {
    let ran = scene.run(arguments, variables).await;
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    format!("{}\n{}", text(ran.stdout), text(ran.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_blocked_the_accounts_is_shown_and_counted() {
    let scene = scene().await;
    for width in ["80", "120"] {
        let columns = [("COLUMNS", width)];
        let all = said(&scene, &["plan", "--all"], &columns).await;
        let blocked = said(&scene, &["plan", "--blocked"], &columns).await;
        insta::assert_snapshot!(format!("plan_all_{width}"), all);
        insta::assert_snapshot!(format!("plan_blocked_{width}"), blocked);
    }
    insta::assert_snapshot!(said(&scene, &["plan", "--all", "--output", "csv"], &[]).await);
    assert_eq!(scene.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_becomes_inactive_soon_is_listed_with_the_day_and_a_later_day_can_be_asked_for() {
    let scene = scene().await;
    let on = ["plan", "--as-of", "2100-12-20"];
    let due = said(&scene, &[&on[..], &["--due-within", "30d"]].concat(), &[]).await;
    insta::assert_snapshot!(due);
    let later = ["plan", "--as-of", "2101-01-05", "--output", "json"];
    let rows = said(&scene, &later, &[]).await;
    let changes: Vec<Value> = rows
        .lines()
        .filter(|line| line.contains(r#""kind":"account""#))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(changes.len(), 1, "{rows}");
    assert_eq!(changes[0]["id"], 48);
    assert_eq!(changes[0]["reason"], "inactive");
    let explained = said(&scene, &["explain", "48", "--output", "csv"], &[]).await;
    assert!(explained.contains("inactive on,2101-01-02"), "{explained}");
    let over = scene.run(&["plan", "--as-of", "2020-01-01"], &[]).await;
    assert_eq!(over.status.code(), Some(2));
    let why = String::from_utf8(over.stderr).unwrap();
    assert!(why.contains("--as-of 2020-01-01 is over"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_compared_with_an_earlier_one_and_with_another_configuration() {
    let scene = scene().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let against = ["plan", "--against", file.to_str().unwrap()];
    for every in [true, false] {
        let mut plan = vec!["plan", "--output", "json"];
        plan.extend(every.then_some("--all"));
        std::fs::write(&file, scene.run(&plan, &[]).await.stdout).unwrap();
        let same = scene.run(&against, &[]).await;
        assert_eq!((same.status.code(), same.stdout.len()), (Some(0), 0));
    }
    let all = ["plan", "--all", "--output", "json"];
    std::fs::write(&file, scene.run(&all, &[]).await.stdout).unwrap();
    scene.servers.lookup.set_cancelled("aa40", false);
    let exempt = [(
        "LOOKUP_GITLAB_SYNC__USERS__EXEMPT_USERNAMES",
        r#"["external-mei"]"#,
    )];
    insta::assert_snapshot!(said(&scene, &against, &exempt).await);
    std::fs::write(&file, "id,username\n").unwrap();
    let refused = scene.run(&against, &[]).await;
    assert_eq!(refused.status.code(), Some(2));
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("line 1 is none of"), "{why}");
}
