//! A person whom Lookup cannot show, and all the others.

use std::collections::BTreeSet;

use lookup_gitlab_sync::{
    directory::{Crsid, Directory, Lookup, SharedLooks, Standing},
    gate::ErrorKind,
};
use rstest::rstest;

use super::{
    lookup::{crsids, people, person},
    memory::lookup_config,
    server::{Asked, Reply, Server},
};

/// Answers for everybody but fails for any list that holds one of `hidden`, with `reply`.
fn failing_for(hidden: &[&str], reply: Reply) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    let hidden: BTreeSet<String> = hidden.iter().map(ToString::to_string).collect();
    move |asked| {
        if asked.target.contains("last-transaction") {
            return Reply::json(200, r#"{"result":{"version":"1.2","value":"7"}}"#);
        }
        let ids = asked.target.split("crsids=").nth(1).unwrap().split("%2C");
        let ids: Vec<&str> = ids.collect();
        if ids.iter().any(|id| hidden.contains(*id)) {
            return reply.clone();
        }
        people(&ids.iter().map(|id| person(id, true)).collect::<Vec<_>>())
    }
}

fn many(count: usize) -> Vec<Crsid> {
    (0..count)
        .map(|n| Crsid::parse(&format!("ab{n}")).unwrap())
        .collect()
}

fn lookup(server: &Server) -> Lookup {
    let mut config = lookup_config(&server.url);
    config.calls.read_attempts = 1;
    Lookup::new(&config).unwrap()
}

#[rstest]
#[case::an_error(Reply::json(500, "{}"))]
#[case::an_error_on_200(Reply::json(200, r#"{"result":{"error":{"status":500}}}"#))]
#[case::broken_json(Reply::json(200, r#"{"result":{"people":[{"cancelled":"#))]
#[case::a_cut_connection(Reply::json(200, r#"{"result":{"people":["#).cut())]
#[tokio::test]
async fn a_person_whom_lookup_cannot_show_is_unknown_and_the_rest_is_read(#[case] reply: Reply) {
    let server = Server::start(failing_for(&["ab77"], reply)).await;
    let lookup = lookup(&server);
    let found = lookup.standings(&many(150)).await.unwrap();
    assert_eq!(found.unreadable(), crsids(&["ab77"]));
    assert_eq!(found.told().len(), 149);
    assert_eq!(found.of(crsids(&["ab77"])[0]), Standing::Unknown);
    assert_eq!(found.of(crsids(&["ab78"])[0]), Standing::Cancelled);
    assert_eq!(lookup.gates()[0].closed_because(), None);
    let asked = server.asked().len();
    assert!(asked < 25, "{asked} requests for one person");
}

#[tokio::test]
async fn ten_people_who_cannot_be_shown_are_each_found() {
    let hidden = [
        "ab0", "ab1", "ab2", "ab50", "ab51", "ab99", "ab100", "ab120", "ab148", "ab149",
    ];
    let server = Server::start(failing_for(&hidden, Reply::json(500, "{}"))).await;
    let found = lookup(&server).standings(&many(150)).await.unwrap();
    let unreadable: BTreeSet<Crsid> = found.unreadable().iter().copied().collect();
    assert_eq!(unreadable, crsids(&hidden).into_iter().collect());
    assert_eq!(found.told().len(), 140);
}

#[tokio::test]
async fn more_than_ten_in_one_batch_are_lookups_fault() {
    let hidden: Vec<String> = (0..11).map(|n| format!("ab{}", n * 7)).collect();
    let hidden: Vec<&str> = hidden.iter().map(String::as_str).collect();
    let server = Server::start(failing_for(&hidden, Reply::json(500, "{}"))).await;
    let error = lookup(&server).standings(&many(150)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ServerError);
}

#[tokio::test]
async fn an_outage_is_nobodys_fault() {
    let server = Server::always(Reply::json(500, "{}")).await;
    let error = lookup(&server).standings(&many(150)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ServerError);
    assert_eq!(server.asked().len(), 2, "one batch and the neutral probe");
}

/// Lookup answers its transaction number and no list at all.
#[tokio::test]
async fn where_no_list_is_answered_nobody_is_to_blame() {
    let everybody: Vec<String> = (0..150).map(|n| format!("ab{n}")).collect();
    let everybody: Vec<&str> = everybody.iter().map(String::as_str).collect();
    let server = Server::start(failing_for(&everybody, Reply::json(500, "{}"))).await;
    let lookup = lookup(&server);
    lookup.standings(&many(150)).await.unwrap_err();
    lookup.standings(&crsids(&["ab3"])).await.unwrap_err();
}

#[tokio::test]
async fn looks_that_share_a_question_with_such_a_person_are_answered() {
    let server = Server::start(failing_for(&["ab2"], Reply::json(500, "{}"))).await;
    let looks = SharedLooks::new(std::sync::Arc::new(lookup(&server)), 200);
    let people = many(5);
    let asking = people.iter().map(|person| looks.standing(*person));
    let answers = futures::future::join_all(asking).await;
    for (person, answer) in people.iter().zip(answers) {
        let expected = match person.as_str() {
            "ab2" => Standing::Unknown,
            _ => Standing::Cancelled,
        };
        assert_eq!(answer.unwrap(), expected, "{person}");
    }
}

#[tokio::test]
async fn alone_that_person_is_told_from_an_outage_by_somebody_who_was_shown_before() {
    let server = Server::start(failing_for(&["ab2"], Reply::json(500, "{}"))).await;
    let lookup = lookup(&server);
    let ab2 = crsids(&["ab2"]);
    let error = lookup.standings(&ab2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ServerError, "nobody was shown yet");
    lookup.standings(&crsids(&["ab1"])).await.unwrap();
    let found = lookup.standings(&ab2).await.unwrap();
    assert_eq!(found.unreadable(), ab2);
}
