//! Whole runs: what they change, and that they change nothing twice.

use lookup_gitlab_sync::messaging::{Topic, wire::SyncTick};
use simulator::population::Population;
use testkit::environment::ServiceEnvironment;
use testkit::wait::until;

use crate::support::{connection, environment, environment_of};

fn population(users: usize) -> Population {
    let today = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date();
    Population::generate(users, 20_261_122, today)
}

/// What the generator, not the policy, says must be posted.
fn assert_each_change_was_posted_once(scene: &ServiceEnvironment, population: &Population) {
    let posts = scene.posts();
    let counts = population.counts();
    assert_eq!(posts.len(), counts.blocks + counts.unblocks, "{posts:?}");
    assert!(posts.values().all(|times| *times == 1), "{posts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_brings_every_account_to_its_end_and_a_second_changes_nothing() {
    let population = population(600);
    let mut scene = environment_of(&population).await;
    scene.serve(&[], &[]).await;

    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
    assert_eq!(population.check(&scene.servers.gitlab.snapshot()), []);
    assert_each_change_was_posted_once(&scene, &population);

    let writes = scene.writes();
    let pages = |scene: &ServiceEnvironment| {
        let control = scene.servers.gitlab.control();
        control.count("GET", "/api/v4/users?*order_by=id*")
    };
    let before = pages(&scene);
    assert!(before > 0, "the first tick reads everything by REST");
    scene.tick(SyncTick::default()).await;
    scene.quiet().await;
    assert_eq!(scene.writes(), writes, "the second tick writes nothing");
    assert_eq!(pages(&scene), before, "and lists nobody by REST");
    assert_eq!(population.check(&scene.servers.gitlab.snapshot()), []);
}

/// Every message of the topic a second time: what a redelivery, or a publisher that repeats itself,
/// looks like.
async fn publish_every_message_again(scene: &ServiceEnvironment, messages: u64) {
    let again = connection(scene)
        .await
        .publisher(Topic::UserSync)
        .await
        .unwrap();
    let mut copied = 0;
    while copied < messages {
        for (body, mut attributes) in scene.take("copies").await {
            if attributes
                .insert("copy".to_owned(), "1".to_owned())
                .is_none()
            {
                again.publish_raw(body.into(), attributes).await.unwrap();
                copied += 1;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_ticks_at_once_with_every_message_twice_post_each_change_once() {
    let population = population(200);
    let mut scene = environment_of(&population).await;
    scene.copy_user_messages_to("copies").await;
    for _ in 0..10 {
        scene.tick(SyncTick::default()).await;
    }
    scene.serve(&[], &[]).await;
    let in_scope = scene.in_scope().await;
    publish_every_message_again(&scene, 10 * in_scope).await;
    scene.quiet().await;
    assert_eq!(population.check(&scene.servers.gitlab.snapshot()), []);
    assert_each_change_was_posted_once(&scene, &population);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_on_doubled_messages_reach_the_same_end_with_one_true_an_account() {
    let population = population(200);
    let mut scene = environment_of(&population).await;
    scene.copy_user_messages_to("copies").await;
    for _ in 0..4 {
        scene.tick(SyncTick::default()).await;
    }
    scene.serve(&["fan-out"], &[]).await;
    let in_scope = scene.in_scope().await;
    publish_every_message_again(&scene, 4 * in_scope).await;
    for _ in 0..3 {
        scene.serve(&["user-worker"], &[]).await;
    }
    scene.quiet().await;
    assert_eq!(population.check(&scene.servers.gitlab.snapshot()), []);
    let mut changed = std::collections::BTreeMap::<String, usize>::new();
    for entry in scene.servers.gitlab.control().requests(0) {
        if entry.method == "POST" && entry.answer == Some("true") {
            *changed.entry(entry.path).or_default() += 1;
        }
    }
    let counts = population.counts();
    assert_eq!(changed.len(), counts.blocks + counts.unblocks);
    assert!(changed.values().all(|times| *times == 1), "{changed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_whose_dead_letters_would_be_lost_does_not_start() {
    let scene = environment(Vec::new(), Vec::new()).await;
    let prefix = lookup_gitlab_sync::messaging::RunId::new().to_string();
    let refused = scene
        .run(
            &["serve"],
            &[("LOOKUP_GITLAB_SYNC__PUBSUB__PREFIX", &format!("p{prefix}-"))],
        )
        .await;
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("does not start") && said.contains("topology"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_stops_it_with_exit_code_0_and_what_was_begun_is_finished_later() {
    let population = population(400);
    let mut scene = environment_of(&population).await;
    scene.serve(&[], &[]).await;
    scene.tick(SyncTick::default()).await;
    until("some user messages delivered", async || {
        scene.counts("user-sync-worker").delivered > 0
    })
    .await;
    assert_eq!(scene.serving(0).terminate().await, Some(0));
    scene.lapse_leases().await;
    scene.serve(&[], &[]).await;
    scene.quiet().await;
    assert_eq!(population.check(&scene.servers.gitlab.snapshot()), []);
    assert_eq!(
        scene.counts("user-sync-dead-hold").published,
        0,
        "shutdown never dead-letters"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_in_the_middle_loses_nothing() {
    let population = population(400);
    let mut scene = environment_of(&population).await;
    scene.serve(&[], &[]).await;
    scene.tick(SyncTick::default()).await;
    until("a write was made", async || scene.writes() > 0).await;
    scene.serving(0).kill().await;
    scene.lapse_leases().await;
    scene.serve(&[], &[]).await;
    scene.quiet().await;
    assert_eq!(population.check(&scene.servers.gitlab.snapshot()), []);
}

/// The platform may change its mind while a process still looks for its topics.
#[tokio::test(flavor = "multi_thread")]
async fn asked_to_stop_while_it_starts_it_stops() {
    let scene = environment(Vec::new(), Vec::new()).await;
    // It accepts and never answers, so that whoever starts waits for it.
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = deaf.local_addr().unwrap().to_string();
    let mut process = scene.launch(
        &["serve", "--log-format=json"],
        &[("PUBSUB_EMULATOR_HOST", &host), ("PORT", "0")],
    );
    let _connection = deaf.accept().await.unwrap();
    assert_eq!(testkit::process::terminate(&mut process).await, Some(0));
}
