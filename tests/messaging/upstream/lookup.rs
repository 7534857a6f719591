//! Reading people from Lookup.

use std::collections::HashMap;

use lookup_gitlab_sync::{
    config,
    directory::{self, Crsid, Directory, Lookup, Standing, Standings},
    gate::ErrorKind,
    upstream::{CallError, FaultScope},
};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    failures::assert_safe,
    memory::lookup_config,
    server::{Reply, Server},
};

pub fn crsids(ids: &[&str]) -> Vec<Crsid> {
    ids.iter().map(|id| Crsid::parse(id).unwrap()).collect()
}

pub fn person(id: &str, cancelled: impl Into<Value>) -> Value {
    json!({
        "cancelled": cancelled.into(), "identifier": {"scheme": "crsid", "value": id}, "displayName": "Secret Person",
        "visibleName": "Secret Person", "misAffiliation": "student", "staff": false, "student": true,
    })
}

pub fn people(people: &[Value]) -> Reply {
    Reply::json(
        200,
        json!({"result": {"version": "1.2", "people": people}}).to_string(),
    )
}

async fn ask(reply: Reply, ids: &[&str]) -> Result<Standings, CallError> {
    let server = Server::always(reply).await;
    Lookup::new(&lookup_config(&server.url))
        .unwrap()
        .standings(&crsids(ids))
        .await
}

async fn standing(reply: Reply, id: &str) -> Option<Standing> {
    ask(reply, &[id])
        .await
        .unwrap()
        .told()
        .get(&Crsid::parse(id).unwrap())
        .copied()
}

#[tokio::test]
async fn people_are_asked_for_directly_with_basic_credentials() {
    let server = Server::always(people(&[person("abcd1", false), person("EFG234", true)])).await;
    let lookup = directory::open(
        &config::DirectoryConfig::Lookup(lookup_config(&server.url)),
        &config::ControlsConfig::default(),
    )
    .unwrap();
    let found = lookup
        .standings(&crsids(&["efg234", "ABCD1", "nosuch9", "abcd1"]))
        .await
        .unwrap();
    let expected = [
        ("abcd1", Standing::Current),
        ("efg234", Standing::Cancelled),
    ];
    let expected = expected.map(|(id, standing)| (Crsid::parse(id).unwrap(), standing));
    assert_eq!(*found.told(), HashMap::from(expected));
    let asked = &server.asked()[0];
    assert_eq!(
        asked.target,
        "/lookup/v1/person/list?crsids=abcd1%2Cefg234%2Cnosuch9"
    );
    assert_eq!(asked.header("accept"), "application/json");
    assert_eq!(
        asked.header("authorization"),
        "Basic YS1ncm91cDpzZWNyZXQtcGFzc3dvcmQ="
    );
}

#[rstest]
#[case::missing(json!({"identifier": {"scheme": "crsid", "value": "abcd1"}}))]
#[case::null(person("abcd1", Value::Null))]
#[case::text(person("abcd1", "true"))]
#[case::number(person("abcd1", 1))]
#[case::list(person("abcd1", json!([true])))]
#[tokio::test]
async fn a_cancelled_that_is_no_boolean_is_unknown(#[case] person: Value) {
    assert_eq!(
        standing(people(&[person]), "abcd1").await,
        Some(Standing::Unknown)
    );
}

#[tokio::test]
async fn a_person_told_twice_and_differently_is_unknown() {
    let abcd1 = Crsid::parse("abcd1").unwrap();
    let twice = async |second: bool| {
        let told = [
            person("abcd1", true),
            person("abcd1", second),
            person("abcd1", true),
        ];
        let standings = ask(people(&told), &["abcd1", "efg234", "hij5"]).await;
        standings.unwrap().of(abcd1)
    };
    assert_eq!(twice(false).await, Standing::Unknown);
    assert_eq!(twice(true).await, Standing::Cancelled);
}

