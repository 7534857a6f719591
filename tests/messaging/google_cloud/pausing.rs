//! A pause on Google Cloud: what is said where a right is missing, and that a process which loses
//! its right to see the pause writes nothing.

use serde_json::Value;
use testkit::{process::ChildProcess, wait::until};

use super::{
    mistakes::{FORBIDDEN, NOT_AUTHORIZED, told},
    runs::Cloud,
    service::{command, run, succeed},
};

const UNIMPLEMENTED: u8 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn a_right_to_pause_that_is_missing_is_told_as_a_role_on_the_topic() {
    let Cloud { google, .. } = &Cloud::with_a_cancelled_member().await;
    google.refuse("UpdateTopic", FORBIDDEN, NOT_AUTHORIZED);
    insta::assert_snapshot!(told(google, &run(google, &["pause"], &[]).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emulator_that_keeps_no_labels_is_told_as_such() {
    let Cloud { google, .. } = &Cloud::with_a_cancelled_member().await;
    google.refuse("UpdateTopic", UNIMPLEMENTED, "Method not found");
    insta::assert_snapshot!(told(google, &run(google, &["pause"], &[]).await));
}

/// It would not pass by itself, so nothing is tried again.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_may_not_look_at_its_topics_ends_at_once_and_says_which_role_it_lacks() {
    let cloud = Cloud::with_a_cancelled_member().await;
    cloud.google.refuse("GetTopic", FORBIDDEN, NOT_AUTHORIZED);
    let mut serve = command(&cloud.google, &["serve", "--log-format=json"], &[]);
    serve.envs(cloud.upstreams()).env("PORT", "0");
    let mut service = ChildProcess::spawn(&mut serve);
    let failed = service.event("process_failed").await;
    let why = failed["why"].as_str().unwrap();
    assert!(why.contains("roles/pubsub.viewer on the topic"), "{why}");
    assert_eq!(failed["exit_code"], 1);
    assert_eq!(service.ended().await, Some(1));
    let lines = service.lines();
    assert!(
        lines.iter().all(|line| !line.contains("start_waits")),
        "{lines:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_may_not_see_the_pause_any_more_writes_nothing_and_says_which_role_it_lacks()
{
    let cloud = Cloud::with_a_cancelled_member().await;
    let (servers, google) = (&cloud.servers, &cloud.google);
    let mut serve = command(google, &["serve", "--log-format=json"], &[]);
    serve.envs(cloud.upstreams()).env("PORT", "0");
    let mut service = ChildProcess::spawn(&mut serve);
    let ready = format!("http://127.0.0.1:{}/readyz", service.port().await);
    google.refuse("GetTopic", FORBIDDEN, NOT_AUTHORIZED);
    let unknown = service.event("pause_unknown").await;
    assert_eq!(unknown["severity"], "ERROR");
    let why = unknown["why"].as_str().unwrap();
    assert!(
        why.contains("roles/pubsub.viewer on the topic sync-outcome"),
        "{why}"
    );
    succeed(google, &["resync", "42"], &[]).await;
    until("the message is held", async || {
        let metrics = reqwest::get(ready.replace("readyz", "metrics"));
        let page = metrics.await.unwrap().text().await.unwrap();
        page.contains(r#"sync_messages_total{stage="user-worker",disposition="hold"}"#)
    })
    .await;
    let answer = reqwest::get(&ready).await.unwrap();
    assert_eq!(answer.status(), 503);
    let report: Value = answer.json().await.unwrap();
    let checks = report["checks"].as_array().unwrap();
    let pause = checks.iter().find(|check| check["name"] == "pause");
    assert_eq!(pause.unwrap()["ok"], false);
    assert_eq!(servers.gitlab.control().writes(), 0);
    assert_eq!(service.terminate().await, Some(0));
}
