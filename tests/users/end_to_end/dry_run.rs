//! Dry run in the tick, in a resync, in the fan-out's configuration and in the worker's, each
//! alone: nothing is written.

use lookup_gitlab_sync::messaging::wire::{SyncTick, UserSync};
use simulator::{gitlab::SimulatedUser, lookup::SimulatedPerson};
use testkit::environment::ServiceEnvironment;

use crate::support::environment;

const DRY: &[(&str, &str)] = &[("LOOKUP_GITLAB_SYNC__MODE", "dry-run")];

async fn scene_with_a_cancelled_member() -> ServiceEnvironment {
    environment(
        vec![SimulatedUser::new(42, "spqr1")],
        vec![SimulatedPerson::cancelled("spqr1", "Gone")],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_tick_alone() {
    let mut scene = scene_with_a_cancelled_member().await;
    scene.serve(&[], &[]).await;
    scene
        .tick(SyncTick {
            dry_run: Some(true),
            ..SyncTick::default()
        })
        .await;
    scene.quiet().await;
    assert_eq!(
        scene.counts("user-sync-worker").published,
        1,
        "the plan is made all the same"
    );
    assert_eq!(scene.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_fan_outs_configuration_alone() {
    let mut scene = scene_with_a_cancelled_member().await;
    scene.serve(&["fan-out"], DRY).await;
    scene.serve(&["user-worker"], &[]).await;
    scene
        .tick(SyncTick {
            dry_run: Some(false),
            ..SyncTick::default()
        })
        .await;
    scene.quiet().await;
    assert_eq!(scene.counts("user-sync-worker").published, 1);
    assert_eq!(
        scene.writes(),
        0,
        "`dry_run: false` in the tick lifts nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_workers_configuration_alone() {
    let mut scene = scene_with_a_cancelled_member().await;
    scene.serve(&["fan-out"], &[]).await;
    scene.serve(&["user-worker"], DRY).await;
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
    assert_eq!(scene.counts("user-sync-worker").published, 1);
    assert_eq!(scene.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_resync_alone() {
    let mut scene = scene_with_a_cancelled_member().await;
    scene.serve(&["user-worker"], &[]).await;
    let request = UserSync {
        crsid: Some("spqr1".to_owned()),
        dry_run: Some(true),
        ..UserSync::default()
    };
    scene.resync(request).await;
    scene.quiet().await;
    assert_eq!(scene.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_for_on_the_command_line() {
    let mut scene = scene_with_a_cancelled_member().await;
    scene.serve(&[], &[]).await;
    for command in [&["tick", "--dry-run"][..], &["resync", "42", "--dry-run"]] {
        let asked = scene.run(command, &[]).await;
        assert_eq!(asked.status.code(), Some(0), "{command:?}");
        scene.quiet().await;
    }
    assert_eq!(scene.counts("user-sync-worker").published, 2);
    assert_eq!(scene.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_of_them_the_same_scene_is_written() {
    let mut scene = scene_with_a_cancelled_member().await;
    scene.serve(&[], &[]).await;
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
    assert_eq!(scene.writes(), 2, "the marker and the block");
}
