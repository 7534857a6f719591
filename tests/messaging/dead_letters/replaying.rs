//! `dead-letters replay` publishes to the original topic, with the history of the message.

use std::time::Duration;

use jiff::Timestamp;
use lookup_gitlab_sync::messaging::{
    DeadLetter, DeadLetterReason, Delivery, Stage, dead_letters,
    dead_letters::{ReplayEvent, ReplayOptions, Selection, Summary, list, replay},
};
use testkit::wait::PATIENCE;
use tokio_util::sync::CancellationToken;

use super::fixture::{Attributes, DeadLetterFixture, died};

pub async fn run(
    fixture: &DeadLetterFixture,
    selection: &Selection,
    options: &ReplayOptions,
) -> Summary {
    let stopping = CancellationToken::new();
    let replaying = replay(&fixture.connection, selection, options, &stopping, &|_| ());
    tokio::time::timeout(PATIENCE, replaying)
        .await
        .expect("a replay ends")
}

#[tokio::test]
async fn a_replayed_message_is_published_as_it_was_with_its_history() {
    let fixture = DeadLetterFixture::start().await;
    let body = "\u{0}not JSON\u{1b}";
    fixture.give_up(body, DeadLetterReason::Undecodable).await;
    let options = ReplayOptions::new();
    let summary = run(&fixture, &Selection::default(), &options).await;
    assert!(summary.is_complete());
    assert_eq!(summary.replayed, 1);
    let messages = fixture.take(Stage::UserWorker.subscription(), 1).await;
    assert_eq!(messages[0].data, body.as_bytes());
    let mut attributes: Attributes = messages[0].attributes.clone().into_iter().collect();
    assert!(
        attributes
            .remove("first_dead_letter_at")
            .unwrap()
            .parse::<Timestamp>()
            .is_ok()
    );
    let expected = [
        ("run", "r1"),
        ("deaths", "1"),
        ("replays", "1"),
        ("replay_id", &options.replay_id),
        ("first_dead_letter_reason", "undecodable"),
    ];
    let expected: Attributes = expected
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(attributes, expected);
    assert_eq!(fixture.held(), 0);
}

#[tokio::test]
async fn a_tick_goes_back_to_its_own_topic_without_its_run() {
    let fixture = DeadLetterFixture::start().await;
    let attributes = died(
        Stage::FanOut,
        b"{}",
        &[("run", "r1")].into(),
        DeadLetterReason::GuardRefused,
    );
    fixture.bury(Stage::FanOut, b"{}", attributes).await;
    run(&fixture, &Selection::default(), &ReplayOptions::new()).await;
    let messages = fixture.take(Stage::FanOut.subscription(), 1).await;
    assert!(!messages[0].attributes.contains_key("run"));
    assert_eq!(
        fixture.counts(Stage::UserWorker.subscription()).published,
        0
    );
}

#[tokio::test]
async fn a_letter_goes_where_its_topic_says_and_not_where_it_says_itself() {
    let fixture = DeadLetterFixture::start().await;
    let attributes = Attributes::from([("original_topic".to_owned(), "sync-tick".to_owned())]);
    fixture.bury(Stage::UserWorker, b"{}", attributes).await;
    run(&fixture, &Selection::default(), &ReplayOptions::new()).await;
    assert_eq!(
        fixture
            .take(Stage::UserWorker.subscription(), 1)
            .await
            .len(),
        1
    );
    assert_eq!(fixture.counts(Stage::FanOut.subscription()).published, 0);
}

