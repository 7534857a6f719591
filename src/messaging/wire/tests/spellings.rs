//! The spellings that the JSON form of protocol buffers allows, and the mistakes that are told by
//! name.

use rstest::rstest;

use super::{permanent, user};
use crate::messaging::{
    DeadLetterReason,
    dead_letters::{GivenUpBy, History},
    wire::{Cause, NamespaceRequest, Planned, SyncTick, UserRequest, Who},
};

#[rstest]
#[case(r#"{"gitlabUserId":"10"}"#)]
#[case(r#"{"gitlab_user_id":"10"}"#)]
#[case(r#"{"gitlab_user_id":10.0}"#)]
#[case(r#"{"gitlabUserId":1e1}"#)]
#[case(r#"{"gitlabUserId":10,"gitlab_user_id":null,"dryRun":null}"#)]
fn what_a_topics_schema_admits_is_read(#[case] body: &str) {
    if body.contains("null") {
        // The same field twice, whichever of the two is null.
        assert_eq!(permanent(user(body)).1, "gitlab_user_id: expected once");
        return;
    }
    assert_eq!(user(body).unwrap().who, Who::Account(10));
}

#[test]
fn every_field_has_both_names() {
    let request = user(
        r#"{"gitlabUserId":7,"cause":"tick","planned":"block","plannedReason":"cancelled",
            "plannedAt":"2030-01-02T03:04:05Z","dryRun":true,"requestedBy":"spqr1","reason":"r"}"#,
    )
    .unwrap();
    assert!(request.dry_run);
    assert_eq!(request.requested_by.as_deref(), Some("spqr1"));
    let Cause::Tick {
        planned,
        planned_reason,
        planned_at,
    } = request.cause
    else {
        panic!("it is a tick's");
    };
    assert_eq!(planned, Planned::Block);
    assert_eq!(planned_reason.as_deref(), Some("cancelled"));
    assert!(planned_at.is_some());

    let tick = SyncTick::decode(br#"{"maxBlockPercent":"12.5","maxUnblockPercent":3}"#).unwrap();
    assert_eq!(tick.max_block_percent, Some(12.5));
    assert_eq!(tick.max_unblock_percent, Some(3.0));
    let namespace = NamespaceRequest::decode(br#"{"namespaceId":"9"}"#).unwrap();
    assert_eq!(namespace.namespace_id, 9);
}

#[rstest]
#[case(r#"{"gitlab_user_id":"ten"}"#)]
#[case(r#"{"gitlab_user_id":"-1"}"#)]
#[case(r#"{"gitlab_user_id":""}"#)]
#[case(r#"{"gitlab_user_id":"0"}"#)]
#[case(r#"{"gitlab_user_id":"99999999999999999999"}"#)]
#[case(r#"{"gitlab_user_id":1e300}"#)]
#[case(r#"{"gitlab_user_id":9007199254740993.0}"#)]
fn a_number_that_is_no_account_is_refused_however_it_is_written(#[case] body: &str) {
    assert_eq!(
        permanent(user(body)).1,
        "gitlab_user_id: expected a whole number from 1"
    );
}

#[rstest]
#[case(r#"{"max_block_percent":"NaN"}"#)]
#[case(r#"{"max_block_percent":"Infinity"}"#)]
#[case(r#"{"max_block_percent":"101"}"#)]
fn a_quoted_percentage_has_the_same_bounds(#[case] body: &str) {
    assert_eq!(
        permanent(SyncTick::decode(body.as_bytes())).1,
        "max_block_percent: expected a number from 0 to 100"
    );
}

#[rstest]
#[case(
    r#"{"Gitlab_User_Id":10}"#,
    "Gitlab_User_Id: expected a field of UserSync"
)]
#[case(r#"{"gitlabuserid":10}"#, "gitlabuserid: expected a field of UserSync")]
#[case(
    r#"{"gitlabUserId":10,"gitlab_user_id":10}"#,
    "gitlab_user_id: expected once"
)]
fn no_third_spelling_is_taken_and_no_field_twice(#[case] body: &str, #[case] detail: &str) {
    assert_eq!(
        permanent(user(body)),
        (DeadLetterReason::InvalidField, detail.to_owned())
    );
}

#[rstest]
#[case(
    b"\xef\xbb\xbf{\"crsid\":\"abc12\"}",
    "body: begins with a byte order mark, expected a JSON object in UTF-8 without one"
)]
#[case(b"\xff\xfe{\0", "body: UTF-16, expected a JSON object in UTF-8")]
#[case(b"\xfe\xff\0{", "body: UTF-16, expected a JSON object in UTF-8")]
#[case(b"{\0\"\0c\0", "body: UTF-16, expected a JSON object in UTF-8")]
#[case(b"\0{\0\"", "body: UTF-16, expected a JSON object in UTF-8")]
#[case(
    br#"{"message": {"attributes": {"run": "r"}, "data": "eyJjcnNpZCI6ImFiYzEyIn0=", "messageId": "2070443601311540"}, "subscription": "projects/p/subscriptions/s"}"#,
    "body: what Pub/Sub sends to a push endpoint; publish what is in message.data, decoded"
)]
fn a_body_in_another_dress_is_told_as_such(#[case] body: &[u8], #[case] detail: &str) {
    for told in [
        permanent(UserRequest::decode(body)),
        permanent(SyncTick::decode(body)),
        permanent(NamespaceRequest::decode(body)),
    ] {
        assert_eq!(told, (DeadLetterReason::Undecodable, detail.to_owned()));
    }
}

#[test]
fn what_pubsub_says_of_a_message_it_forwarded_is_read() {
    let attributes = [
        (
            "CloudPubSubDeadLetterSourceSubscription",
            "user-sync-worker",
        ),
        (
            "CloudPubSubDeadLetterSourceSubscriptionProject",
            "simulated",
        ),
        ("CloudPubSubDeadLetterSourceDeliveryCount", "5"),
        (
            "CloudPubSubDeadLetterSourceTopicPublishTime",
            "2022-08-12T15:56:29.732+00:00",
        ),
    ];
    let attributes = attributes
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let history = History::read(&attributes);
    assert_eq!(history.by, GivenUpBy::PubSub);
    assert_eq!(history.subscription.as_deref(), Some("user-sync-worker"));
    assert_eq!(history.delivery_attempt, Some(5));
    assert_eq!(
        history.publish_time.map(|at| at.to_string()).as_deref(),
        Some("2022-08-12T15:56:29.732Z")
    );
}
