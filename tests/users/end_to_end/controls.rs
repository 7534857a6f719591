//! A directory that may no longer see what it must, and says nothing of it: with control people
//! nothing is written, without them the wrong thing is.

use lookup_gitlab_sync::messaging::wire::SyncTick;
use simulator::{
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
};
use testkit::{command::Variables, environment::ServiceEnvironment, wait::until};

use crate::support::environment;

const CONTROLS: Variables<'_> = &[
    (
        "LOOKUP_GITLAB_SYNC__DIRECTORY__CONTROLS__CANCELLED",
        "[\"gone1\"]",
    ),
    (
        "LOOKUP_GITLAB_SYNC__DIRECTORY__CONTROLS__CURRENT",
        "[\"here1\"]",
    ),
];

/// Eight members who are cancelled, and two people who are the controls, one of whom has an
/// account.
async fn scene() -> ServiceEnvironment {
    let accounts = (42..50).map(|id| SimulatedUser::new(id, &format!("spqr{id}")));
    let control = SimulatedUser::new(99, "gone1");
    let people = (42..50).map(|id| SimulatedPerson::cancelled(&format!("spqr{id}"), "Gone"));
    let controls = [
        SimulatedPerson::cancelled("gone1", "Control"),
        SimulatedPerson::current("here1", "Control"),
    ];
    environment(
        accounts.chain([control]).collect(),
        people.chain(controls).collect(),
    )
    .await
}

async fn tick(scene: &ServiceEnvironment) {
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
}

fn active(scene: &ServiceEnvironment) -> usize {
    let is_active = |id: &u64| scene.state(*id) == UserState::Active;
    (42..50).filter(is_active).count()
}

/// As a reader sees it who lost the right to see who is cancelled.
fn blind(scene: &ServiceEnvironment, is_blind: bool) {
    let lookup = &scene.servers.lookup;
    for id in 42..50 {
        lookup.set_cancelled(&format!("spqr{id}"), !is_blind);
    }
    lookup.set_cancelled("gone1", !is_blind);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_controls_a_reader_who_lost_a_right_unblocks_the_cancelled() {
    let scene = scene().await;
    let service = scene.serve_logged(&[], &[]).await;
    tick(&scene).await;
    assert_eq!(active(&scene), 0);
    assert_eq!(scene.state(99), UserState::Blocked, "it is no control here");
    blind(&scene, true);
    scene.resync_person("spqr42").await;
    scene.quiet().await;
    assert_eq!(active(&scene), 1, "this is what controls are for");
    tick(&scene).await;
    let lines = service.finish_json().await;
    let told = lines
        .iter()
        .filter(|line| line["event"] == "directory_without_controls");
    assert_eq!(told.count(), 1, "once a day, not once a run");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_controls_nothing_is_written_until_the_right_is_back() {
    let mut scene = scene().await;
    scene.serve(&[], CONTROLS).await;
    tick(&scene).await;
    assert_eq!(active(&scene), 0);
    assert_eq!(
        scene.state(99),
        UserState::Active,
        "a control's account is never touched"
    );
    let writes = scene.writes();

    blind(&scene, true);
    scene.resync_person("spqr42").await;
    scene.tick(SyncTick::default()).await;
    let ready = scene.serving(0).url("/readyz");
    let told = async || reqwest::get(&ready).await.unwrap().text().await.unwrap();
    until("the gate closes and says why", async || {
        let told = told().await;
        told.contains("shows the control gone1 as current, who is cancelled")
    })
    .await;
    assert_eq!((active(&scene), scene.writes()), (0, writes));

    blind(&scene, false);
    scene.quiet().await;
    assert_eq!((active(&scene), scene.writes()), (0, writes));
    assert_eq!(scene.counts("user-sync-dead-hold").published, 0);
    assert_eq!(scene.counts("sync-tick-dead-hold").published, 0);
}