#[tokio::test]
async fn an_answer_about_more_people_than_were_asked_for_is_none() {
    let server = Server::start(|asked| {
        if asked.target.contains("last-transaction") {
            return Reply::json(200, r#"{"result":{"value":7}}"#);
        }
        people(&[person("abcd1", true), person("efg234", true)])
    })
    .await;
    let lookup = Lookup::new(&lookup_config(&server.url)).unwrap();
    let error = lookup.standings(&crsids(&["abcd1"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    assert!(
        error.to_string().contains("2 people when asked for 1"),
        "{error}"
    );
}

#[rstest]
#[case::another_person(person("other1", true))]
#[case::another_scheme(json!({"cancelled": true, "identifier": {"scheme": "usn", "value": "abcd1"}}))]
#[case::no_scheme(json!({"cancelled": true, "identifier": {"value": "abcd1"}}))]
#[case::no_identifier(json!({"cancelled": true}))]
#[case::a_scoped_identifier(person("abcd1@v1.person.identifiers.example.ac.uk", true))]
#[tokio::test]
async fn an_answer_about_somebody_else_is_ignored(#[case] person: Value) {
    assert_eq!(
        ask(people(&[person]), &["abcd1"]).await.unwrap(),
        Standings::default()
    );
}

#[rstest]
#[case(r#"{"result":{"version":"1.2","people":[]}}"#)]
#[case(r#"{"result":{"version":"1.2","people":null}}"#)]
#[case(r#"{"result":{"version":"1.2"}}"#)]
#[tokio::test]
async fn nobody_known_is_an_answer_when_the_result_is_there(#[case] body: &str) {
    assert_eq!(
        ask(Reply::json(200, body), &["abcd1"]).await.unwrap(),
        Standings::default()
    );
}

const ERROR: &str = r#"{"result":{"version":"1.2","error":{"status":STATUS,"code":"x","message":"about secret@x","details":"Secret stack"},"people":[]}}"#;
const FAULT: &str = r#"{"fault":{"faultstring":"about Secret Person","detail":{"errorcode":"policies.ratelimit.QuotaViolation"}}}"#;

fn error(http: u16, status: &str) -> Reply {
    Reply::json(http, ERROR.replace("STATUS", status))
}

#[rstest]
#[case::error_on_200(error(200, "500"), ErrorKind::ServerError)]
#[case::refused_on_200(error(200, "401"), ErrorKind::Unauthenticated)]
#[case::forbidden_on_200(error(200, "\"403\""), ErrorKind::Forbidden)]
#[case::error_without_status(error(200, "null"), ErrorKind::UnexpectedStatus)]
#[case::refused(error(401, "401"), ErrorKind::Unauthenticated)]
#[case::not_found(error(404, "404"), ErrorKind::UnexpectedStatus)]
#[case::a_bad_request_is_not_the_persons_fault(error(400, "400"), ErrorKind::UnexpectedStatus)]
#[case::gateway_fault_on_200(Reply::json(200, FAULT), ErrorKind::Unavailable)]
#[case::gateway_fault(Reply::json(503, FAULT), ErrorKind::Unavailable)]
#[case::no_result(Reply::json(200, "{}"), ErrorKind::Unreadable)]
#[case::null_result(Reply::json(200, r#"{"result":null}"#), ErrorKind::Unreadable)]
#[case::result_of_another_type(Reply::json(200, r#"{"result":"secret"}"#), ErrorKind::Unreadable)]
#[case::people_of_another_type(
    Reply::json(200, r#"{"result":{"people":{"secret":1}}}"#),
    ErrorKind::Unreadable
)]
#[case::a_list(Reply::json(200, "[]"), ErrorKind::Unreadable)]
#[case::truncated(
    Reply::json(200, r#"{"result":{"people":[{"cancelled":true"#),
    ErrorKind::Unreadable
)]
#[case::xml(
    Reply::new(200, "application/xml", "<result><people/></result>"),
    ErrorKind::Unreadable
)]
#[case::maintenance(Reply::html(200), ErrorKind::Unreadable)]
#[case::login(Reply::html(302).with("location", "/login?u=secret"), ErrorKind::Redirected)]
#[tokio::test]
async fn an_answer_that_is_none_is_an_error_and_never_an_empty_one(
    #[case] reply: Reply,
    #[case] kind: ErrorKind,
) {
    let server = Server::always(reply).await;
    let mut config = lookup_config(&server.url);
    config.calls.read_attempts = 1;
    let error = Lookup::new(&config)
        .unwrap()
        .standings(&crsids(&["abcd1"]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(matches!(error.scope, FaultScope::Upstream(_)), "{error}");
    assert_safe(&error);
    assert!(!error.to_string().contains("abcd1"));
}

#[tokio::test]
async fn a_faults_code_is_told_and_its_text_is_not() {
    let error = ask(Reply::json(403, FAULT), &["abcd1"]).await.unwrap_err();
    insta::assert_snapshot!(error, @"Lookup answered 403 (policies.ratelimit.QuotaViolation) (list_people): check LOOKUP_USERNAME and LOOKUP_PASSWORD: it needs a group that may read cancelled people");
    let odd = FAULT.replace("policies.ratelimit.QuotaViolation", "Secret");
    assert_safe(&ask(Reply::json(403, odd), &["abcd1"]).await.unwrap_err());
}

#[tokio::test]
async fn many_people_are_asked_for_in_batches_and_all_answers_count() {
    let server = Server::start(|asked| {
        let ids = asked.target.split("crsids=").nth(1).unwrap().split("%2C");
        people(
            &ids.map(|id| person(id, id.ends_with('7')))
                .collect::<Vec<_>>(),
        )
    })
    .await;
    let ids: Vec<_> = (0..450)
        .map(|n| Crsid::parse(&format!("ab{n}")).unwrap())
        .collect();
    let found = Lookup::new(&lookup_config(&server.url))
        .unwrap()
        .standings(&ids)
        .await
        .unwrap();
    assert_eq!(found.told().len(), 450);
    assert_eq!(
        found
            .told()
            .values()
            .filter(|standing| **standing == Standing::Cancelled)
            .count(),
        45
    );
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn one_failed_batch_fails_the_whole_question() {
    let server = Server::start(|asked| {
        if asked.target.contains("zz1") {
            Reply::html(200)
        } else {
            people(&[person("ab1", true)])
        }
    })
    .await;
    let mut config = lookup_config(&server.url);
    config.batch_size = 1;
    let answer = Lookup::new(&config)
        .unwrap()
        .standings(&crsids(&["ab1", "zz1"]))
        .await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unreadable);
}

#[tokio::test]
async fn nobody_asked_for_is_no_call() {
    let server = Server::always(Reply::html(500)).await;
    assert!(
        Lookup::new(&lookup_config(&server.url))
            .unwrap()
            .standings(&[])
            .await
            .unwrap()
            .told()
            .is_empty()
    );
    assert!(server.asked().is_empty());
}

#[rstest]
#[case("12345")]
#[case("\"12345\"")]
#[tokio::test]
async fn the_last_transaction_is_a_number_or_spells_one(#[case] value: &str) {
    let body = format!(r#"{{"result":{{"version":"1.2","value":{value}}}}}"#);
    let server = Server::always(Reply::json(200, body)).await;
    let lookup = Lookup::new(&lookup_config(&server.url)).unwrap();
    assert_eq!(lookup.last_transaction().await.unwrap(), 12345);
    assert_eq!(server.asked()[0].target, "/lookup/v1/last-transaction");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the bytes, nobody is told cancelled or current who was not so told for that very
    /// identifier.
    #[test]
    fn no_answer_makes_it_panic_and_only_an_explicit_one_is_believed(
        cancelled in prop_oneof![Just("true"), Just("false"), Just("null"), Just("\"true\""), Just("1"), Just("[]")],
        scheme in prop_oneof![Just("crsid"), Just("usn"), Just("")],
        value in prop_oneof![Just("abcd1"), Just("ABCD1"), Just("abcd2"), Just("")],
        cut in 0_usize..120,
    ) {
        let whole = format!(
            r#"{{"result":{{"people":[{{"cancelled":{cancelled},"identifier":{{"scheme":"{scheme}","value":"{value}"}}}}]}}}}"#
        );
        let body: String = whole.chars().take(whole.len().saturating_sub(cut / 4)).collect();
        let is_whole = body == whole;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async {
            let server = Server::always(Reply::json(200, body)).await;
            let mut config = lookup_config(&server.url);
            config.calls.read_attempts = 1;
            Lookup::new(&config).unwrap().standings(&crsids(&["abcd1"])).await
        });
        prop_assert_eq!(answer.is_ok(), is_whole);
        let told = answer.unwrap_or_default().told().values().next().copied();
        let about_them = scheme == "crsid" && value.eq_ignore_ascii_case("abcd1");
        let expected = match cancelled {
            _ if !(about_them && is_whole) => None,
            "true" => Some(Standing::Cancelled),
            "false" => Some(Standing::Current),
            _ => Some(Standing::Unknown),
        };
        prop_assert_eq!(told, expected);
    }
}
