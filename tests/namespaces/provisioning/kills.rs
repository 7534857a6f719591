//! The real binary, ended without warning between any two steps of a call: what is written is whole
//! steps, and sending the same again makes it right.

use std::process::Stdio;

use rstest::rstest;
use serde_json::json;
use testkit::wait::until;
use tokio::process::Child;

use super::{
    failures::{BASE, MINUTES, STORAGE, changed, content, next, undisturbed},
    world::{HEADER, World, document},
};

const ALL: [&str; 6] = [
    "gitlab_subscription_histories",
    "gitlab_subscriptions",
    "namespace_limits",
    "namespaces",
    "subscription_add_on_purchases",
    "subscription_add_ons",
];

/// The service as a process, on the database and the portal of a world.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    /// Serves; with a `place` until it comes there.
    async fn start(world: &World, place: Option<&str>) -> Self {
        let port = testkit::port::free_port();
        let mut command = testkit::command::isolated(testkit::service_binary!());
        command
            .args(["serve", "provisioning-api", "--log-level=error"])
            .env("PROVISIONING_DATABASE_URL", world.database_url())
            .env("PORTAL_URL", &world.portal.address)
            .env("PORT", port.to_string())
            .env("HEALTH_PORT", "0")
            .envs(place.map(|place| ("LOOKUP_GITLAB_SYNC_FAIL_AT", place)))
            .stdout(Stdio::null());
        let mut process = Self {
            child: command.spawn().unwrap(),
            address: format!("http://127.0.0.1:{port}"),
        };
        let ready = format!("{}/readyz", process.address);
        until("it is ready", async || {
            assert_eq!(process.child.try_wait().unwrap(), None, "it has ended");
            reqwest::get(&ready)
                .await
                .is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        process
    }

    /// Posts a document that is never answered, and waits for the death.
    async fn dies_of(mut self, world: &World, id: i64, provision: serde_json::Value) {
        let path = format!(
            "{}/api/v4/internal/gitlab_subscriptions/namespaces/{id}/provision",
            self.address
        );
        let post = world
            .client
            .post(path)
            .header(HEADER, world.portal.token())
            .body(json!({ "provision": provision }).to_string());
        let answer = post.send().await;
        assert!(answer.is_err(), "{answer:?}");
        let status = self.child.wait().await.unwrap();
        assert_eq!(status.code(), None, "it ended by itself");
    }
}

/// Of the four steps the `n`-th passes `…:n`.
#[rstest]
#[case("after_provisioning_lock", &[])]
#[case("before_step_commit:1", &[])]
#[case("after_step_commit:1", &BASE)]
#[case("before_step_commit:2", &BASE)]
#[case("after_step_commit:2", &STORAGE)]
#[case("before_step_commit:3", &STORAGE)]
#[case("after_step_commit:3", &MINUTES)]
#[case("before_step_commit:4", &MINUTES)]
#[case("after_step_commit:4", &ALL)]
#[case("before_answer", &ALL)]
#[tokio::test]
async fn killed_anywhere_it_has_written_whole_steps_and_the_same_again_makes_it_right(
    #[case] place: &str,
    #[case] written: &[&str],
) {
    let mut world = World::new().await;
    let id = world.group("acme").await;
    world.apply(id, document(1)).await;
    let before = world.everything().await;
    let process = Process::start(&world, Some(place)).await;
    process.dies_of(&world, id, next()).await;
    assert_eq!(changed(&before, &world.everything().await), written);

    let process = Process::start(&world, None).await;
    world.address.clone_from(&process.address);
    world.apply(id, next()).await;
    assert_eq!(content(&world).await, undisturbed().await);
    world.assert_settled(id, next()).await;
}
