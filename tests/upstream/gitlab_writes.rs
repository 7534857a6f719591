//! Changing accounts: judged by the body, and sent once.

use std::time::Duration;

use lookup_gitlab_sync::{
    config::{GitLab, Mode},
    gitlab::{Change, Client},
    upstream::{Blame, CallError, ErrorKind},
};
use rstest::rstest;

use crate::{
    failures::assert_safe,
    memory::{gitlab, gitlab_config},
    server::{Reply, Server},
};

async fn block(reply: Reply) -> (Result<Change, CallError>, Server) {
    let server = Server::always(reply).await;
    let client = gitlab(&server.url);
    let answer = client.block(&client.permit(false).unwrap(), 42).await;
    (answer, server)
}

#[test]
fn a_permit_needs_the_mode_and_a_message_that_is_not_dry() {
    let config = gitlab_config(&"https://gitlab.example.ac.uk".parse().unwrap());
    let permits = |mode, dry| Client::new(&config, mode).unwrap().permit(dry).is_some();
    assert!(permits(Mode::Apply, false));
    assert!(!permits(Mode::Apply, true));
    assert!(!permits(Mode::DryRun, false));
    assert!(!permits(Mode::DryRun, true));
}

#[rstest]
#[case(Reply::json(201, "true"), Change::Made)]
#[case(Reply::json(201, " null\n"), Change::AlreadySo)]
#[case(Reply::json(201, "false"), Change::Refused)]
#[case(Reply::json(404, r#"{"message":"404 User Not Found"}"#), Change::Gone)]
#[tokio::test]
async fn success_is_judged_by_the_body(#[case] reply: Reply, #[case] change: Change) {
    let (answer, server) = block(reply).await;
    assert_eq!(answer.unwrap(), change);
    let asked = &server.asked()[0];
    assert_eq!(
        (asked.method.as_str(), asked.target.as_str()),
        ("POST", "/api/v4/users/42/block")
    );
}

#[tokio::test]
async fn unblock_is_its_own_call() {
    let server = Server::always(Reply::json(201, "true")).await;
    let client = gitlab(&server.url);
    client
        .unblock(&client.permit(false).unwrap(), 42)
        .await
        .unwrap();
    assert_eq!(server.asked()[0].target, "/api/v4/users/42/unblock");
}

