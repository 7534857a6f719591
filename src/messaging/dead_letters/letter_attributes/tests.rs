//! The attributes of dead letters.

use super::*;
use crate::messaging::{DeadLetterReason, dead_letters::GivenUpBy};

fn delivery(attributes: &[(&str, &str)]) -> Delivery {
    Delivery {
        message_id: "42".to_owned(),
        body: bytes::Bytes::from_static(b"not JSON"),
        attributes: attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        publish_time: "2026-11-22T02:00:00Z".parse().ok(),
        delivery_attempt: Some(3),
    }
}

fn letter() -> DeadLetter {
    DeadLetter {
        reason: DeadLetterReason::Undecodable,
        detail: "body: not JSON\nat line 1".to_owned(),
        record: None,
    }
}

fn copied(delivery: &Delivery) -> BTreeMap<String, String> {
    let at = "2026-11-22T02:00:05Z".parse().unwrap_or_default();
    attributes(delivery, Stage::UserWorker, "user-sync", &letter(), at)
}

#[test]
fn a_copy_keeps_every_attribute_and_says_why_it_is_there() {
    let copy = copied(&delivery(&[("run", "r1"), ("colour", "blue")]));
    insta::assert_debug_snapshot!(copy, @r#"
    {
        "colour": "blue",
        "dead_letter_at": "2026-11-22T02:00:05Z",
        "dead_letter_detail": "body: not JSON at line 1",
        "dead_letter_reason": "undecodable",
        "dead_letter_stage": "user-worker",
        "deaths": "1",
        "original_delivery_attempt": "3",
        "original_message_id": "42",
        "original_publish_time": "2026-11-22T02:00:00Z",
        "original_topic": "user-sync",
        "run": "r1",
    }
    "#);
}

#[test]
fn what_was_written_is_read_back() {
    let history = History::read(&copied(&delivery(&[])));
    assert_eq!(history.by, GivenUpBy::Service);
    assert_eq!(history.reason, Some(DeadLetterReason::Undecodable));
    assert_eq!(history.stage, Some(Stage::UserWorker));
    assert_eq!(history.message_id.as_deref(), Some("42"));
    assert_eq!(history.delivery_attempt, Some(3));
    assert_eq!(history.publish_time, delivery(&[]).publish_time);
    assert_eq!(history.deaths, 1);
}

#[test]
fn an_unknown_attempt_is_absent_and_not_an_earlier_one() {
    let mut again = delivery(&[("deaths", "2"), (ORIGINAL_DELIVERY_ATTEMPT, "9")]);
    again.delivery_attempt = None;
    let history = History::read(&copied(&again));
    assert_eq!(history.delivery_attempt, None);
    assert_eq!(history.deaths, 3);
}

#[test]
fn a_message_that_pubsub_forwarded_is_read_alike() {
    let history = History::read(
        &delivery(&[
            ("run", "r1"),
            ("deaths", "1"),
            (FORWARDED_FROM, "user-sync-worker"),
            (FORWARDED_FROM_PROJECT, "p"),
            (FORWARDED_ATTEMPTS, "100"),
            (FORWARDED_PUBLISH_TIME, "2026-11-22T02:00:00.000+00:00"),
        ])
        .attributes,
    );
    assert_eq!(history.by, GivenUpBy::PubSub);
    assert_eq!(history.subscription.as_deref(), Some("user-sync-worker"));
    assert_eq!(history.delivery_attempt, Some(100));
    assert_eq!(history.publish_time, delivery(&[]).publish_time);
    assert_eq!(history.deaths, 2);
}

#[test]
fn stripping_gives_back_the_original_attributes() {
    let original = delivery(&[("run", "r1"), ("colour", "blue")]);
    assert_eq!(without_dead_letter(&copied(&original)), original.attributes);
}

#[test]
fn a_replayed_message_looks_as_it_was_published_and_keeps_its_history() {
    let again = replayed(
        &copied(&delivery(&[("run", "r1"), ("colour", "blue")])),
        Stage::UserWorker,
        "p1",
        None,
    );
    insta::assert_debug_snapshot!(again, @r#"
    {
        "colour": "blue",
        "deaths": "1",
        "first_dead_letter_at": "2026-11-22T02:00:05Z",
        "first_dead_letter_reason": "undecodable",
        "replay_id": "p1",
        "replays": "1",
        "run": "r1",
    }
    "#);
}

#[test]
fn a_second_death_is_counted_on_and_the_first_cause_stays() {
    let mut again = delivery(&[]);
    again.attributes = replayed(&copied(&delivery(&[])), Stage::UserWorker, "p1", None);
    let at = "2026-11-23T00:00:00Z".parse().unwrap_or_default();
    let other = DeadLetter {
        reason: DeadLetterReason::Refused,
        ..letter()
    };
    let copy = attributes(&again, Stage::UserWorker, "user-sync", &other, at);
    let history = History::read(&copy);
    assert_eq!((history.deaths, history.replays), (2, 1));
    let third = replayed(&copy, Stage::UserWorker, "p2", None);
    assert_eq!(
        third.get(FIRST_REASON).map(String::as_str),
        Some("undecodable")
    );
    assert_eq!(
        third.get(FIRST_AT).map(String::as_str),
        Some("2026-11-22T02:00:05Z")
    );
    assert_eq!(third.get(REPLAYS).map(String::as_str), Some("2"));
    assert_eq!(third.get(DEATHS).map(String::as_str), Some("2"));
}

#[test]
fn a_replayed_tick_starts_a_new_run_and_a_user_message_keeps_its_own() {
    let with_run = copied(&delivery(&[("run", "r1")]));
    assert_eq!(
        replayed(&with_run, Stage::FanOut, "p1", None).get(RUN),
        None
    );
    let without = copied(&delivery(&[]));
    assert_eq!(replayed(&without, Stage::FanOut, "p1", None).get(RUN), None);
    let kept = replayed(&without, Stage::UserWorker, "p1", None);
    assert_eq!(kept.get(RUN).map(String::as_str), Some("42"));
}
