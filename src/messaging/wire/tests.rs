//! Which bodies are read and which are refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use jiff::Timestamp;
use proptest::{option, prelude::*};
use rstest::rstest;

use super::{
    Cause, DecodeError, MAX_BODY_BYTES, NamespaceRequest, Planned, SyncTick, UserRequest, Who,
};
use crate::{
    directory::Crsid,
    messaging::{DeadLetterReason, Disposition, MAX_DETAIL_BYTES, line::breaks_a_line},
};

mod spellings;

fn user(body: &str) -> Result<UserRequest, DecodeError> {
    UserRequest::decode(body.as_bytes())
}

fn permanent<T: std::fmt::Debug>(result: Result<T, DecodeError>) -> (DeadLetterReason, String) {
    match result {
        Err(DecodeError::Permanent { reason, detail }) => (reason, detail),
        other => panic!("expected a permanent failure, got {other:?}"),
    }
}

#[test]
fn a_crsid_alone_is_a_resync_of_that_person() {
    assert_eq!(
        user(r#"{"crsid":"SPQR1"}"#),
        Ok(UserRequest {
            who: Who::Person(Crsid::parse("spqr1").unwrap()),
            cause: Cause::Resync,
            dry_run: false,
            requested_by: None,
            reason: None,
        })
    );
}

#[test]
fn an_empty_object_is_a_tick() {
    assert_eq!(SyncTick::decode(b"{}"), Ok(SyncTick::default()));
}

#[test]
fn null_is_the_same_as_absent() {
    let request = user(r#"{"crsid":null,"gitlab_user_id":7,"planned":null}"#).unwrap();
    assert_eq!(request.who, Who::Account(7));
}

#[rstest]
#[case::empty("", "undecodable", "body: empty, expected a JSON object")]
#[case::not_json(
    "{\"crsid\":spqr1}",
    "undecodable",
    "body: not JSON at line 1 column 10"
)]
#[case::cut_short(
    "{\"crsid\":\"spqr1\"",
    "undecodable",
    "body: not JSON at line 1 column 16"
)]
#[case::two_documents("{} {}", "undecodable", "body: not JSON at line 1 column 4")]
#[case::a_string("\"spqr1\"", "undecodable", "body: not a JSON object")]
#[case::an_array("[]", "undecodable", "body: not a JSON object")]
#[case::nothing("null", "undecodable", "body: not a JSON object")]
#[case::no_identifier(
    "{}",
    "no_identifier",
    "expected exactly one of gitlab_user_id, username, crsid; found none"
)]
#[case::two_identifiers(
    r#"{"username":"a","crsid":"spqr1"}"#,
    "no_identifier",
    "expected exactly one of gitlab_user_id, username, crsid; found username and crsid"
)]
#[case::odd_crsid(
    r#"{"crsid":"spqr1/../x"}"#,
    "invalid_field",
    "crsid: expected a letter and one to seven letters or digits, nothing else"
)]
#[case::crsid_of_another_script(
    r#"{"crsid":"ѕpqr1"}"#,
    "invalid_field",
    "crsid: expected a letter and one to seven letters or digits, nothing else"
)]
#[case::id_as_text(
    r#"{"gitlab_user_id":"seven"}"#,
    "invalid_field",
    "gitlab_user_id: expected a whole number from 1"
)]
#[case::fractional_id(
    r#"{"gitlab_user_id":7.5}"#,
    "invalid_field",
    "gitlab_user_id: expected a whole number from 1"
)]
#[case::negative_id(
    r#"{"gitlab_user_id":-7}"#,
    "invalid_field",
    "gitlab_user_id: expected a whole number from 1"
)]
#[case::id_nobody_has(
    r#"{"gitlab_user_id":0}"#,
    "invalid_field",
    "gitlab_user_id: expected a whole number from 1"
)]
#[case::username_with_control(
    r#"{"username":"a\u0007b"}"#,
    "invalid_field",
    "username: expected one line of 1 to 255 characters"
)]
#[case::empty_username(
    r#"{"username":""}"#,
    "invalid_field",
    "username: expected one line of 1 to 255 characters"
)]
#[case::username_as_list(
    r#"{"username":["a"]}"#,
    "invalid_field",
    "username: expected one line of 1 to 255 characters"
)]
#[case::unknown_field(
    r#"{"crsid":"spqr1","colour":"blue"}"#,
    "invalid_field",
    "colour: expected a field of UserSync"
)]
#[case::doubled_field(
    r#"{"crsid":"spqr1","crsid":"spqr2"}"#,
    "invalid_field",
    "crsid: expected once"
)]
#[case::unlisted_cause(
    r#"{"crsid":"spqr1","cause":"whim"}"#,
    "invalid_field",
    "cause: expected tick or resync"
)]
#[case::dry_run_as_text(
    r#"{"crsid":"spqr1","dry_run":"yes"}"#,
    "invalid_field",
    "dry_run: expected true or false"
)]
#[case::unlisted_plan(
    r#"{"gitlab_user_id":7,"cause":"tick","planned":"delete"}"#,
    "invalid_field",
    "planned: expected block, unblock or keep in a tick's message"
)]
#[case::tick_without_plan(
    r#"{"gitlab_user_id":7,"cause":"tick"}"#,
    "invalid_field",
    "planned: expected block, unblock or keep in a tick's message"
)]
#[case::plan_in_a_resync(
    r#"{"gitlab_user_id":7,"planned":"block"}"#,
    "invalid_field",
    "planned: expected no such field unless cause is tick"
)]
#[case::plan_of_no_time(
    r#"{"gitlab_user_id":7,"cause":"tick","planned":"keep","planned_at":"noon"}"#,
    "invalid_field",
    "planned_at: expected an RFC 3339 time"
)]
fn a_bad_user_message_is_refused_with_its_field(
    #[case] body: &str,
    #[case] reason: &str,
    #[case] detail: &str,
) {
    let (found, line) = permanent(user(body));
    assert_eq!((found.as_str(), line.as_str()), (reason, detail));
}

