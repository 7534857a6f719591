//! `pause` and `resume`: what stops, when it has stopped, and that nothing is lost by it.

use jiff::Timestamp;
use lookup_gitlab_sync::{
    messaging::{
        PauseTopic,
        wire::{SyncTick, UserSync},
    },
    pause::PauseNotice,
};
use serde_json::{Value, json};
use simulator::{
    control::InjectedFault,
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
};
use testkit::{
    environment::ServiceEnvironment,
    variable::number,
    wait::{until, until_ok},
};

use super::whose::blocked;
use crate::support::{connection, environment};

const ALICE: &[(&str, &str)] = &[("USER", "alice")];
const JSON: &str = "--output=json";

/// So many members who are cancelled, from account 1000 on, at a GitLab that takes a moment for a
/// write.
async fn cancelled_members(many: u64) -> ServiceEnvironment {
    let ids = 1000..1000 + many;
    let crsid = |id: u64| format!("spqr{id}");
    let accounts = ids.clone().map(|id| SimulatedUser::new(id, &crsid(id)));
    let people = ids.map(|id| SimulatedPerson::cancelled(&crsid(id), "Gone"));
    let scene = environment(accounts.collect(), people.collect()).await;
    for method in ["PUT", "POST"] {
        let slow = InjectedFault {
            delay_ms: 250,
            ..InjectedFault::on(method, "*")
        };
        scene.servers.gitlab.control().inject(slow).unwrap();
    }
    scene
}

/// Sets the pause at once, without the command's wait.
async fn pause_now(scene: &ServiceEnvironment) {
    let topic = PauseTopic::of(&connection(scene).await);
    let notice = PauseNotice::new(Timestamp::now(), Some("alice"), Some("a test"));
    assert!(topic.pause(notice).await.unwrap().1);
}

fn everything() -> SyncTick {
    SyncTick {
        max_block_percent: Some(100.0),
        ..SyncTick::default()
    }
}

fn dry(id: u64) -> UserSync {
    UserSync {
        gitlab_user_id: Some(id),
        dry_run: Some(true),
        ..UserSync::default()
    }
}

/// When each write came in.
fn write_times(scene: &ServiceEnvironment) -> Vec<Timestamp> {
    let asked = scene.servers.gitlab.control().requests(0);
    asked
        .iter()
        .filter(|entry| entry.method != "GET")
        .map(|entry| entry.time)
        .collect()
}

/// The one row that a command printed, and what it said beside.
async fn row(scene: &ServiceEnvironment, arguments: &[&str]) -> (Value, String) {
    let ran = scene.run(arguments, ALICE).await;
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(0), "{said}");
    (serde_json::from_slice(&ran.stdout).unwrap(), said)
}

/// Waits until a user's message has been worked on to its end after all that was before.
async fn worker_is_alive(scene: &ServiceEnvironment, id: u64) {
    let acked = scene.counts("user-sync-worker").acked;
    scene.resync(dry(id)).await;
    until("a dry run comes to its end", async || {
        scene.counts("user-sync-worker").acked > acked
    })
    .await;
}

