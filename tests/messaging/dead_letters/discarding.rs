//! `dead-letters discard` writes what it discards to a file first.

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt as _};

use lookup_gitlab_sync::messaging::{
    DeadLetterReason, Stage,
    dead_letters::{DiscardError, Selection, discard},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::fixture::{Attributes, DeadLetterFixture};

#[tokio::test]
async fn what_is_discarded_is_gone_and_on_disk_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letters.jsonl");
    let fixture = DeadLetterFixture::start().await;
    let text = fixture
        .give_up("not\nJSON", DeadLetterReason::Undecodable)
        .await;
    let binary = fixture
        .bury(Stage::UserWorker, &[0xff, 0x00], Attributes::new())
        .await;
    let kept = fixture.give_up("{}", DeadLetterReason::Refused).await;
    let two = Selection::of_ids([text.clone(), binary.clone()]);
    let discarded = discard(
        &fixture.connection,
        &two,
        &path,
        &CancellationToken::new(),
        &|_| (),
    )
    .await;
    assert!(discarded.broken.is_none() && discarded.missing.is_empty());
    assert_eq!((discarded.discarded, fixture.held()), (2, 1));
    let left = lookup_gitlab_sync::messaging::dead_letters::list(
        &fixture.connection,
        &Selection::default(),
    )
    .await;
    assert_eq!(left.unwrap()[0].id, kept);

    let lines = std::fs::read_to_string(&path).unwrap();
    let records: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |id: &str| {
        records
            .iter()
            .find(|record| record["message_id"] == id)
            .unwrap()
    };
    assert_eq!(records.len(), 2);
    assert_eq!(of(&text)["body"], "not\nJSON");
    assert_eq!(of(&text)["attributes"]["dead_letter_reason"], "undecodable");
    assert_eq!(of(&binary)["body_base64"], "/wA=");
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[tokio::test]
async fn killed_after_the_file_and_before_the_ack_the_letters_are_in_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letters.jsonl");
    let fixture = DeadLetterFixture::start().await;
    let mut ids = BTreeSet::new();
    for _ in 0..20 {
        ids.insert(fixture.give_up("{}", DeadLetterReason::Refused).await);
    }
    let (connection, file) = (fixture.connection.clone(), path.clone());
    let killed = tokio::spawn(async move {
        let die = |_: &_| panic!("killed here, as the test wants");
        discard(
            &connection,
            &Selection::default(),
            &file,
            &CancellationToken::new(),
            &die,
        )
        .await
    });
    assert!(killed.await.unwrap_err().is_panic());
    let lines = std::fs::read_to_string(&path).unwrap();
    let written: BTreeSet<String> = lines
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["message_id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(written, ids);
    assert_eq!(
        (
            fixture.held(),
            fixture.counts(Stage::UserWorker.hold_subscription()).acked
        ),
        (20, 0)
    );
}

#[tokio::test]
async fn a_file_that_is_there_is_never_written_over_and_then_nothing_is_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letters.jsonl");
    std::fs::write(&path, "precious").unwrap();
    let fixture = DeadLetterFixture::start().await;
    fixture.give_up("{}", DeadLetterReason::Refused).await;
    let all = Selection::default();
    let discarded = discard(
        &fixture.connection,
        &all,
        &path,
        &CancellationToken::new(),
        &|_| (),
    )
    .await;
    assert!(matches!(discarded.broken, Some(DiscardError::File { .. })));
    assert_eq!((discarded.discarded, fixture.held()), (0, 1));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn without_a_letter_there_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letters.jsonl");
    let fixture = DeadLetterFixture::start().await;
    let all = Selection::default();
    let discarded = discard(
        &fixture.connection,
        &all,
        &path,
        &CancellationToken::new(),
        &|_| (),
    )
    .await;
    assert_eq!(discarded.discarded, 0);
    assert!(discarded.broken.is_none() && !path.exists());
}