#[rstest]
#[case::unknown_field(r#"{"dryrun":true}"#, "dryrun: expected a field of SyncTick")]
#[case::too_many(
    r#"{"max_block_percent":100.5}"#,
    "max_block_percent: expected a number from 0 to 100"
)]
#[case::negative(
    r#"{"max_unblock_percent":-1}"#,
    "max_unblock_percent: expected a number from 0 to 100"
)]
#[case::text(
    r#"{"max_block_percent":"five"}"#,
    "max_block_percent: expected a number from 0 to 100"
)]
#[case::two_lines(
    r#"{"reason":"a\nb"}"#,
    "reason: expected one line of 1 to 1000 characters"
)]
fn a_bad_tick_is_refused_with_its_field(#[case] body: &str, #[case] detail: &str) {
    assert_eq!(
        permanent(SyncTick::decode(body.as_bytes())),
        (DeadLetterReason::InvalidField, detail.to_owned())
    );
}

#[rstest]
#[case("NaN")]
#[case("Infinity")]
#[case("1e999")]
fn a_percentage_that_is_no_number_is_refused(#[case] number: &str) {
    let body = format!(r#"{{"max_block_percent":{number}}}"#);
    let (reason, _) = permanent(SyncTick::decode(body.as_bytes()));
    assert_eq!(reason, DeadLetterReason::Undecodable);
}

#[test]
fn a_body_that_is_not_utf8_is_refused() {
    let (reason, detail) = permanent(UserRequest::decode(b"{\"username\":\"\xff\"}"));
    assert_eq!(reason, DeadLetterReason::Undecodable);
    assert_eq!(detail, "body: not UTF-8, expected a JSON object");
}

#[test]
fn a_body_over_the_bound_is_too_large_and_one_at_it_is_read() {
    let frame = r#"{"crsid":"spqr1"}"#;
    let mut body = frame.to_owned();
    body.push_str(&" ".repeat(MAX_BODY_BYTES - frame.len()));
    assert!(user(&body).is_ok());
    body.push(' ');
    assert_eq!(permanent(user(&body)).0, DeadLetterReason::TooLarge);
}

#[test]
fn an_unknown_field_of_a_tick_waits_for_a_newer_worker() {
    let error =
        user(r#"{"gitlab_user_id":7,"cause":"tick","planned":"archive","new":1}"#).unwrap_err();
    assert_eq!(
        error,
        DecodeError::NewerPublisher {
            detail: "new: expected a field of UserSync".to_owned()
        }
    );
    assert!(matches!(Disposition::from(error), Disposition::Retry(_)));
}

#[test]
fn a_nested_bomb_is_refused_and_not_a_stack_overflow() {
    let body = format!(r#"{{"reason":{}"#, "[".repeat(200_000));
    assert_eq!(permanent(user(&body)).0, DeadLetterReason::Undecodable);
}

#[test]
fn a_detail_never_echoes_a_value_and_cuts_a_long_field_name() {
    let body = format!(r#"{{"crsid":"spqr1","{}\n":"secret"}}"#, "é".repeat(2000));
    let (_, detail) = permanent(user(&body));
    assert!(!detail.contains("secret"));
    assert!(detail.len() <= MAX_DETAIL_BYTES);
    assert!(!detail.chars().any(char::is_control));
}

fn a_line(max: usize) -> impl Strategy<Value = String> {
    let character = any::<char>().prop_map(|c| if breaks_a_line(c) { 'x' } else { c });
    proptest::collection::vec(character, 1..=max).prop_map(String::from_iter)
}

/// As people and programs write it. With 16 and more digits the last one may change in reading,
/// which no guard minds.
fn a_percentage() -> impl Strategy<Value = f64> {
    (0..=100_000_000_u32).prop_map(|millionths| f64::from(millionths) / 1_000_000.0)
}

fn a_time() -> impl Strategy<Value = Timestamp> {
    (-62_135_596_800_i64..=253_402_207_200, 0..1_000_000_000_i32).prop_map(
        |(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap_or(Timestamp::UNIX_EPOCH),
    )
}

fn a_request() -> impl Strategy<Value = UserRequest> {
    let who = prop_oneof![
        (1..=u64::MAX).prop_map(Who::Account),
        a_line(255).prop_map(Who::Username),
        "[a-z][a-z0-9]{1,7}".prop_map(|text| Who::Person(Crsid::parse(&text).unwrap())),
    ];
    let planned = prop_oneof![
        Just(Planned::Block),
        Just(Planned::Unblock),
        Just(Planned::Keep)
    ];
    let cause = prop_oneof![
        Just(Cause::Resync),
        (planned, option::of(a_line(64)), option::of(a_time())).prop_map(
            |(planned, planned_reason, planned_at)| Cause::Tick {
                planned,
                planned_reason,
                planned_at,
            }
        ),
    ];
    let note = || option::of(a_line(100));
    (who, cause, any::<bool>(), note(), note()).prop_map(
        |(who, cause, dry_run, requested_by, reason)| UserRequest {
            who,
            cause,
            dry_run,
            requested_by,
            reason,
        },
    )
}

proptest! {
    #[test]
    fn a_request_decodes_to_itself(request in a_request()) {
        let body = serde_json::to_vec(&request.to_wire()).unwrap();
        prop_assert_eq!(UserRequest::decode(&body), Ok(request));
    }

    #[test]
    fn a_tick_decodes_to_itself(
        dry_run in option::of(any::<bool>()),
        max_block_percent in option::of(a_percentage()),
        max_unblock_percent in option::of(a_percentage()),
        reason in option::of(a_line(1000)),
    ) {
        let tick = SyncTick {
            dry_run,
            max_block_percent,
            max_unblock_percent,
            requested_by: reason.clone(),
            reason,
        };
        let body = serde_json::to_vec(&tick).unwrap();
        prop_assert_eq!(SyncTick::decode(&body), Ok(tick));
    }

    #[test]
    fn no_bytes_make_decoding_panic(body in proptest::collection::vec(any::<u8>(), 0..2000)) {
        decoding_ends_well(&body);
    }

    #[test]
    fn no_object_makes_decoding_panic(
        body in r#"\{("[a-z_]{1,12}|crsid|cause|planned_at":("\PC{0,40}"|-?[0-9]{1,25}(\.[0-9]+)?|true|null|\[\]|\{\}),?){0,6}\}?"#
    ) {
        decoding_ends_well(body.as_bytes());
    }
}

fn decoding_ends_well(body: &[u8]) {
    let errors = [
        UserRequest::decode(body).err(),
        SyncTick::decode(body).err(),
        NamespaceRequest::decode(body).err(),
    ];
    for error in errors.into_iter().flatten() {
        let (DecodeError::Permanent { detail, .. } | DecodeError::NewerPublisher { detail }) =
            error;
        assert!(detail.len() <= MAX_DETAIL_BYTES);
        assert!(!detail.chars().any(char::is_control));
    }
}

#[rstest]
#[case(r"{}", "no_identifier", "expected namespace_id; found none")]
#[case(
    r#"{"namespace_id":0}"#,
    "invalid_field",
    "namespace_id: expected a whole number from 1"
)]
#[case(
    r#"{"namespace_id":9223372036854775808}"#,
    "invalid_field",
    "namespace_id: expected a whole number below 2^63"
)]
#[case(
    r#"{"namespace_id":7,"provision":{}}"#,
    "invalid_field",
    "provision: expected a field of NamespaceSync"
)]
fn a_bad_namespace_message_is_refused_with_its_field(
    #[case] body: &str,
    #[case] reason: &str,
    #[case] detail: &str,
) {
    let (found, line) = permanent(NamespaceRequest::decode(body.as_bytes()));
    assert_eq!((found.as_str(), line.as_str()), (reason, detail));
}

#[test]
fn a_namespace_request_decodes_to_itself() {
    let request = NamespaceRequest {
        namespace_id: i64::MAX,
        requested_by: Some("spqr1".to_owned()),
    };
    let body = serde_json::to_vec(&request.to_wire()).unwrap();
    assert_eq!(NamespaceRequest::decode(&body), Ok(request));
}
