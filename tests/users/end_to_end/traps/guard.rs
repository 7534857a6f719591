//! Runs that change too much.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_over_the_guard_publishes_nothing_and_says_the_counts() {
    let accounts = (10..60)
        .map(|id| SimulatedUser::new(id, &format!("ab{id}")))
        .collect();
    let people = (10..60).map(|id| {
        if id < 21 {
            cancelled(&format!("ab{id}"))
        } else {
            current(&format!("ab{id}"))
        }
    });
    let mut scene = environment(accounts, people.collect()).await;
    run_a_tick(&mut scene).await;
    assert_eq!(
        (scene.writes(), scene.counts("user-sync-worker").published),
        (0, 0)
    );
    let letters = scene.dead_letters("sync-tick-dead-hold", 1).await;
    assert_eq!(letters[0].1["dead_letter_reason"], "guard_refused");
    let detail = &letters[0].1["dead_letter_detail"];
    assert!(
        detail.contains("11 now and 0 in the last 24 hours of 50, allowed 10"),
        "{detail}"
    );

    scene
        .tick(SyncTick {
            max_block_percent: Some(30.0),
            ..SyncTick::default()
        })
        .await;
    scene.quiet().await;
    assert_eq!(
        scene.writes(),
        22,
        "the tick's own percentage lets this one run through"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_runs_do_not_add_up_past_the_guard() {
    let accounts = (10..60)
        .map(|id| SimulatedUser::new(id, &format!("ab{id}")))
        .collect();
    let people = (10..60).map(|id| {
        if id < 18 {
            cancelled(&format!("ab{id}"))
        } else {
            current(&format!("ab{id}"))
        }
    });
    let mut scene = environment(accounts, people.collect()).await;
    run_a_tick(&mut scene).await;
    assert_eq!(scene.writes(), 16, "eight blocks");
    for id in 18..21 {
        scene.servers.lookup.set_cancelled(&format!("ab{id}"), true);
    }
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
    assert_eq!(scene.writes(), 16, "three more would make eleven in a day");
    let letters = scene.dead_letters("sync-tick-dead-hold", 1).await;
    assert!(
        letters[0].1["dead_letter_detail"].contains("3 now and 8 in the last 24 hours"),
        "{:?}",
        letters[0].1
    );
}
