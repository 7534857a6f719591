//! What an operator reads who pauses and resumes, and what else stands on the topic that keeps the
//! pause.

use std::fmt::Write;

use google_cloud_googleapis::pubsub::v1::{GetTopicRequest, Topic, UpdateTopicRequest};
use lookup_gitlab_sync::{messaging::PauseTopic, pause::PauseNotice};
use prost_types::FieldMask;
use regex::Regex;
use serde_json::Value;
use simulator::{gitlab::SimulatedUser, lookup::SimulatedPerson};
use testkit::{environment::ServiceEnvironment, wait::until};

use crate::support::{connection, environment};

async fn scene() -> ServiceEnvironment {
    let person = SimulatedPerson::cancelled("spqr1", "Gone");
    environment(vec![SimulatedUser::new(42, "spqr1")], vec![person]).await
}

/// What was typed and what was printed, without the time of day.
async fn transcript(commands: &[&[&str]], width: &str) -> String {
    let scene = scene().await;
    let mut text = String::new();
    for command in commands {
        let variables = [("COLUMNS", width), ("USER", "alice")];
        let ran = scene.run(command, &variables).await;
        let said = |bytes| String::from_utf8(bytes).unwrap();
        let code = ran.status.code().unwrap();
        writeln!(text, "$ {} # {code}", command.join(" ")).unwrap();
        writeln!(text, "{}{}", said(ran.stdout), said(ran.stderr)).unwrap();
    }
    let times = Regex::new(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]+(\.[0-9]+)?Z").unwrap();
    let text = times.replace_all(&text, "2026-11-29T06:14:03Z");
    let short = Regex::new(r"20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9:]{8}").unwrap();
    short.replace_all(&text, "2026-11-29 06:14:03").into_owned()
}

const REASON: &str =
    "The directory shows people as cancelled who are not; see the incident of this morning";

#[tokio::test(flavor = "multi_thread")]
async fn both_commands_say_what_holds_and_whether_they_changed_it() {
    let commands: &[&[&str]] = &[
        &["resume"],
        &["pause", "--reason", REASON],
        &["pause", "--output=csv"],
        &["resume"],
    ];
    let (narrow, wide) = tokio::join!(transcript(commands, "80"), transcript(commands, "120"));
    insta::assert_snapshot!("pause_and_resume_80", narrow);
    insta::assert_snapshot!("pause_and_resume_120", wide);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_of_both_commands_says_what_they_promise() {
    let commands: &[&[&str]] = &[&["pause", "--help"], &["resume", "--help"]];
    for width in ["80", "120"] {
        let help = transcript(commands, width).await;
        insta::assert_snapshot!("pause_and_resume_help", help);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_somebody_ends_before_it_holds_is_told_as_none() {
    let scene = scene().await;
    let topic = PauseTopic::of(&connection(&scene).await);
    let command = ["pause", "--output=json"];
    let (ran, ()) = tokio::join!(scene.run(&command, &[]), async {
        until("the pause is set", async || {
            topic.read().await.unwrap().is_some()
        })
        .await;
        assert!(topic.resume().await.unwrap().is_some());
    });
    assert_eq!(ran.status.code(), Some(1));
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(
        said.contains("writes are not paused: somebody resumed"),
        "{said}"
    );
    assert_eq!(ran.stdout, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_that_writes_are_paused_and_shows_it_all_the_same() {
    let scene = scene().await;
    let summary = async || {
        let ran = scene.run(&["plan", "--output=json"], &[]).await;
        let text = String::from_utf8(ran.stdout).unwrap();
        serde_json::from_str::<Value>(text.lines().last().unwrap()).unwrap()
    };
    assert_eq!(summary().await["paused"], false);
    pause(&scene).await;
    let paused = summary().await;
    assert_eq!(
        (&paused["paused"], &paused["blocks"]),
        (&true.into(), &1.into())
    );
    let detail = paused["pause"].as_str().unwrap();
    assert!(detail.contains("by alice (a-test)"), "{detail}");
    let ran = scene.run(&["plan"], &[]).await;
    let said = String::from_utf8(ran.stderr).unwrap();
    let line = said.lines().find(|line| line.contains("paused")).unwrap();
    assert!(line.starts_with("writes are paused since"), "{line}");
    assert!(
        line.ends_with("a run waits until `lookup-gitlab-sync resume`"),
        "{line}"
    );
    let nowhere = [("PUBSUB_EMULATOR_HOST", ""), ("GOOGLE_CLOUD_PROJECT", "")];
    let ran = scene.run(&["plan", "--output=json"], &nowhere).await;
    assert_eq!(ran.status.code(), Some(0), "a plan needs no Pub/Sub");
    let text = String::from_utf8(ran.stdout).unwrap();
    let alone: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(alone["paused"], Value::Null);
}

async fn pause(scene: &ServiceEnvironment) {
    let topic = PauseTopic::of(&connection(scene).await);
    let notice = PauseNotice::new(jiff::Timestamp::now(), Some("alice"), Some("a test"));
    assert!(topic.pause(notice).await.unwrap().1);
}

/// The names of the topic's labels.
async fn labels(scene: &ServiceEnvironment) -> Vec<String> {
    let topic = scene.pubsub.topic("sync-outcome");
    let get = GetTopicRequest { topic };
    let found = scene.pubsub.publisher().get_topic(get).await.unwrap();
    let mut names: Vec<String> = found.into_inner().labels.into_keys().collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_of_others_stay_and_topology_leaves_those_of_the_pause_alone() {
    let scene = scene().await;
    let labelled = UpdateTopicRequest {
        topic: Some(Topic {
            name: scene.pubsub.topic("sync-outcome"),
            labels: [("app".to_owned(), "sync".to_owned())].into(),
            ..Topic::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["labels".to_owned()],
        }),
    };
    scene
        .pubsub
        .publisher()
        .update_topic(labelled)
        .await
        .unwrap();
    pause(&scene).await;
    let all = ["app", "pause-reason", "paused-at", "paused-by"];
    assert_eq!(labels(&scene).await, all);
    for action in ["apply", "check"] {
        let ran = scene.run(&["topology", action], &[]).await;
        assert_eq!(ran.status.code(), Some(0), "{ran:?}");
        assert_eq!(labels(&scene).await, all);
    }
    assert_eq!(scene.run(&["resume"], &[]).await.status.code(), Some(0));
    assert_eq!(labels(&scene).await, ["app"]);
}
