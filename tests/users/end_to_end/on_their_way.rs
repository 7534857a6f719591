//! What a run has planned and no worker has done yet counts in the guard of the next one.

use lookup_gitlab_sync::messaging::wire::SyncTick;
use simulator::{
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
};
use testkit::environment::ServiceEnvironment;

use crate::support::environment;

const PEOPLE: u64 = 300;
/// Five percent of them.
const ALLOWED: usize = 15;

fn crsid(number: u64) -> String {
    format!("ab{number}")
}

fn cancel(scene: &ServiceEnvironment, mut numbers: std::ops::Range<u64>, cancelled: bool) {
    numbers.by_ref().for_each(|number| {
        scene
            .servers
            .lookup
            .set_cancelled(&crsid(number), cancelled);
    });
}

async fn tick(scene: &ServiceEnvironment) {
    let ticks = "sync-tick-fan-out";
    let before = scene.counts(ticks).acked;
    scene.tick(SyncTick::default()).await;
    testkit::wait::until("the tick is done", async || {
        scene.counts(ticks).acked > before
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_planned_while_the_worker_stands_still_block_no_more_than_one_may() {
    let accounts = (1..=PEOPLE).map(|number| SimulatedUser::new(100 + number, &crsid(number)));
    let people = (1..=PEOPLE).map(|number| SimulatedPerson::current(&crsid(number), "Here"));
    let mut scene = environment(accounts.collect(), people.collect()).await;
    scene.serve(&["fan-out"], &[]).await;

    cancel(&scene, 1..13, true);
    tick(&scene).await;
    cancel(&scene, 1..13, false);
    cancel(&scene, 101..113, true);
    tick(&scene).await;
    cancel(&scene, 1..13, true);
    scene.serve(&["user-worker"], &[]).await;
    testkit::wait::until("every message acked", async || {
        let counts = scene.counts("user-sync-worker");
        counts.published > 0 && counts.published == counts.acked
    })
    .await;

    let blocked = scene.servers.gitlab.snapshot();
    let blocked = blocked
        .values()
        .filter(|one| one.state == UserState::Blocked);
    let blocked = blocked.count();
    assert!(blocked <= ALLOWED, "{blocked} blocked, {ALLOWED} allowed");
    let refused = scene.dead_letters("sync-tick-dead-hold", 1).await;
    let (_, attributes) = &refused[0];
    let told = format!("{attributes:?}");
    assert!(told.contains("12 on their way from earlier runs"), "{told}");
}
