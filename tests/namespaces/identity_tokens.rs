//! The Google identity token of a provisioning call, where Cloud Run asks for one.

use futures::future::join_all;
use lookup_gitlab_sync::{messaging::Handler, namespaces::worker::identity_token::IdentityTokens};
use rstest::rstest;
use serde_json::json;
use testkit::{
    logs::CapturedLogs,
    metadata_server::{MetadataAnswer, MetadataServer},
    port::free_port,
    postgres::TestDatabase,
};
use tracing::Level;

use crate::{
    receiver::Turn,
    stages::{NamespaceStages, Stage},
    worker_fixture::{WorkerFixture, bought, delivery, word},
};

const AUDIENCE: &str = "https://provisioning.example.run.app";
const KEY: &str = "LOOKUP_GITLAB_SYNC__NAMESPACES__IDENTITY_AUDIENCE";
const ASKED: &str = "/computeMetadata/v1/instance/service-accounts/default/identity?audience=https%3A%2F%2Fprovisioning.example.run.app";

fn tokens(metadata: &MetadataServer) -> IdentityTokens {
    IdentityTokens::from_host(&metadata.host, AUDIENCE).unwrap()
}

#[tokio::test]
async fn each_call_carries_the_token_beside_the_portals_own_and_it_is_fetched_once() {
    let (fixture, metadata) = (WorkerFixture::new().await, MetadataServer::start().await);
    let worker = fixture.worker_with(tokens(&metadata));
    for seats in 1..=3 {
        fixture.record(seats).await;
        assert_eq!(word(&worker.handle(delivery(1)).await), "done: completed");
    }
    let calls = fixture.receiver.calls();
    assert_eq!(metadata.asked(), [ASKED]);
    let token = format!("Bearer {}", metadata.given()[0]);
    for call in &calls {
        assert_eq!(call.identity.as_ref(), Some(&token));
        assert!(call.token.starts_with("ey") && !token.contains(&call.token));
        assert_eq!(call.authorization, None, "the API may read it otherwise");
    }
    assert_eq!(calls.len(), 3);
}

#[tokio::test]
async fn a_token_is_fetched_anew_before_it_expires() {
    let (fixture, metadata) = (WorkerFixture::new().await, MetadataServer::start().await);
    metadata.answer(MetadataAnswer::Token(170));
    let worker = fixture.worker_with(tokens(&metadata));
    for seats in 1..=2 {
        fixture.record(seats).await;
        assert_eq!(word(&worker.handle(delivery(1)).await), "done: completed");
    }
    let carried: Vec<_> = fixture
        .receiver
        .calls()
        .into_iter()
        .map(|call| call.identity.unwrap())
        .collect();
    let given: Vec<_> = metadata
        .given()
        .iter()
        .map(|token| format!("Bearer {token}"))
        .collect();
    assert_eq!((carried.len(), carried), (2, given));
}

