//! The metrics and the health of a service at work, as a monitor reads them.

use lookup_gitlab_sync::messaging::wire::{SyncTick, UserSync};
use simulator::{gitlab::SimulatedUser, lookup::SimulatedPerson};
use testkit::environment::ServiceEnvironment;

use crate::support::environment;

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_health_are_served_and_change_nothing() {
    let mut scene = environment(
        vec![SimulatedUser::new(42, "spqr1")],
        vec![SimulatedPerson::cancelled("spqr1", "Gone")],
    )
    .await;
    scene.serve(&[], &[]).await;
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
    let page = reqwest::get(scene.serving(0).url("/metrics"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for sample in [
        "sync_messages_total{stage=\"fan-out\",disposition=\"done\"} 1",
        "sync_changes_applied_total{action=\"block\"} 1",
        "sync_decisions_total{decision=\"block\",reason=\"cancelled_in_lookup\",mode=\"apply\"} 1",
    ] {
        assert!(page.contains(sample), "{sample} in\n{page}");
    }
    assert!(!page.contains("spqr1"), "no user in a label");
    for path in ["/livez", "/readyz", "/healthy", "/status"] {
        assert_eq!(
            reqwest::get(scene.serving(0).url(path))
                .await
                .unwrap()
                .status(),
            200,
            "{path}"
        );
    }
}

/// Samples of `/metrics` of the first process that are wanted, and are not there.
async fn missing(scene: &mut ServiceEnvironment, wanted: &[&str]) -> Vec<String> {
    let url = scene.serving(0).url("/metrics");
    let page = reqwest::get(url).await.unwrap().text().await.unwrap();
    let is_missing = |sample: &&&str| !page.lines().any(|line| line == **sample);
    wanted
        .iter()
        .filter(is_missing)
        .map(ToString::to_string)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resync_is_counted_by_what_it_decided_and_in_which_mode() {
    let mut scene = environment(
        vec![SimulatedUser::new(42, "spqr1")],
        vec![SimulatedPerson::cancelled("spqr1", "Gone")],
    )
    .await;
    scene.serve(&["user-worker"], &[]).await;
    let dry = UserSync {
        gitlab_user_id: Some(42),
        dry_run: Some(true),
        ..UserSync::default()
    };
    scene.resync(dry).await;
    scene.quiet().await;
    for _ in 0..2 {
        scene.resync_person("spqr1").await;
        scene.quiet().await;
    }
    let wanted = [
        "sync_decisions_total{decision=\"block\",reason=\"cancelled_in_lookup\",mode=\"dry-run\"} 1",
        "sync_decisions_total{decision=\"block\",reason=\"cancelled_in_lookup\",mode=\"apply\"} 1",
        "sync_decisions_total{decision=\"keep\",reason=\"already_blocked\",mode=\"apply\"} 1",
        "sync_changes_applied_total{action=\"block\"} 1",
    ];
    assert_eq!(missing(&mut scene, &wanted).await, [""; 0]);
}
