//! Dead letters on Google's emulator.

use lookup_gitlab_sync::messaging::{
    DeadLetterReason, Stage,
    dead_letters::{ReplayOptions, Selection, Why, discard, list},
};
use testkit::google_emulator::GoogleEmulator;
use tokio_util::sync::CancellationToken;

use super::{fixture::DeadLetterFixture, replaying::run};

#[tokio::test]
async fn on_googles_emulator_letters_are_listed_replayed_and_discarded_alike() {
    let Some(emulator) = GoogleEmulator::start().await else {
        return;
    };
    let fixture = DeadLetterFixture::at(emulator.host()).await;
    fixture.let_pubsub_give_up(r#"{"crsid":"spqr1"}"#).await;
    let mut given_up = Vec::new();
    for number in 0..120 {
        let body = format!(r#"{{"gitlab_user_id":{number}}}"#);
        given_up.push(fixture.give_up(&body, DeadLetterReason::Refused).await);
    }
    let all = Selection {
        stages: vec![Stage::UserWorker],
        ..Selection::default()
    };
    let listed = list(&fixture.connection, &all).await.unwrap();
    assert_eq!(listed.len(), 121);
    let forwarded: Vec<_> = listed
        .iter()
        .filter(|seen| seen.history.why() == Why::Forwarded)
        .collect();
    assert_eq!(forwarded.len(), 1);
    assert_eq!(
        (
            forwarded[0].history.delivery_attempt,
            forwarded[0].history.deaths
        ),
        (Some(5), 1)
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letters.jsonl");
    let ten = Selection {
        ids: given_up.drain(..10).collect(),
        ..all.clone()
    };
    let discarded = discard(
        &fixture.connection,
        &ten,
        &path,
        &CancellationToken::new(),
        &|_| (),
    )
    .await;
    assert_eq!(discarded.discarded, 10);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 10);

    let summary = run(&fixture, &all, &ReplayOptions::new()).await;
    assert!(summary.is_complete(), "{summary:?}");
    assert_eq!(summary.replayed, 111);
    let messages = fixture.take(Stage::UserWorker.subscription(), 111).await;
    assert!(
        messages
            .iter()
            .all(|message| message.attributes["replays"] == "1")
    );
    assert!(!messages.iter().any(|message| {
        message
            .attributes
            .keys()
            .any(|name| name.starts_with("CloudPubSub"))
    }));
    assert_eq!(list(&fixture.connection, &all).await.unwrap().len(), 0);
}