/// `PAUSED_MEMBERS=5000` makes the run a large one.
#[tokio::test(flavor = "multi_thread")]
async fn no_write_begins_after_the_command_has_ended_and_all_are_made_after_resume() {
    let members = number("PAUSED_MEMBERS").unwrap_or(500);
    let scene = cancelled_members(members).await;
    let enough = (2 * members).to_string();
    let limits = [
        ("LOOKUP_GITLAB_SYNC__GUARD__MAX_BLOCKS", enough.as_str()),
        // A dry run behind more held messages than there are slots would wait with them.
        ("LOOKUP_GITLAB_SYNC__WORKER__MAX_OUTSTANDING", &enough),
    ];
    let mut service = scene.serve_logged(&[], &limits).await;
    let port = service.port().await;
    scene.tick(everything()).await;
    until("the run has begun to write", async || scene.writes() >= 20).await;
    let reason = ["pause", "--reason", "Wrong people: see #42", JSON];
    let (paused, said) = row(&scene, &reason).await;
    let ended = Timestamp::now();
    assert_eq!(paused["state"], "paused");
    assert_eq!(paused["paused_by"], "alice");
    assert_eq!(paused["pause_reason"], "wrong-people-see-42");
    assert_eq!(paused["changed"], true);
    assert!(said.contains("no write begins from now on"), "{said}");
    assert!(
        said.contains("Wrong people: see #42"),
        "the log has it whole: {said}"
    );

    // Whatever would still come has time to: dry runs go on, and the command is run again.
    worker_is_alive(&scene, 1000).await;
    let (again, _) = row(&scene, &["pause", JSON]).await;
    assert_eq!(again["paused_since"], paused["paused_since"]);
    assert_eq!(again["changed"], false);
    worker_is_alive(&scene, 1001).await;
    let made = write_times(&scene);
    assert!(made.iter().all(|at| *at <= ended), "{ended}: {made:?}");
    assert!(made.len() < 2 * usize::try_from(members).unwrap());

    let ready = format!("http://127.0.0.1:{port}/readyz");
    until_ok(&ready).await;
    let told = reqwest::get(&ready).await.unwrap().text().await.unwrap();
    assert!(told.contains("writes are paused since"), "{told}");
    let gauge = async || {
        let metrics = reqwest::get(format!("http://127.0.0.1:{port}/metrics"));
        let page = metrics.await.unwrap().text().await.unwrap();
        let line = page.lines().find(|line| line.starts_with("sync_paused "));
        line.unwrap().to_owned()
    };
    assert_eq!(gauge().await, "sync_paused 1");

    scene.servers.gitlab.control().clear_faults();
    let (resumed, _) = row(&scene, &["resume", JSON]).await;
    assert_eq!(
        (&resumed["state"], &resumed["changed"]),
        (&"running".into(), &true.into())
    );
    scene.quiet().await;
    assert!((1000..1000 + members).all(|id| scene.state(id) == UserState::Blocked));
    assert!(scene.posts().values().all(|count| *count == 1));
    assert_eq!(scene.counts("user-sync-dead-hold").published, 0);
    assert_eq!(gauge().await, "sync_paused 0");
    let (nothing, said) = row(&scene, &["resume", JSON]).await;
    assert_eq!(nothing["changed"], false);
    assert!(said.contains("writes are not paused"), "{said}");
    let lines = service.finish_json().await;
    let severities = |event: &str| -> Vec<Value> {
        let of = lines.iter().filter(|line| line["event"] == event);
        of.map(|line| line["severity"].clone()).collect()
    };
    assert_eq!(severities("paused"), ["WARNING"]);
    assert_eq!(severities("resumed"), ["INFO"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_during_a_pause_writes_nothing_and_a_follower_is_told_why() {
    let mut scene = cancelled_members(3).await;
    pause_now(&scene).await;
    scene.serve(&[], &[]).await;
    let follow = ["tick", "--follow", JSON, "--max-block-percent=100"];
    scene.resync_person("spqr1000").await;
    let mut follower = scene.spawn(&follow, &[], "json");
    let held = |follower: &testkit::process::ChildProcess| {
        let lines = follower.lines();
        let parsed = lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        parsed
            .into_iter()
            .find(|line| line["kind"] == "run_held")
            .map(|line| (line["gate"].clone(), line["detail"].clone()))
    };
    until("the follower is told", async || held(&follower).is_some()).await;
    let (gate, detail) = held(&follower).unwrap();
    assert_eq!(gate, "pause");
    let detail = detail.as_str().unwrap();
    assert!(detail.contains("by alice (a-test)"), "{detail}");

    // A restart in the middle changes nothing.
    assert_eq!(scene.serving(0).terminate().await, Some(0));
    scene.serve(&[], &[]).await;
    worker_is_alive(&scene, 1001).await;
    assert_eq!(scene.writes(), 0);
    assert_eq!(
        scene.counts("sync-tick-fan-out").acked,
        0,
        "the tick waits, for its plan would lapse"
    );
    row(&scene, &["resume", JSON]).await;
    scene.quiet().await;
    assert_eq!(follower.ended().await, Some(0), "{:?}", follower.lines());
    assert!((1000..1003).all(|id| scene.state(id) == UserState::Blocked));
    for dead in ["user-sync-dead-hold", "sync-tick-dead-hold"] {
        assert_eq!(scene.counts(dead).published, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_not_begun_whose_marker_was_written_before_the_pause() {
    let mut scene = cancelled_members(1).await;
    scene.serve(&["user-worker"], &[]).await;
    // Longer than two readings are apart, and shorter than the look is good for.
    let slow = InjectedFault {
        delay_ms: 4_500,
        times: 1,
        ..InjectedFault::on("PUT", "*")
    };
    let control = scene.servers.gitlab.control();
    control.clear_faults();
    control.inject(slow).unwrap();
    scene.resync_person("spqr1000").await;
    until("the marker is on its way", async || scene.writes() == 1).await;
    pause_now(&scene).await;
    until("the marker is written", async || {
        let asked = control.requests(0);
        let put = asked.iter().find(|entry| entry.method == "PUT").unwrap();
        put.status.is_some()
    })
    .await;
    worker_is_alive(&scene, 1000).await;
    assert_eq!(scene.posts().len(), 0);
    assert_eq!(scene.state(1000), UserState::Active);
    row(&scene, &["resume", JSON]).await;
    scene.quiet().await;
    assert_eq!(scene.state(1000), UserState::Blocked);
    assert_eq!(scene.counts("user-sync-dead-hold").published, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_writes_obeys_as_the_stages_do() {
    let account = blocked(41, "bb41", "old-sync/17");
    let scene = environment(vec![account], Vec::new()).await;
    let adopt = ["adopt", "--blocked-by", "17"];
    let known = [("LOOKUP_GITLAB_SYNC__USERS__PREDECESSORS", "[17]")];
    pause_now(&scene).await;
    let ran = scene.run(&adopt, &known).await;
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(4), "{said}");
    assert!(said.contains("writes are paused since"), "{said}");
    assert_eq!(scene.writes(), 0);
    row(&scene, &["resume", JSON]).await;
    let ran = scene.run(&adopt, &known).await;
    assert_eq!((ran.status.code(), scene.writes()), (Some(0), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_is_replayed_during_a_pause_waits_as_others_do() {
    let mut scene = cancelled_members(1).await;
    scene.serve(&["user-worker"], &[]).await;
    let refusal = InjectedFault {
        status: Some(400),
        body: Some(json!({"message": "400 Bad request"})),
        times: 1,
        ..InjectedFault::on("POST", "*/block")
    };
    scene.servers.gitlab.control().clear_faults();
    scene.servers.gitlab.control().inject(refusal).unwrap();
    scene.resync_person("spqr1000").await;
    let dead = async || scene.counts("user-sync-dead-hold").published;
    until("it is dead-lettered", async || dead().await == 1).await;
    pause_now(&scene).await;
    until("the worker knows", async || {
        let page = reqwest::get(scene.serving(0).url("/metrics"));
        let page = page.await.unwrap().text().await.unwrap();
        page.lines().any(|line| line == "sync_paused 1")
    })
    .await;
    let before = scene.writes();
    let replayed = ["dead-letters", "replay", "--all"];
    assert_eq!(scene.run(&replayed, &[]).await.status.code(), Some(0));
    worker_is_alive(&scene, 1000).await;
    assert_eq!(scene.writes(), before);
    row(&scene, &["resume", JSON]).await;
    scene.quiet().await;
    assert_eq!(scene.state(1000), UserState::Blocked);
    assert_eq!(scene.counts("user-sync-dead-hold").published, 1);
}