#[tokio::test]
async fn a_queue_that_refills_while_it_is_replayed_ends_and_deaths_are_counted_on() {
    const LETTERS: usize = 150;
    let fixture = DeadLetterFixture::start().await;
    for _ in 0..LETTERS {
        fixture
            .give_up("poison", DeadLetterReason::Undecodable)
            .await;
    }
    let done = CancellationToken::new();
    let worker = async {
        while !done.is_cancelled() {
            for received in fixture.pull(Stage::UserWorker.subscription()).await {
                let message = received.message.clone().unwrap();
                let delivery = Delivery {
                    message_id: message.message_id,
                    body: message.data,
                    attributes: message.attributes.into_iter().collect(),
                    publish_time: None,
                    delivery_attempt: None,
                };
                let letter = DeadLetter {
                    reason: DeadLetterReason::Undecodable,
                    detail: "again".to_owned(),
                    record: None,
                };
                let attributes = dead_letters::attributes(
                    &delivery,
                    Stage::UserWorker,
                    "user-sync",
                    &letter,
                    Timestamp::now(),
                );
                fixture
                    .bury(Stage::UserWorker, &delivery.body, attributes)
                    .await;
                fixture
                    .ack(Stage::UserWorker.subscription(), &[received])
                    .await;
            }
            tokio::task::yield_now().await;
        }
    };
    let replaying = async {
        let summary = run(&fixture, &Selection::default(), &ReplayOptions::new()).await;
        let all_died_again = async {
            while fixture.held() < LETTERS {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, all_died_again)
            .await
            .expect("every poison dies again");
        done.cancel();
        summary
    };
    let (summary, ()) = tokio::join!(replaying, worker);
    assert_eq!(summary.replayed, LETTERS as u64);
    assert!(
        summary.died_again > 0,
        "it did not refill while it was replayed"
    );
    let listed = list(&fixture.connection, &Selection::default())
        .await
        .unwrap();
    assert_eq!(listed.len(), LETTERS);
    for seen in &listed {
        assert_eq!((seen.history.deaths, seen.history.replays), (2, 1));
        assert_eq!(seen.history.first_reason.as_deref(), Some("undecodable"));
    }
}

#[tokio::test]
async fn one_message_that_pubsub_refuses_fails_alone() {
    let fixture = DeadLetterFixture::start().await;
    // As many attributes as Pub/Sub takes: with its history it has too many.
    let crowded = (0..100)
        .map(|number| (format!("a{number}"), String::new()))
        .collect();
    let refused = fixture.bury(Stage::UserWorker, b"{}", crowded).await;
    for _ in 0..20 {
        fixture.give_up("{}", DeadLetterReason::Refused).await;
    }
    let summary = run(&fixture, &Selection::default(), &ReplayOptions::new()).await;
    assert_eq!((summary.replayed, summary.failed), (20, 1));
    assert!(!summary.is_complete());
    let left = list(&fixture.connection, &Selection::default())
        .await
        .unwrap();
    assert_eq!(
        left.iter().map(|seen| &seen.id).collect::<Vec<_>>(),
        [&refused]
    );
}

#[tokio::test]
async fn what_pubsub_forwarded_is_replayed_without_a_trace_of_its_own_attributes() {
    let fixture = DeadLetterFixture::start().await;
    fixture.let_pubsub_give_up(r#"{"crsid":"spqr1"}"#).await;
    let summary = run(&fixture, &Selection::default(), &ReplayOptions::new()).await;
    assert_eq!(summary.replayed, 1);
    let messages = fixture.take(Stage::UserWorker.subscription(), 1).await;
    assert!(
        !messages[0]
            .attributes
            .keys()
            .any(|name| name.starts_with("CloudPubSub"))
    );
    assert_eq!(messages[0].attributes["deaths"], "1");
    assert_eq!(
        messages[0].attributes["first_dead_letter_reason"],
        "forwarded"
    );
}

#[tokio::test]
async fn a_letter_that_was_replayed_three_times_needs_force() {
    let fixture = DeadLetterFixture::start().await;
    let often = died(
        Stage::UserWorker,
        b"{}",
        &[("replays", "3")].into(),
        DeadLetterReason::Refused,
    );
    fixture.bury(Stage::UserWorker, b"{}", often).await;
    let options = ReplayOptions::new();
    let summary = run(&fixture, &Selection::default(), &options).await;
    assert_eq!((summary.replayed, summary.replayed_too_often), (0, 1));
    assert!(!summary.is_complete());
    assert_eq!(fixture.held(), 1);
    let forced = ReplayOptions {
        force: true,
        ..options
    };
    assert!(
        run(&fixture, &Selection::default(), &forced)
            .await
            .is_complete()
    );
    assert_eq!(fixture.held(), 0);
}

#[tokio::test]
async fn no_more_than_max_are_replayed_and_nothing_but_the_selected() {
    let fixture = DeadLetterFixture::start().await;
    for number in 0..60 {
        let reason = if number % 2 == 0 {
            DeadLetterReason::Refused
        } else {
            DeadLetterReason::Undecodable
        };
        fixture.give_up("{}", reason).await;
    }
    let refused = Selection {
        causes: vec![dead_letters::Why::Reason(DeadLetterReason::Refused)],
        ..Selection::default()
    };
    let some = ReplayOptions {
        max: Some(7),
        ..ReplayOptions::new()
    };
    assert_eq!(run(&fixture, &refused, &some).await.replayed, 7);
    assert_eq!(fixture.held(), 53);
    assert_eq!(
        run(&fixture, &refused, &ReplayOptions::new())
            .await
            .replayed,
        23
    );
    assert_eq!(fixture.held(), 30);
}

#[tokio::test]
async fn ids_that_are_not_there_are_named() {
    let fixture = DeadLetterFixture::start().await;
    let id = fixture.give_up("{}", DeadLetterReason::Refused).await;
    let summary = run(
        &fixture,
        &Selection::of_ids([id, "gone".to_owned()]),
        &ReplayOptions::new(),
    )
    .await;
    assert_eq!(
        (summary.replayed, summary.missing.as_slice()),
        (1, ["gone".to_owned()].as_slice())
    );
    assert!(!summary.is_complete());
}

#[tokio::test]
async fn a_slow_replay_keeps_its_leases_and_its_rate() {
    let fixture = DeadLetterFixture::start().await;
    fixture.lapse_soon().await;
    for _ in 0..6 {
        fixture.give_up("{}", DeadLetterReason::Refused).await;
    }
    let started = std::time::Instant::now();
    let slow = ReplayOptions {
        pause: Some(Duration::from_secs(3)),
        ..ReplayOptions::new()
    };
    let summary = run(&fixture, &Selection::default(), &slow).await;
    // Five pauses: longer than a lease, and a pause never shrinks.
    assert!(started.elapsed() >= Duration::from_secs(15));
    assert_eq!(summary.replayed, 6);
    let counts = fixture.counts(Stage::UserWorker.hold_subscription());
    assert_eq!((counts.lapsed, counts.delivered, counts.acked), (0, 6, 6));
}

#[tokio::test]
async fn a_stopped_replay_gives_back_what_it_did_not_begin() {
    let fixture = DeadLetterFixture::start().await;
    for _ in 0..40 {
        fixture.give_up("{}", DeadLetterReason::Refused).await;
    }
    let stopping = CancellationToken::new();
    let slow = ReplayOptions {
        pause: Some(Duration::from_millis(50)),
        ..ReplayOptions::new()
    };
    let stop_at_once = |event: ReplayEvent<'_>| {
        if let ReplayEvent::Replayed(..) = event {
            stopping.cancel();
        }
    };
    let all = Selection::default();
    let summary = replay(&fixture.connection, &all, &slow, &stopping, &stop_at_once).await;
    assert!(
        summary.stopped && summary.replayed >= 1 && summary.replayed < 40,
        "{summary:?}"
    );
    let counts = fixture.counts(Stage::UserWorker.hold_subscription());
    assert_eq!(
        (counts.outstanding, counts.waiting as u64 + summary.replayed),
        (0, 40)
    );
    assert_eq!(
        fixture.counts(Stage::UserWorker.subscription()).published,
        summary.replayed
    );
}