#[rstest]
#[case::it_is_down(
    MetadataAnswer::Page(503, String::new()),
    "answered with an HTML page (status 503"
)]
#[case::it_refuses(
    MetadataAnswer::Page(401, String::new()),
    "answered with an HTML page (status 401"
)]
#[case::it_knows_no_account(MetadataAnswer::Page(404, "<html>".to_owned()), "answered with an HTML page (status 404")]
#[case::it_is_a_page(MetadataAnswer::Page(200, "<html>a.b.c</html>".to_owned()), "answered without a usable token")]
#[case::it_is_huge(MetadataAnswer::Page(200, "a".repeat(1 << 20)), "answered with more than 16384 bytes")]
#[case::it_never_expires(MetadataAnswer::Claims(json!({ "aud": AUDIENCE })), "answered without a usable token")]
#[case::it_has_expired(MetadataAnswer::Token(-1), "answered without a usable token")]
#[case::it_expires_beyond_all_time(MetadataAnswer::Claims(json!({ "exp": i64::MAX })), "answered without a usable token")]
#[case::it_is_silent(MetadataAnswer::Silence, "gave no complete answer within 5s")]
#[tokio::test]
async fn without_a_token_the_message_is_held_and_nothing_is_sent_until_one_comes(
    #[case] answer: MetadataAnswer,
    #[case] said: &str,
) {
    let (fixture, metadata) = (WorkerFixture::new().await, MetadataServer::start().await);
    metadata.answer(answer);
    let worker = fixture.worker_with(tokens(&metadata));
    fixture.record(1).await;
    assert_eq!(
        word(&worker.handle(delivery(1)).await),
        "hold: provisioning"
    );
    assert_eq!(fixture.receiver.calls().len(), 0, "nothing is sent without");
    let attempt = fixture.history().await[0].attempts[0].clone();
    let told = attempt.detail.unwrap();
    for words in [
        said,
        "was not called: the metadata server",
        "namespaces.identity_audience",
        "unset the key",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
    assert_eq!(attempt.state.as_str(), "retrying");
    metadata.answer(MetadataAnswer::default());
    let in_doubt: bool = sqlx::query_scalar("SELECT bool_or(stray) FROM namespace_sync_attempts")
        .fetch_one(&fixture.pool)
        .await
        .unwrap();
    assert!(!in_doubt, "newer content waits for a call that nobody made");
    fixture.record(2).await;
    assert_eq!(word(&worker.handle(delivery(2)).await), "done: completed");
    assert_eq!(fixture.receiver.seats(), [2]);
}

#[tokio::test]
async fn a_metadata_server_that_is_not_there_is_told() {
    let host = format!("127.0.0.1:{}", free_port());
    let tokens = IdentityTokens::from_host(&host, AUDIENCE).unwrap();
    let told = tokens.header().await.unwrap_err().to_string();
    assert_eq!(
        told,
        "was not called: the metadata server cannot be reached: Connection refused"
    );
}

#[rstest]
#[case::that_succeeds(MetadataAnswer::default(), 8)]
#[case::that_fails(MetadataAnswer::Silence, 0)]
#[tokio::test]
async fn calls_at_once_share_one_fetch(#[case] answer: MetadataAnswer, #[case] given: usize) {
    let metadata = MetadataServer::start().await;
    metadata.answer(answer);
    let tokens = tokens(&metadata);
    let came = join_all((0..8).map(|_| tokens.header())).await;
    assert_eq!(came.iter().filter(|came| came.is_ok()).count(), given);
    assert_eq!(metadata.asked().len(), 1);
}

#[tokio::test]
async fn a_refused_call_is_made_again_with_another_token() {
    let (fixture, metadata) = (WorkerFixture::new().await, MetadataServer::start().await);
    let worker = fixture.worker_with(tokens(&metadata));
    fixture.receiver.then([Turn::Page(401)]);
    fixture.record(1).await;
    assert_eq!(word(&worker.handle(delivery(1)).await), "done: completed");
    let calls = fixture.receiver.calls();
    assert_ne!(calls[0].identity, calls[1].identity);
}

#[tokio::test]
async fn a_refusal_by_cloud_run_itself_is_explained() {
    let fixture = WorkerFixture::new().await;
    fixture.receiver.then([Turn::Page(403)]);
    fixture.record(1).await;
    assert_eq!(word(&fixture.deliver().await), "hold: provisioning");
    let told = fixture.history().await[0].attempts[0]
        .detail
        .clone()
        .unwrap();
    for words in [
        "403",
        "may the account of this process invoke the service",
        "namespaces.identity_audience",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
}

#[tokio::test]
async fn no_log_line_holds_the_token() {
    let (fixture, metadata) = (WorkerFixture::new().await, MetadataServer::start().await);
    let tokens = tokens(&metadata);
    let header = tokens.header().await.unwrap();
    let shown = format!("{tokens:?}{header:?}");
    let worker = fixture.worker_with(tokens);
    let logs = CapturedLogs::from_level(Level::TRACE);
    fixture.receiver.then([Turn::Page(403)]);
    fixture.record(1).await;
    worker.handle(delivery(1)).await;
    worker.handle(delivery(1)).await;
    assert!(!logs.text().is_empty());
    let shown = format!("{shown}{worker:?}{}", logs.text());
    let given = &metadata.given()[0];
    let secret = given.split('.').nth(1).unwrap();
    assert!(!shown.contains(secret), "{shown}");
}

#[tokio::test]
async fn the_service_fetches_one_where_the_key_says_so_and_asks_nobody_where_it_does_not() {
    let (database, metadata) = (TestDatabase::create().await, MetadataServer::start().await);
    let mut stages = NamespaceStages::idle(&database.url).await;
    stages.start(Stage::Portal).await;
    let host = ("GCE_METADATA_HOST", metadata.host.as_str());
    stages.start_with(Stage::Worker, &[host]).await;
    assert_eq!(stages.buy(42, &bought(1)).await, 201);
    stages.receiver.received(1).await;
    stages.quiet().await;
    assert_eq!(metadata.asked(), [""; 0]);
    stages.stop(Stage::Worker).await;
    stages
        .start_with(Stage::Worker, &[host, (KEY, AUDIENCE)])
        .await;
    assert_eq!(stages.buy(42, &bought(2)).await, 201);
    stages.receiver.received(2).await;
    let calls = stages.receiver.calls();
    assert_eq!(
        (&calls[0].identity, calls[1].identity.is_some()),
        (&None, true)
    );
    assert_eq!(metadata.asked(), [ASKED]);
}

#[tokio::test]
async fn an_audience_that_no_query_could_mean_is_refused() {
    let stages = NamespaceStages::idle("postgres://nobody@127.0.0.1:1/none").await;
    let checked = stages
        .run_as(&["config", "check"], &[(KEY, "a service")])
        .await;
    let told = String::from_utf8(checked.stderr).unwrap();
    assert_eq!(checked.status.code(), Some(78), "{told}");
    assert!(
        told.contains("namespaces.identity_audience") && told.contains("custom audience"),
        "{told}"
    );
}
