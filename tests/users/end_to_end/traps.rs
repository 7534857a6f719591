//! The traps of GitLab and Lookup, each with its name.

mod exempt;
mod guard;

use lookup_gitlab_sync::messaging::wire::{SyncTick, UserSync};
use serde_json::json;
use simulator::{
    control::InjectedFault,
    gitlab::{OWNER, SimulatedUser, TokenChange, UserIdentity, UserState},
    lookup::SimulatedPerson,
};
use testkit::environment::ServiceEnvironment;
use testkit::wait::until;

use crate::support::environment;

const MARKER: &str =
    r#"{"v":1,"reason":"cancelled_in_lookup","at":"2026-01-10T02:00:00Z","run":"r"}"#;

/// An account that carries everything of a block of ours, in whatever state.
fn blocked_by_us(id: u64, username: &str, state: UserState) -> SimulatedUser {
    let mut account = SimulatedUser::new(id, username)
        .with_attribute("lookup_gitlab_sync", MARKER)
        .with_attribute("blocked_by", format!("{OWNER}/1+2026-01-10 02:00:03 UTC"));
    account.state = state;
    account
}

async fn run_a_tick(scene: &mut ServiceEnvironment) {
    scene.serve(&[], &[]).await;
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
}

fn current(crsid: &str) -> SimulatedPerson {
    SimulatedPerson::current(crsid, "Here")
}

fn cancelled(crsid: &str) -> SimulatedPerson {
    SimulatedPerson::cancelled(crsid, "Gone")
}

fn by_identity(username: &str, extern_uid: &str) -> SimulatedUser {
    SimulatedUser {
        identities: vec![UserIdentity::new("saml", extern_uid)],
        ..SimulatedUser::new(42, username)
    }
}

