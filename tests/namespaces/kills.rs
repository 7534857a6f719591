//! The portal, the worker and the API, ended without warning between any two steps; another process
//! takes over and everything ends right.

use rstest::rstest;
use testkit::postgres::TestDatabase;

use crate::{
    stages::{NamespaceStages, Stage},
    worker_fixture::bought,
};

/// A namespace that has one seat, a purchase of two on record, and no worker.
async fn bought_two(database: &TestDatabase) -> NamespaceStages {
    let stages = NamespaceStages::without_worker(&database.url, None).await;
    stages.group(42).await;
    sqlx::query("INSERT INTO gitlab_subscriptions (namespace_id, seats) VALUES (42, 1)")
        .execute(&stages.pool().await)
        .await
        .unwrap();
    assert_eq!(stages.buy(42, &bought(2)).await, 201);
    stages
}

impl NamespaceStages {
    /// The worker comes to `place` and dies there.
    async fn worker_dies_at(&mut self, place: &str) {
        self.start_dying_at(place, Stage::Worker);
        self.dead(Stage::Worker).await;
        self.lapse_leases().await;
    }

    /// Another worker does what is left, and nothing is left open.
    async fn worker_recovers(&mut self) {
        self.start(Stage::Worker).await;
        self.quiet().await;
        self.arrived(42).await;
        assert_eq!(self.open_attempts().await, 0);
    }
}

#[rstest]
#[case("before_sending_lock", &["completed"], 1)]
#[case("after_sending_lock", &["completed"], 1)]
#[case("before_attempt", &["completed"], 1)]
#[case("after_attempt", &["abandoned", "completed"], 1)]
#[case("after_post", &["abandoned", "completed"], 2)]
#[case("after_attempt_closed", &["completed", "skipped"], 1)]
#[case("after_sending_unlock", &["completed", "skipped"], 1)]
#[case("before_ack", &["completed", "skipped"], 1)]
#[tokio::test]
async fn a_worker_killed_anywhere_sends_the_sync_once_and_leaves_no_attempt_open(
    #[case] place: &str,
    #[case] ends: &[&str],
    #[case] calls: usize,
) {
    let database = TestDatabase::create().await;
    let mut stages = bought_two(&database).await;
    stages.worker_dies_at(place).await;
    stages.worker_recovers().await;
    assert_eq!(stages.states(42).await, ends);
    assert_eq!(stages.receiver.seats(), vec![2; calls]);
    assert_eq!(stages.seats(42).await, Some(2));
    assert_eq!(stages.former_seats(42).await, [1], "history is doubled");
}

/// What was applied before the death is history; what was not never was.
#[rstest]
#[case("after_attempt", &[1])]
#[case("after_post", &[1, 2])]
#[case("before_ack", &[1, 2])]
#[tokio::test]
async fn what_is_bought_while_the_worker_is_dead_is_there_at_the_end(
    #[case] place: &str,
    #[case] former: &[i32],
) {
    let database = TestDatabase::create().await;
    let mut stages = bought_two(&database).await;
    stages.worker_dies_at(place).await;
    assert_eq!(stages.buy(42, &bought(3)).await, 201);
    stages.worker_recovers().await;
    assert_eq!(stages.seats(42).await, Some(3));
    assert_eq!(stages.former_seats(42).await, former);
}

#[tokio::test]
async fn a_worker_killed_after_a_skip_skips_again() {
    let database = TestDatabase::create().await;
    let mut stages = bought_two(&database).await;
    assert_eq!(stages.buy(42, &bought(2)).await, 200);
    stages.worker_dies_at("after_skip").await;
    stages.worker_recovers().await;
    let ends = stages.states(42).await;
    assert_eq!(ends[..2], ["completed", "skipped"]);
    assert!(ends[2..].iter().all(|state| state == "skipped"));
    assert_eq!(stages.receiver.seats(), [2]);
    assert_eq!(stages.former_seats(42).await, [1]);
}

/// GitLab has no such namespace. A letter may be there twice, and never not at all.
#[rstest]
#[case("before_dead_letter", 1)]
#[case("after_dead_letter", 2)]
#[tokio::test]
async fn a_worker_killed_around_a_dead_letter_loses_neither_the_letter_nor_the_attempt(
    #[case] place: &str,
    #[case] letters: usize,
) {
    let database = TestDatabase::create().await;
    let mut stages = NamespaceStages::without_worker(&database.url, None).await;
    assert_eq!(stages.buy(77, &bought(2)).await, 201);
    stages.worker_dies_at(place).await;
    stages.start(Stage::Worker).await;
    stages.quiet().await;
    assert_eq!(stages.states(77).await, ["failed", "failed"]);
    let list = ["dead-letters", "list", "--namespace=77", "--output=json"];
    let listed = String::from_utf8(stages.run(&list).await.stdout).unwrap();
    assert_eq!(listed.lines().count(), letters, "{listed}");
}

#[tokio::test]
async fn a_portal_killed_between_record_and_message_publishes_when_the_client_repeats() {
    let database = TestDatabase::create().await;
    let mut stages = NamespaceStages::new(&database.url, None).await;
    stages.group(42).await;
    stages.kill(Stage::Portal).await;
    stages.start_dying_at("after_recording", Stage::Portal);
    stages.ready(Stage::Portal).await;
    assert_eq!(stages.try_to_buy(42, &bought(2)).await, None);
    stages.dead(Stage::Portal).await;
    stages.start(Stage::Portal).await;
    assert_eq!(stages.buy(42, &bought(2)).await, 200, "it was on record");
    stages.arrived(42).await;
    stages.quiet().await;
    assert_eq!(stages.states(42).await, ["completed"]);
    assert_eq!(stages.receiver.seats(), [2]);
}

/// The worker goes on asking while the API is away, and its sync arrives when it is back.
#[rstest]
#[case("after_provisioning_lock")]
#[case("after_step_commit:1")]
#[case("before_answer")]
#[tokio::test]
async fn an_api_killed_anywhere_gets_the_sync_again_and_history_is_not_doubled(
    #[case] place: &str,
) {
    let database = TestDatabase::create().await;
    let mut stages = bought_two(&database).await;
    stages.kill(Stage::Api).await;
    stages.start_dying_at(place, Stage::Api);
    stages.ready(Stage::Api).await;
    stages.start(Stage::Worker).await;
    stages.dead(Stage::Api).await;
    stages.start(Stage::Api).await;
    stages.arrived(42).await;
    stages.quiet().await;
    let ends = stages.states(42).await;
    let (last, others) = ends.split_last().unwrap();
    assert_eq!(last, "completed");
    assert!(
        !others.is_empty() && others.iter().all(|state| state == "retrying"),
        "{ends:?}"
    );
    assert_eq!(stages.seats(42).await, Some(2));
    assert_eq!(stages.former_seats(42).await, [1]);
}