#[rstest]
#[case(
    "403 Forbidden - LDAP blocked users cannot be modified by the API",
    "LDAP blocked users cannot be modified by the API"
)]
#[case(
    "403 Forbidden - LDAP blocked users cannot be unblocked by the API",
    "LDAP blocked users cannot be unblocked by the API"
)]
#[case(
    "403 Forbidden - Deactivated users cannot be unblocked by the API",
    "Deactivated users cannot be unblocked by the API"
)]
#[case(
    "403 Forbidden - The API initiating user cannot be blocked by the API",
    "The API initiating user cannot be blocked by the API"
)]
#[case(
    "An internal user cannot be blocked",
    "An internal user cannot be blocked"
)]
#[tokio::test]
async fn a_listed_403_is_about_the_accounts_state(#[case] message: &str, #[case] reason: &str) {
    let (answer, _server) = block(Reply::json(403, format!(r#"{{"message":"{message}"}}"#))).await;
    assert_eq!(answer.unwrap(), Change::StateForbids(reason.to_owned()));
}

#[rstest]
#[case::another_body(Reply::json(201, r#"{"secret":true}"#), ErrorKind::Unreadable)]
#[case::an_empty_body(Reply::json(201, ""), ErrorKind::Unreadable)]
#[case::a_page(Reply::html(200), ErrorKind::Unreadable)]
#[case::bare_forbidden(
    Reply::json(403, r#"{"message":"403 Forbidden"}"#),
    ErrorKind::Forbidden
)]
#[case::unlisted_forbidden(
    Reply::json(403, r#"{"message":"403 Forbidden - something new"}"#),
    ErrorKind::Forbidden
)]
#[case::unauthenticated(Reply::json(401, "{}"), ErrorKind::Unauthenticated)]
#[case::a_proxys_not_found(Reply::html(404), ErrorKind::UnexpectedStatus)]
#[case::redirect(Reply::html(302), ErrorKind::Redirected)]
#[case::throttled(Reply::new(429, "text/plain", "Retry later").with("retry-after", "1"), ErrorKind::Throttled)]
#[case::maintenance(Reply::html(503), ErrorKind::Unavailable)]
#[case::bad_gateway(Reply::html(502), ErrorKind::Unavailable)]
#[case::cut(Reply::json(201, "tr").cut(), ErrorKind::Unreachable)]
#[tokio::test]
async fn a_write_that_the_upstream_fails_is_sent_once(
    #[case] reply: Reply,
    #[case] kind: ErrorKind,
) {
    let (answer, server) = block(reply).await;
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(matches!(error.blame, Blame::Upstream(_)), "{error}");
    assert_eq!(server.asked().len(), 1);
    assert_safe(&error);
}

#[tokio::test]
async fn a_write_answered_500_or_not_in_time_is_unclear_and_sent_once() {
    let slow = Reply::json(201, "true").after(Duration::from_mins(1));
    for reply in [Reply::json(500, r#"{"message":"secret"}"#), slow] {
        let server = Server::always(reply).await;
        let mut config = gitlab_config(&server.url);
        config.calls.timeout = Duration::from_millis(200);
        let client = Client::new(&config, Mode::Apply).unwrap();
        let error = client
            .block(&client.permit(false).unwrap(), 42)
            .await
            .unwrap_err();
        assert!(matches!(error.blame, Blame::Unclear), "{error}");
        assert!(error.was_sent());
        assert_eq!(server.asked().len(), 1);
        assert_eq!(client.write_gate().closed_because(), None);
    }
}

#[tokio::test]
async fn a_write_that_is_wrong_as_it_is_is_the_calls_fault() {
    let (answer, server) = block(Reply::json(400, r#"{"error":"id is invalid"}"#)).await;
    assert!(matches!(answer.unwrap_err().blame, Blame::Call));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn gitlab_in_maintenance_mode_closes_the_write_gate_and_not_the_read_gate() {
    let server = Server::start(|asked| match asked.method.as_str() {
        "GET" => Reply::json(200, r#"{"id":1,"username":"x"}"#),
        _ => Reply::json(503, r#"{"message":"GitLab is in maintenance"}"#),
    })
    .await;
    let client = gitlab(&server.url);
    let permit = client.permit(false).unwrap();
    for id in 1..=3 {
        assert!(client.block(&permit, id).await.unwrap_err().was_sent());
    }
    assert!(client.write_gate().closed_because().is_some());
    let withheld = client.block(&permit, 4).await.unwrap_err();
    assert!(!withheld.was_sent());
    assert_eq!(withheld.kind(), ErrorKind::Unavailable);
    assert!(matches!(&withheld.blame, Blame::Upstream(gate) if gate.closed_because().is_some()));
    assert!(
        withheld
            .to_string()
            .starts_with("block_user not called: GitLab answered 503"),
        "{withheld}"
    );
    assert!(client.current_user().await.is_ok());
    assert_eq!(
        server
            .asked()
            .iter()
            .filter(|asked| asked.method == "POST")
            .count(),
        3
    );
}

#[tokio::test]
async fn a_custom_attribute_is_sent_as_a_form_and_has_to_be_confirmed() {
    let value = r#"{"v":1,"reason":"a&b=c"}"#;
    let echo = serde_json::json!({"key": "lookup_gitlab_sync", "value": value}).to_string();
    let server = Server::always(Reply::json(200, echo)).await;
    let client = gitlab(&server.url);
    let permit = client.permit(false).unwrap();
    assert!(
        client
            .set_custom_attribute(&permit, 42, "lookup_gitlab_sync", value)
            .await
            .unwrap()
    );
    let asked = &server.asked()[0];
    assert_eq!(asked.method, "PUT");
    assert_eq!(
        asked.target,
        "/api/v4/users/42/custom_attributes/lookup_gitlab_sync"
    );
    assert_eq!(
        asked.header("content-type"),
        "application/x-www-form-urlencoded"
    );
    assert_eq!(
        asked.body,
        "value=%7B%22v%22%3A1%2C%22reason%22%3A%22a%26b%3Dc%22%7D"
    );
    let error = client
        .set_custom_attribute(&permit, 42, "lookup_gitlab_sync", "other")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
}

#[tokio::test]
async fn a_custom_attribute_of_an_account_that_is_gone_is_false_and_a_failed_one_is_not_repeated() {
    let server = Server::always(Reply::json(404, r#"{"message":"404 Not Found"}"#)).await;
    let client = gitlab(&server.url);
    assert!(
        !client
            .set_custom_attribute(&client.permit(false).unwrap(), 42, "k", "v")
            .await
            .unwrap()
    );
    let server = Server::always(Reply::html(503)).await;
    let client = gitlab(&server.url);
    assert!(
        client
            .set_custom_attribute(&client.permit(false).unwrap(), 42, "k", "v")
            .await
            .is_err()
    );
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_reserved_client_counts_its_own_calls_and_nothing_of_it_waits_for_others() {
    let server = Server::always(Reply::json(201, "true")).await;
    let mut config: GitLab = gitlab_config(&server.url);
    config.calls.concurrency = 2;
    let client = Client::new(&config, Mode::Apply).unwrap();
    let (one, other) = (client.reserve(3).await, client.reserve(3).await);
    let permit = one.permit(false).unwrap();
    one.block(&permit, 1).await.unwrap();
    one.block(&permit, 2).await.unwrap();
    other.block(&permit, 3).await.unwrap();
    assert_eq!(
        (one.calls_made(), other.calls_made(), client.calls_made()),
        (2, 1, 0)
    );
    let third = tokio::time::timeout(Duration::from_millis(50), client.reserve(1)).await;
    assert!(third.is_err(), "both places are taken");
    drop(one);
    client.reserve(1).await;
}
