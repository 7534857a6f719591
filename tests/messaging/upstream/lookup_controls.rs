//! People whose standing is known are in every question, and an answer that is wrong about one is
//! not believed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use lookup_gitlab_sync::{
    config::{self, ControlsConfig},
    directory::{self, ControlPeople, Crsid, Directory, Lookup, Standing},
    gate::ErrorKind,
};
use rstest::rstest;

use super::{
    lookup::{crsids, people, person},
    memory::lookup_config,
    server::{Asked, Reply, Server},
};

fn controls() -> ControlsConfig {
    ControlsConfig {
        cancelled: crsids(&["gone1"]),
        current: crsids(&["here1"]),
    }
}

fn asked_for(asked: &Asked) -> Vec<String> {
    let list = asked.target.split("crsids=").nth(1).unwrap_or_default();
    list.split("%2C").map(ToOwned::to_owned).collect()
}

fn lookup(server: &Server) -> Lookup {
    let mut config = lookup_config(&server.url);
    config.calls.read_attempts = 1;
    Lookup::new(&config)
        .unwrap()
        .controlled_by(ControlPeople::new(&controls()))
}

fn many(count: usize) -> Vec<Crsid> {
    (0..count)
        .map(|n| Crsid::parse(&format!("ab{n}")).unwrap())
        .collect()
}

/// Everybody is cancelled but `here1`, and any list that holds `hidden` fails.
fn honest(hidden: &'static str) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    move |asked| {
        if asked.target.contains("last-transaction") {
            return Reply::json(200, r#"{"result":{"version":"1.2","value":"7"}}"#);
        }
        let ids = asked_for(asked);
        if ids.iter().any(|id| id == hidden) {
            return Reply::json(500, "{}");
        }
        people(
            &ids.iter()
                .map(|id| person(id, id != "here1"))
                .collect::<Vec<_>>(),
        )
    }
}

#[tokio::test]
async fn every_list_holds_the_controls_and_no_more_people_than_are_allowed() {
    let server = Server::start(honest("nobody")).await;
    let found = lookup(&server).standings(&many(450)).await.unwrap();
    assert!(
        many(450)
            .iter()
            .all(|one| found.of(*one) == Standing::Cancelled)
    );
    let lists: Vec<_> = server.asked().iter().map(asked_for).collect();
    assert_eq!(lists.len(), 3);
    for list in lists {
        assert!(list.contains(&"gone1".to_owned()) && list.contains(&"here1".to_owned()));
        assert!(list.len() <= 200, "{}", list.len());
    }
}

#[tokio::test]
async fn each_part_of_a_list_that_fails_for_one_person_holds_them_too() {
    let server = Server::start(honest("ab77")).await;
    let found = lookup(&server).standings(&many(150)).await.unwrap();
    assert_eq!(found.unreadable(), crsids(&["ab77"]));
    let lists = server.asked();
    let lists = lists.iter().filter(|asked| asked.target.contains("crsids"));
    for list in lists {
        let list = asked_for(list);
        assert!(list.contains(&"gone1".to_owned()), "{list:?}");
    }
}

#[tokio::test]
async fn who_cannot_be_shown_is_told_from_an_outage_by_the_controls_from_the_first_question_on() {
    let server = Server::start(honest("ab2")).await;
    let ab2 = crsids(&["ab2"]);
    let found = lookup(&server).standings(&ab2).await.unwrap();
    assert_eq!(found.unreadable(), ab2);
}

#[rstest]
#[case::everybody_looks_current(&["gone1", "here1", "ab1"], false, "gone1 as current")]
#[case::the_cancelled_are_hidden(&["here1", "ab1"], false, "does not show the control gone1")]
#[case::everybody_looks_cancelled(&["gone1", "here1", "ab1"], true, "here1 as cancelled")]
#[case::nobody_is_shown(&[], true, "does not show the control gone1")]
#[tokio::test]
async fn one_wrong_answer_closes_the_gate_and_tells_of_nobody(
    #[case] shown: &'static [&'static str],
    #[case] cancelled: bool,
    #[case] wrong: &str,
) {
    let is_right = Arc::new(AtomicBool::new(false));
    let knows = Arc::clone(&is_right);
    let server = Server::start(move |asked| {
        if knows.load(Ordering::SeqCst) {
            return honest("nobody")(asked);
        }
        people(
            &shown
                .iter()
                .map(|id| person(id, cancelled))
                .collect::<Vec<_>>(),
        )
    })
    .await;
    let lookup = lookup(&server);
    let error = lookup.standings(&crsids(&["ab1"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ControlsWrong);
    assert!(error.to_string().contains(wrong), "{error}");
    assert!(error.to_string().contains("directory.controls"), "{error}");
    let why = lookup.gates()[0].closed_because().unwrap();
    assert!(why.contains(wrong), "{why}");
    assert_eq!(server.asked().len(), 1, "no list is halved for it");
    is_right.store(true, Ordering::SeqCst);
    let _permit = lookup.gates()[0].passable().await;
    lookup.standings(&crsids(&["ab1"])).await.unwrap();
}

#[tokio::test]
async fn a_file_is_judged_by_them_as_well() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |gone: bool| {
        let line =
            |id: &str, cancelled: bool| format!("{{\"id\":\"{id}\",\"cancelled\":{cancelled}}}\n");
        let text = line("gone1", gone) + &line("here1", false) + &line("ab1", true);
        std::fs::write(file.path(), text).unwrap();
    };
    write(true);
    let config = config::DirectoryConfig::File(file.path().to_owned());
    let directory = directory::open(&config, &controls()).unwrap();
    let ab1 = crsids(&["ab1"]);
    let told = directory.standings(&ab1).await.unwrap();
    assert_eq!(told.of(ab1[0]), Standing::Cancelled);
    write(false);
    let error = directory.standings(&ab1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ControlsWrong);
}
