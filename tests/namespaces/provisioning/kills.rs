//! The real binary, ended without warning between any two steps of a call: what is written is whole
//! steps, and sending the same again makes it right.

use std::process::Stdio;

use rstest::rstest;
use serde_json::json;
use testkit::wait::until;
use tokio::process::Child;

use super::{
    failures::{BASE, MINUTES, STORAGE, changed, content, next, undisturbed},
    fixture::{HEADER, ProvisioningFixture, document},
};

const ALL: [&str; 6] = [
    "gitlab_subscription_histories",
    "gitlab_subscriptions",
    "namespace_limits",
    "namespaces",
    "subscription_add_on_purchases",
    "subscription_add_ons",
];

/// The service as a process, on the database and the portal of a fixture.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    /// Serves; with a `place` until it comes there.
    async fn start(fixture: &ProvisioningFixture, place: Option<&str>) -> Self {
        let port = testkit::port::free_port();
        let mut command = testkit::command::isolated(testkit::service_binary!());
        command
            .args(["serve", "provisioning-api", "--log-level=error"])
            .env("PROVISIONING_DATABASE_URL", fixture.database_url())
            .env("PORTAL_URL", &fixture.portal.address)
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
    async fn dies_of(
        mut self,
        fixture: &ProvisioningFixture,
        id: i64,
        provision: serde_json::Value,
    ) {
        let path = format!(
            "{}/api/v4/internal/gitlab_subscriptions/namespaces/{id}/provision",
            self.address
        );
        let post = fixture
            .client
            .post(path)
            .header(HEADER, fixture.portal.token())
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
    let mut fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture.apply(id, document(1)).await;
    let before = fixture.everything().await;
    let process = Process::start(&fixture, Some(place)).await;
    process.dies_of(&fixture, id, next()).await;
    assert_eq!(changed(&before, &fixture.everything().await), written);

    let process = Process::start(&fixture, None).await;
    fixture.address.clone_from(&process.address);
    fixture.apply(id, next()).await;
    assert_eq!(content(&fixture).await, undisturbed().await);
    fixture.assert_settled(id, next()).await;
}
