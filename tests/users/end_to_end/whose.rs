//! Whose account it is, whose block it is, and what is said where the answer is "nobody's".

use lookup_gitlab_sync::messaging::wire::{SyncTick, UserSync};
use serde_json::{Value, json};
use simulator::{
    gitlab::{Kind, OWNER, SimulatedUser, TokenChange, UserState},
    lookup::SimulatedPerson,
};
use testkit::{command::Variables, environment::ServiceEnvironment};

use crate::support::environment;

pub const MARKER: &str =
    r#"{"v":1,"reason":"cancelled_in_lookup","at":"2026-01-10T02:00:00Z","run":"r"}"#;

/// An account that is blocked, as GitLab records it: `by` is `<username>/<id>`.
pub fn blocked(id: u64, username: &str, by: &str) -> SimulatedUser {
    let mut account = SimulatedUser::new(id, username)
        .with_attribute("blocked_by", format!("{by}+2026-01-10 02:00:03 UTC"));
    account.state = UserState::Blocked;
    account
}

async fn tick(scene: &ServiceEnvironment) {
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
}

/// The lines of a command's JSON, and what it said beside them.
async fn lines(
    scene: &ServiceEnvironment,
    arguments: &[&str],
    variables: Variables<'_>,
) -> (Vec<Value>, String) {
    let arguments = [arguments, &["--output", "json"]].concat();
    let output = scene.run(&arguments, variables).await;
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), String::from_utf8(output.stderr).unwrap())
}

