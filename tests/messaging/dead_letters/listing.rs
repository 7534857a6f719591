//! `dead-letters list` filters, and changes nothing.

use jiff::{SignedDuration, Timestamp};
use lookup_gitlab_sync::messaging::{
    DeadLetterReason, Stage,
    dead_letters::{Selection, Why, list},
};

use super::fixture::{Attributes, DeadLetterFixture, died};

#[tokio::test]
async fn each_filter_narrows_what_is_listed() {
    let fixture = DeadLetterFixture::start().await;
    let crsid = fixture
        .give_up(r#"{"crsid":"spqr1"}"#, DeadLetterReason::Refused)
        .await;
    let account = fixture
        .give_up(
            r#"{"gitlab_user_id":42}"#,
            DeadLetterReason::AttemptsExhausted,
        )
        .await;
    let poison = fixture
        .give_up("\u{1b}[2Jnot JSON", DeadLetterReason::Undecodable)
        .await;
    let namespace = fixture
        .give_up(r#"{"namespace_id":7}"#, DeadLetterReason::InvalidField)
        .await;
    let tick = fixture.bury(Stage::FanOut, b"{}", Attributes::new()).await;
    let again = died(
        Stage::UserWorker,
        b"{}",
        &[("deaths", "3")].into(),
        DeadLetterReason::Refused,
    );
    let often = fixture.bury(Stage::UserWorker, b"{}", again).await;

    let all = Selection::default;
    let user = |user: &str| Selection {
        user: Some(user.to_owned()),
        ..all()
    };
    let cause = |cause| Selection {
        causes: vec![cause],
        ..all()
    };
    let now = Timestamp::now();
    let hour = SignedDuration::from_hours(1);
    let every = vec![&crsid, &account, &poison, &namespace, &tick, &often];
    let cases = [
        (all(), every.clone()),
        (user("SPQR1"), vec![&crsid]),
        (user("42"), vec![&account]),
        (user("7"), vec![]),
        (
            cause(Why::Reason(DeadLetterReason::Undecodable)),
            vec![&poison],
        ),
        (cause(Why::Unstated), vec![&tick]),
        (cause(Why::Forwarded), vec![]),
        (
            Selection {
                namespace: Some("7".to_owned()),
                ..all()
            },
            vec![&namespace],
        ),
        (
            Selection {
                stages: vec![Stage::FanOut],
                ..all()
            },
            vec![&tick],
        ),
        (
            Selection {
                min_deaths: Some(2),
                ..all()
            },
            vec![&often],
        ),
        (
            Selection {
                before: Some(now - hour),
                ..all()
            },
            vec![],
        ),
        (
            Selection {
                since: Some(now - hour),
                ..all()
            },
            every,
        ),
        (
            Selection::of_ids([poison.clone(), "none".to_owned()]),
            vec![&poison],
        ),
    ];
    for (selection, expected) in cases {
        let listed = list(&fixture.connection, &selection).await.unwrap();
        let mut ids: Vec<&String> = listed.iter().map(|seen| &seen.id).collect();
        let mut expected = expected;
        ids.sort();
        expected.sort();
        assert_eq!(ids, expected, "{selection:?}");
    }
}

#[tokio::test]
async fn what_was_listed_is_given_back_and_changed_in_nothing() {
    let fixture = DeadLetterFixture::start().await;
    for number in 0..250 {
        fixture
            .give_up(
                &format!(r#"{{"gitlab_user_id":{number}}}"#),
                DeadLetterReason::Refused,
            )
            .await;
    }
    for _ in 0..2 {
        assert_eq!(
            list(&fixture.connection, &Selection::default())
                .await
                .unwrap()
                .len(),
            250
        );
        let counts = fixture.counts(Stage::UserWorker.hold_subscription());
        assert_eq!(
            (counts.outstanding, counts.waiting, counts.acked),
            (0, 250, 0)
        );
    }
}

#[tokio::test]
async fn a_large_poison_does_not_break_the_pull() {
    let fixture = DeadLetterFixture::start().await;
    for _ in 0..3 {
        fixture
            .bury(Stage::UserWorker, &vec![b'x'; 9_000_000], Attributes::new())
            .await;
    }
    let listed = list(&fixture.connection, &Selection::default())
        .await
        .unwrap();
    assert_eq!(
        listed.iter().map(|seen| seen.bytes).collect::<Vec<_>>(),
        [9_000_000; 3]
    );
}

#[tokio::test]
async fn a_letter_that_pubsub_forwarded_is_listed_as_such() {
    let fixture = DeadLetterFixture::start().await;
    fixture.let_pubsub_give_up(r#"{"crsid":"spqr1"}"#).await;
    let forwarded = Selection {
        causes: vec![Why::Forwarded],
        ..Selection::default()
    };
    let listed = list(&fixture.connection, &forwarded).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].history.delivery_attempt, Some(5));
    assert_eq!(listed[0].history.deaths, 1);
    assert!(listed[0].about.is_user("spqr1"));
}

#[tokio::test]
async fn a_missing_hold_subscription_is_an_error_and_not_an_empty_list() {
    let fixture = DeadLetterFixture::start().await;
    let name = fixture
        .connection
        .names()
        .subscription(Stage::UserWorker.hold_subscription());
    let delete =
        google_cloud_googleapis::pubsub::v1::DeleteSubscriptionRequest { subscription: name };
    fixture
        .connection
        .subscriptions()
        .delete_subscription(delete)
        .await
        .unwrap();
    let error = list(&fixture.connection, &Selection::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("user-sync-dead-hold") && error.contains("NotFound"),
        "{error}"
    );
}
