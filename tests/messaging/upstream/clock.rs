//! What time it is by the answers' `Date`, and what follows where that is not this machine's time.

use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use lookup_gitlab_sync::{
    directory::{Crsid, Directory, Lookup},
    gate::ErrorKind,
    gitlab::Client,
    pause::WriteSwitch,
    upstream::{CallError, Transport, TransportError, UpstreamResponse},
};
use reqwest::{
    Request, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use rstest::rstest;

use super::{
    lookup::{people, person},
    memory::{CURRENT_USER, gitlab, gitlab_config, lookup_config},
    server::{Reply, Server},
};

/// As HTTP writes it, so long from now.
fn date(offset: SignedDuration) -> String {
    let then = Timestamp::now() + offset;
    then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

const fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

async fn ask_at(offset: SignedDuration) -> Result<(), CallError> {
    let reply = Reply::json(200, CURRENT_USER).with("date", date(offset));
    let server = Server::always(reply).await;
    gitlab(&server.url).current_user().await.map(drop)
}

#[rstest]
#[case::ours_is_a_year_ahead(days(-360))]
#[case::ours_is_a_year_behind(days(360))]
#[case::six_minutes(SignedDuration::from_mins(6))]
#[tokio::test]
async fn an_answer_of_another_time_closes_the_gate_and_says_both_times(
    #[case] offset: SignedDuration,
) {
    let theirs = Timestamp::now() + offset;
    let reply = Reply::json(200, CURRENT_USER).with("date", date(offset));
    let server = Server::always(reply).await;
    let client = gitlab(&server.url);
    let error = client.current_user().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClockSkew);
    assert_eq!(error.kind().as_str(), "clock_skew");
    let why = client.read_gate().closed_because().unwrap();
    let day = |time: Timestamp| time.strftime("%Y-%m-%dT%H:").to_string();
    for part in [
        day(theirs),
        day(Timestamp::now()),
        "set the clock that is wrong".to_owned(),
    ] {
        assert!(why.contains(&part), "{part} is not in {why}");
    }
    assert_eq!(server.asked().len(), 1, "it is not asked again and again");
}

#[rstest]
#[case(SignedDuration::ZERO)]
#[case(SignedDuration::from_mins(4))]
#[case(SignedDuration::from_mins(-4))]
#[tokio::test]
async fn clocks_within_five_minutes_are_the_same(#[case] offset: SignedDuration) {
    ask_at(offset).await.unwrap();
}

#[tokio::test]
async fn an_answer_out_of_a_cache_says_nothing_of_the_time() {
    let reply = Reply::json(200, CURRENT_USER)
        .with("date", date(days(-1)))
        .with("age", "86400");
    let server = Server::always(reply).await;
    gitlab(&server.url).current_user().await.unwrap();
}

/// A GitLab without a front end: its answers have no `Date`.
#[derive(Debug)]
struct Bare;

impl Transport for Bare {
    fn send(&self, _: Request) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        let json = HeaderValue::from_static("application/json");
        let answer = UpstreamResponse {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            body: CURRENT_USER.into(),
        };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

#[tokio::test]
async fn where_gitlab_says_no_time_the_directory_does() {
    let url = "https://gitlab.example.ac.uk".parse().unwrap();
    let client = Client::over(
        Arc::new(Bare),
        &gitlab_config(&url),
        Some(WriteSwitch::unwatched()),
    )
    .unwrap();
    client.current_user().await.unwrap();
    assert!(client.is_without_clock());

    let late = people(&[person("ab1", true)]).with("date", date(days(-360)));
    let server = Server::always(late).await;
    let lookup = Lookup::new(&lookup_config(&server.url)).unwrap();
    let asked = [Crsid::parse("ab1").unwrap()];
    lookup
        .standings(&asked)
        .await
        .expect("its word does not count unless GitLab has none");
    lookup.keep_time();
    let error = lookup.standings(&asked).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClockSkew);
}

#[tokio::test]
async fn a_plan_by_a_wrong_clock_is_refused_and_says_so() {
    let reply = Reply::json(200, CURRENT_USER).with("date", date(days(-360)));
    let server = Server::always(reply).await;
    let people = tempfile::NamedTempFile::new().unwrap();
    let output = testkit::command::isolated(testkit::service_binary!())
        .arg("plan")
        .env("GITLAB_URL", server.url.as_str())
        .env("GITLAB_TOKEN", "glpat-x")
        .env("LOOKUP_GITLAB_SYNC__DIRECTORY__KIND", "file")
        .env("LOOKUP_GITLAB_SYNC__DIRECTORY__PATH", people.path())
        .output()
        .await
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("when this machine's clock said"), "{told}");
}