async fn explained(scene: &ServiceEnvironment, who: &str, variables: Variables<'_>) -> String {
    let (steps, _) = lines(scene, &["explain", who], variables).await;
    let step = |step: &Value| format!("{}: {}", step["step"], step["finding"]);
    steps.iter().map(step).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_scim_unblocks_is_blocked_again_three_times_and_then_told_as_a_fight() {
    let mut scene = environment(
        vec![SimulatedUser::new(42, "ab42")],
        vec![SimulatedPerson::cancelled("ab42", "Gone")],
    )
    .await;
    scene.serve(&[], &[]).await;
    tick(&scene).await;
    for _ in 0..3 {
        assert_eq!(scene.state(42), UserState::Blocked);
        let scim = json!({"scim": true});
        scene.servers.gitlab.change_user(42, scim).unwrap();
        assert_eq!(scene.state(42), UserState::Active);
        tick(&scene).await;
    }
    assert_eq!(scene.state(42), UserState::Blocked);
    let marker = scene.servers.gitlab.account(42).unwrap();
    let marker = format!("{:?}", marker.custom_attributes);
    assert!(
        marker.contains("unblocked_by_identity_provider"),
        "{marker}"
    );

    scene
        .servers
        .gitlab
        .change_user(42, json!({"scim": true}))
        .unwrap();
    tick(&scene).await;
    assert_eq!(
        scene.state(42),
        UserState::Active,
        "a person has to settle it"
    );
    let (plan, said) = lines(&scene, &["plan", "--all"], &[]).await;
    assert_eq!(plan[0]["decision"], "keep");
    assert_eq!(plan[0]["reason"], "unblocked_by_identity_provider");
    assert!(said.contains("account 42 (ab42)"), "{said}");
    assert!(said.contains("Tell who runs scim"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_was_moved_is_told_of_its_blocks_and_recognises_them_by_its_former_id() {
    let accounts = (10..13).map(|id| {
        let username = format!("ab{id}");
        blocked(id, &username, "svc-before/9").with_attribute("lookup_gitlab_sync", MARKER)
    });
    let people = (10..13).map(|id| SimulatedPerson::current(&format!("ab{id}"), "Here"));
    let mut scene = environment(accounts.collect(), people.collect()).await;
    let (_, said) = lines(&scene, &["plan"], &[]).await;
    assert!(
        said.contains("3 accounts carry this service's marker")
            && said.contains("users.former_ids = [9]"),
        "{said}"
    );
    let why = explained(&scene, "ab10", &[]).await;
    assert!(why.contains("account 9 blocked it"), "{why}");
    let former = [("LOOKUP_GITLAB_SYNC__USERS__FORMER_IDS", "[9]")];
    let (plan, said) = lines(&scene, &["plan"], &former).await;
    assert_eq!(
        plan.iter()
            .filter(|line| line["decision"] == "unblock")
            .count(),
        3
    );
    assert!(!said.contains("former_ids"), "{said}");
    scene.serve(&[], &former).await;
    tick(&scene).await;
    assert_eq!(scene.state(10), UserState::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_says_what_is_missing_and_who_blocks() {
    let unmarked = blocked(20, "ab20", &format!("{OWNER}/1"));
    let mut by_ldap = SimulatedUser::new(21, "ab21").with(
        "scim_identities",
        json!([{"extern_uid": "ext-21", "group_id": null, "active": false}]),
    );
    by_ldap.state = UserState::LdapBlocked;
    let people = ["ab20", "ab21"].map(|crsid| SimulatedPerson::current(crsid, "Here"));
    let scene = environment(vec![unmarked, by_ldap], people.into()).await;
    let why = explained(&scene, "ab20", &[]).await;
    assert!(why.contains("this service at"), "{why}");
    assert!(why.contains("it lacks our marker"), "{why}");
    let why = explained(&scene, "ab21", &[]).await;
    assert!(
        why.contains("by LDAP, SAML or SCIM") && why.contains("scim ext-21"),
        "{why}"
    );
    assert!(why.contains("only GitLab's Admin page"), "{why}");
}

/// The result and the reason of each record that was published.
async fn outcomes(scene: &ServiceEnvironment) -> Vec<(String, String)> {
    let records = scene.take("outcomes").await.into_iter();
    let records = records.map(|(body, _)| serde_json::from_slice::<Value>(&body).unwrap());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    records
        .map(|record| (text(&record["result"]), text(&record["reason"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_exists_is_never_gone() {
    let exempt = SimulatedUser::new(30, "ab30").with_attribute("lookup_gitlab_sync_exempt", "yes");
    let robot = SimulatedUser {
        kind: Kind::ServiceAccount,
        ..SimulatedUser::new(31, "svc-robot")
    };
    let mut scene = environment(
        vec![exempt, robot],
        vec![SimulatedPerson::cancelled("ab30", "Gone")],
    )
    .await;
    scene.copy_outcomes_to("outcomes").await;
    scene.serve(&["user-worker"], &[]).await;
    scene.resync_person("ab30").await;
    for request in [
        UserSync {
            gitlab_user_id: Some(31),
            ..UserSync::default()
        },
        UserSync {
            username: Some("svc-robot".to_owned()),
            ..UserSync::default()
        },
        UserSync {
            username: Some("nobody".to_owned()),
            ..UserSync::default()
        },
    ] {
        scene.resync(request).await;
    }
    scene.quiet().await;
    let mut ends = Vec::new();
    while ends.len() < 4 {
        ends.extend(outcomes(&scene).await);
    }
    ends.sort();
    let pair = |result: &str, reason: &str| (result.to_owned(), reason.to_owned());
    assert_eq!(
        ends,
        [
            pair("gone", ""),
            pair("unchanged", "exempt"),
            pair("unchanged", "not_human"),
            pair("unchanged", "not_human"),
        ]
    );
    let why = explained(&scene, "ab30", &[]).await;
    assert!(why.contains("keep (exempt)"), "{why}");
    let why = explained(&scene, "31", &[]).await;
    assert!(why.contains("keep (not_human)"), "{why}");
}

/// Blocked accounts are hidden from a token without rights, as if nobody were there.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_lost_its_rights_is_refused_and_nobody_is_called_gone() {
    let mut account = SimulatedUser::new(40, "ab40");
    account.state = UserState::Blocked;
    let mut scene = environment(
        vec![account],
        vec![SimulatedPerson::current("ab40", "Here")],
    )
    .await;
    let admin = |admin| TokenChange {
        admin: Some(admin),
        ..TokenChange::default()
    };
    let token = scene.servers.gitlab.token();
    scene.servers.gitlab.change_token(token, admin(false));
    for who in ["ab40", "40"] {
        let told = scene.run(&["explain", who], &[]).await;
        let said = String::from_utf8(told.stderr).unwrap();
        assert_eq!(told.status.code(), Some(4), "{said}");
        assert!(said.contains("administrator"), "{said}");
    }
    scene.launch_serve(&["user-worker"], &[]).await;
    scene.resync_person("ab40").await;
    scene
        .resync(UserSync {
            gitlab_user_id: Some(40),
            ..UserSync::default()
        })
        .await;
    testkit::wait::until("it has asked", async || {
        scene
            .servers
            .gitlab
            .control()
            .count("GET", "/api/v4/users/*")
            > 2
    })
    .await;
    assert_eq!(scene.counts("user-sync-worker").acked, 0, "they are held");
    scene.servers.gitlab.change_token(token, admin(true));
    scene.quiet().await;
}
