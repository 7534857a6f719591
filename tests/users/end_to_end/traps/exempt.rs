//! Accounts that are administrators', the service's own, or nobody's.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_administrator_is_blocked_like_anybody() {
    let administrator = SimulatedUser {
        is_admin: true,
        ..SimulatedUser::new(42, "spqr1")
    };
    let mut scene = environment(vec![administrator], vec![cancelled("spqr1")]).await;
    run_a_tick(&mut scene).await;
    assert_eq!(scene.state(42), UserState::Blocked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_administrator_is_kept_where_administrators_are_exempt() {
    let administrator = SimulatedUser {
        is_admin: true,
        ..SimulatedUser::new(42, "spqr1")
    };
    let mut scene = environment(vec![administrator], vec![cancelled("spqr1")]).await;
    scene
        .serve(
            &[],
            &[("LOOKUP_GITLAB_SYNC__USERS__EXEMPT_ADMINISTRATORS", "true")],
        )
        .await;
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
    assert_eq!((scene.state(42), scene.writes()), (UserState::Active, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_own_account_is_never_touched() {
    let own = SimulatedUser {
        id: 1,
        is_admin: true,
        ..by_identity(OWNER, "xyz98@example.ac.uk")
    };
    let mut scene = environment(vec![own], vec![cancelled("xyz98")]).await;
    scene.serve(&[], IDENTITIES).await;
    scene.tick(SyncTick::default()).await;
    scene
        .resync(UserSync {
            gitlab_user_id: Some(1),
            ..UserSync::default()
        })
        .await;
    scene.quiet().await;
    assert_eq!((scene.state(1), scene.writes()), (UserState::Active, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_human_is_not_touched_by_a_resync_either() {
    let bot = SimulatedUser {
        kind: simulator::gitlab::Kind::ServiceUser,
        ..SimulatedUser::new(42, "spqr1")
    };
    let mut scene = environment(vec![bot], vec![cancelled("spqr1")]).await;
    scene.serve(&["user-worker"], &[]).await;
    scene.resync_person("spqr1").await;
    scene
        .resync(UserSync {
            gitlab_user_id: Some(42),
            ..UserSync::default()
        })
        .await;
    scene.quiet().await;
    assert_eq!((scene.state(42), scene.writes()), (UserState::Active, 0));
}