const IDENTITIES: &[(&str, &str)] = &[(
    "LOOKUP_GITLAB_SYNC__USERS__IDENTITY_PATTERNS",
    r#"[{ provider = "saml", extern_uid = "^(?<crsid>[a-z][a-z0-9]{1,7})@example\\.ac\\.uk$", template = "{crsid}@example.ac.uk" }]"#,
)];

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_admin_rights_decides_nothing() {
    let mut scene = environment(
        vec![SimulatedUser::new(42, "spqr1")],
        vec![cancelled("spqr1")],
    )
    .await;
    let token = scene.servers.gitlab.token();
    scene.servers.gitlab.change_token(
        token,
        TokenChange {
            admin: Some(false),
            ..TokenChange::default()
        },
    );
    scene.serve(&[], &[]).await;
    scene.tick(SyncTick::default()).await;
    let url = scene.serving(0).url("/readyz");
    until("it says that it is not ready", async || {
        reqwest::get(&url).await.unwrap().status() == 503
    })
    .await;
    let said = reqwest::get(&url).await.unwrap().text().await.unwrap();
    assert!(said.contains("admin"), "{said}");
    assert_eq!(
        (scene.writes(), scene.counts("user-sync-worker").published),
        (0, 0)
    );

    scene.servers.gitlab.change_token(
        token,
        TokenChange {
            admin: Some(true),
            ..TokenChange::default()
        },
    );
    scene.quiet().await;
    assert_eq!(
        scene.state(42),
        UserState::Blocked,
        "the tick was held, not lost"
    );
    assert_eq!(scene.counts("sync-tick-dead-hold").published, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_loses_admin_rights_in_mid_sweep_decides_nothing() {
    let accounts = (10..400)
        .map(|id| SimulatedUser::new(id, &format!("ab{id}")))
        .collect();
    let people = (10..400)
        .map(|id| cancelled(&format!("ab{id}")))
        .take(5)
        .collect();
    let mut scene = environment(accounts, people).await;
    scene.serve(&[], &[]).await;
    let second_page = InjectedFault {
        delay_ms: 300,
        times: 1,
        ..InjectedFault::on("GET", "/api/v4/users?*cursor=*")
    };
    scene.servers.gitlab.control().inject(second_page).unwrap();
    scene.tick(SyncTick::default()).await;
    until("the second page was asked for", async || {
        scene
            .servers
            .gitlab
            .control()
            .count("GET", "/api/v4/users?*cursor=*")
            > 0
    })
    .await;
    let token = scene.servers.gitlab.token();
    scene.servers.gitlab.change_token(
        token,
        TokenChange {
            admin: Some(false),
            ..TokenChange::default()
        },
    );
    let url = scene.serving(0).url("/readyz");
    until("it says that it is not ready", async || {
        reqwest::get(&url).await.unwrap().status() == 503
    })
    .await;
    assert_eq!(
        (scene.writes(), scene.counts("user-sync-worker").published),
        (0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unblock_is_never_sent_for_banned_and_pending_accounts() {
    let states = [
        UserState::Banned,
        UserState::BlockedPendingApproval,
        UserState::LdapBlocked,
    ];
    let accounts = (42..)
        .zip(&states)
        .map(|(id, state)| blocked_by_us(id, &format!("ab{id}"), state.clone()))
        .collect();
    let people = (42..45).map(|id| current(&format!("ab{id}"))).collect();
    let mut scene = environment(accounts, people).await;
    run_a_tick(&mut scene).await;
    for id in 42..45 {
        scene
            .resync(UserSync {
                gitlab_user_id: Some(id),
                ..UserSync::default()
            })
            .await;
    }
    scene.quiet().await;
    assert_eq!(scene.writes(), 0);
    for (id, state) in (42..).zip(states) {
        assert_eq!(scene.state(id), state);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_block_of_a_current_member_is_undone() {
    let accounts = vec![blocked_by_us(42, "spqr1", UserState::Blocked)];
    let mut scene = environment(accounts, vec![current("spqr1")]).await;
    run_a_tick(&mut scene).await;
    assert_eq!(scene.state(42), UserState::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_whose_marker_and_blocked_by_do_not_match_is_left_alone() {
    let mismatches = [
        blocked_by_us(42, "ab42", UserState::Blocked)
            .with_attribute("blocked_by", "root/7+2026-01-10 02:00:03 UTC"),
        blocked_by_us(43, "ab43", UserState::Blocked)
            .with_attribute("blocked_by", format!("{OWNER}/1+2026-02-10 02:00:03 UTC")),
        blocked_by_us(44, "ab44", UserState::Blocked)
            .with_attribute("unblocked_by", "root/7+2026-03-01 00:00:00 UTC"),
        blocked_by_us(45, "ab45", UserState::Blocked).with_attribute("lookup_gitlab_sync", "true"),
        blocked_by_us(46, "ab46", UserState::Blocked)
            .with_attribute("blocked_by", "lookup-gitlab-sync"),
    ];
    let people = (42..47).map(|id| current(&format!("ab{id}"))).collect();
    let mut scene = environment(mismatches.to_vec(), people).await;
    run_a_tick(&mut scene).await;
    assert_eq!(scene.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn null_on_block_means_that_somebody_else_was_first() {
    let mut scene = environment(
        vec![SimulatedUser::new(42, "spqr1")],
        vec![cancelled("spqr1")],
    )
    .await;
    scene.serve(&[], &[]).await;
    let slow = InjectedFault {
        delay_ms: 500,
        times: 1,
        ..InjectedFault::on("POST", "/api/v4/users/42/block")
    };
    scene.servers.gitlab.control().inject(slow).unwrap();
    scene.tick(SyncTick::default()).await;
    let posted = async || {
        scene
            .servers
            .gitlab
            .control()
            .count("POST", "/api/v4/users/42/block")
            > 0
    };
    until("the block was asked for", posted).await;
    scene
        .servers
        .gitlab
        .change_user(
            42,
            json!({"state": "blocked", "by": {"id": 7, "username": "root"}}),
        )
        .unwrap();
    scene.quiet().await;

    let post = scene
        .servers
        .gitlab
        .control()
        .requests(0)
        .into_iter()
        .find(|entry| entry.method == "POST")
        .unwrap();
    assert_eq!(post.answer, Some("null"));
    assert_eq!(
        scene.writes(),
        2,
        "the marker and the block, and nothing more"
    );
    let account = scene.servers.gitlab.account(42).unwrap();
    assert!(
        account.custom_attributes["blocked_by"].starts_with("root/7+"),
        "the block stays theirs"
    );
    assert_eq!(
        scene.counts("user-sync-worker").nacked,
        0,
        "the message is done, and does not come again"
    );

    scene.servers.lookup.set_cancelled("spqr1", false);
    scene.resync_person("spqr1").await;
    scene.quiet().await;
    assert_eq!(scene.state(42), UserState::Blocked, "and is not undone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_knows_too_few_refuses_the_run() {
    let accounts = (10..20)
        .map(|id| SimulatedUser::new(id, &format!("ab{id}")))
        .collect();
    let people = (10..14).map(|id| cancelled(&format!("ab{id}"))).collect();
    let mut scene = environment(accounts, people).await;
    run_a_tick(&mut scene).await;
    assert_eq!(
        (scene.writes(), scene.counts("user-sync-worker").published),
        (0, 0)
    );
    let letters = scene.dead_letters("sync-tick-dead-hold", 1).await;
    assert_eq!(letters[0].1["dead_letter_reason"], "directory_implausible");
    assert!(
        letters[0].1["dead_letter_detail"].contains("4 of the 10"),
        "{:?}",
        letters[0].1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lookup_with_half_the_people_missing_touches_none_of_the_missing() {
    let mut accounts: Vec<SimulatedUser> = (10..20)
        .map(|id| SimulatedUser::new(id, &format!("ab{id}")))
        .collect();
    accounts[9] = blocked_by_us(19, "ab19", UserState::Blocked);
    let people = (10..15).map(|id| cancelled(&format!("ab{id}"))).collect();
    let mut scene = environment(accounts, people).await;
    run_a_tick(&mut scene).await;
    for id in 10..15 {
        assert_eq!(scene.state(id), UserState::Blocked);
    }
    for id in 15..19 {
        assert_eq!(scene.state(id), UserState::Active);
    }
    assert_eq!(scene.state(19), UserState::Blocked);
    assert_eq!(scene.writes(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_with_gitlabs_external_flag_is_nobody() {
    let robot = SimulatedUser {
        external: true,
        ..SimulatedUser::new(42, "uis-support-bot")
    };
    let robot = robot
        .with("last_activity_on", "2019-01-01")
        .with("created_at", "2018-01-01T00:00:00.000Z");
    let mut scene = environment(vec![robot], Vec::new()).await;
    run_a_tick(&mut scene).await;
    assert_eq!((scene.state(42), scene.writes()), (UserState::Active, 0));
}

/// An external account that was last seen in 2019.
fn forgotten(id: u64, username: &str) -> SimulatedUser {
    SimulatedUser::new(id, username)
        .with("created_at", "2018-01-01T00:00:00.000Z")
        .with("confirmed_at", "2018-01-01T00:00:00.000Z")
        .with("last_sign_in_at", "2019-01-01T00:00:00.000Z")
        .with("current_sign_in_at", "2019-01-01T00:00:00.000Z")
        .with("last_activity_on", "2019-01-01")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_account_reactivated_by_a_person_last_week_is_kept() {
    let last_week = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(7 * 24);
    let unblocked = format!("root/7+{}", last_week.strftime("%Y-%m-%d %H:%M:%S UTC"));
    let reactivated = forgotten(42, "external-a").with_attribute("unblocked_by", unblocked);
    let mut scene = environment(vec![reactivated, forgotten(43, "external-b")], Vec::new()).await;
    run_a_tick(&mut scene).await;
    assert_eq!(
        (scene.state(42), scene.state(43)),
        (UserState::Active, UserState::Blocked)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_identity_and_username_disagree_the_identity_decides() {
    let accounts = vec![
        by_identity("abc12", "xyz98@example.ac.uk"),
        SimulatedUser {
            id: 43,
            ..by_identity("xyz99", "abc13@example.ac.uk")
        },
    ];
    let people = vec![
        current("abc12"),
        cancelled("xyz98"),
        current("abc13"),
        cancelled("xyz99"),
    ];
    let mut scene = environment(accounts, people).await;
    scene.serve(&[], IDENTITIES).await;
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
    assert_eq!(
        (scene.state(42), scene.state(43)),
        (UserState::Blocked, UserState::Active)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resync_by_crsid_finds_the_account_by_its_identity_and_no_other() {
    let accounts = vec![
        by_identity("external-x", "xyz98@example.ac.uk"),
        SimulatedUser {
            id: 43,
            ..by_identity("xyz98", "abc13@example.ac.uk")
        },
    ];
    let people = vec![cancelled("xyz98"), current("abc13")];
    let mut scene = environment(accounts, people).await;
    scene.serve(&["user-worker"], IDENTITIES).await;
    scene.resync_person("xyz98").await;
    scene.quiet().await;
    assert_eq!(
        (scene.state(42), scene.state(43)),
        (UserState::Blocked, UserState::Active)
    );
}
