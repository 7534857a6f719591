//! Changing accounts: judged by the body, and sent once.

use std::time::Duration;

use lookup_gitlab_sync::{
    config::GitLabConfig,
    gate::ErrorKind,
    gitlab::{Change, Client},
    pause::WriteSwitch,
    upstream::{CallError, FaultScope},
};
use rstest::rstest;

use super::{
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
    let permits = |writes_when, dry| {
        let client = Client::new(&config, writes_when).unwrap();
        client.permit(dry).is_some()
    };
    assert!(permits(Some(WriteSwitch::unwatched()), false));
    assert!(!permits(Some(WriteSwitch::unwatched()), true));
    assert!(!permits(None, false));
    assert!(!permits(None, true));
}

#[rstest]
#[case(Reply::json(201, "true"), Change::Made)]
#[case(Reply::json(201, " null\n"), Change::AlreadySo)]
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
#[case::an_unlisted_reason(
    Reply::json(403, r#"{"message":"403 Forbidden - something new"}"#),
    ErrorKind::Rejected
)]
#[case::unauthenticated(Reply::json(401, "{}"), ErrorKind::Unauthenticated)]
#[case::a_proxys_not_found(Reply::html(404), ErrorKind::UnexpectedStatus)]
#[case::redirect(Reply::html(302), ErrorKind::Redirected)]
#[case::a_page_of_503(Reply::html(503), ErrorKind::Unavailable)]
#[case::bad_gateway(Reply::html(502), ErrorKind::Unavailable)]
#[case::internal_error(
    Reply::json(500, r#"{"message":"500 Internal Server Error"}"#),
    ErrorKind::ServerError
)]
#[case::cut(Reply::json(201, "tr").cut(), ErrorKind::Unreachable)]
#[tokio::test]
async fn a_write_that_fails_once_may_be_the_accounts_own_fault_and_is_sent_once(
    #[case] reply: Reply,
    #[case] kind: ErrorKind,
) {
    let (answer, server) = block(reply).await;
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(
        matches!(error.scope, FaultScope::Subject { certain: false, .. }),
        "{error}"
    );
    assert!(error.was_sent());
    assert_eq!(server.asked().len(), 1);
    assert_safe(&error);
}

#[rstest]
#[case::bare_forbidden(
    Reply::json(403, r#"{"message":"403 Forbidden"}"#),
    ErrorKind::Forbidden
)]
#[case::too_small_a_scope(
    Reply::json(403, r#"{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"read_user api"}"#),
    ErrorKind::Forbidden
)]
#[case::maintenance(Reply::json(503, r#"{"message":"Back at 5"}"#).with("retry-after", "900"), ErrorKind::Maintenance)]
#[case::read_only(
    Reply::json(
        403,
        r#"{"message":"You cannot perform write operations on a read-only instance"}"#
    ),
    ErrorKind::Maintenance
)]
#[tokio::test]
async fn an_answer_that_is_the_same_for_every_account_closes_the_gate_at_once(
    #[case] reply: Reply,
    #[case] kind: ErrorKind,
) {
    let server = Server::always(reply).await;
    let client = gitlab(&server.url);
    let permit = client.permit(false).unwrap();
    let error = client.block(&permit, 42).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(matches!(&error.scope, FaultScope::Upstream(gate) if gate.closed_because().is_some()));
    assert!(!client.block(&permit, 43).await.unwrap_err().was_sent());
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn maintenance_is_told_in_its_administrators_words_on_one_line() {
    let words = r#"{"message":"Back\nat 5,\u001b[31m says Secret.Person@example.ac.uk"}"#;
    let reply = Reply::json(503, words).with("retry-after", "900");
    let (answer, _server) = block(reply).await;
    insta::assert_snapshot!(answer.unwrap_err(), @"GitLab is in maintenance and says: Back at 5, [31m says (address) (block_user): wait: changes go on by themselves once its administrators end it");
}

#[tokio::test]
async fn a_redirect_of_a_write_to_gitlabs_front_page_is_maintenance_and_to_a_login_is_none() {
    let to = |target: &'static str| {
        Server::start(move |asked| {
            let host = asked.header("host");
            let target = target.replace("HOST", &format!("http://{host}"));
            Reply::new(301, "text/html", "")
                .bare()
                .with("location", target)
        })
    };
    for (target, kind) in [
        ("HOST/", ErrorKind::Maintenance),
        ("/", ErrorKind::Maintenance),
        ("HOST/users/sign_in", ErrorKind::Redirected),
        ("https://sso.example.ac.uk/", ErrorKind::Redirected),
    ] {
        let server = to(target).await;
        let client = gitlab(&server.url);
        let permit = client.permit(false).unwrap();
        let error = client.block(&permit, 42).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{target}: {error}");
    }
}

#[rstest]
#[case::validations(
    500,
    r#"{"message":"Name can't be blank"}"#,
    "GitLab answered 500 (Name can't be blank) (block_user): an administrator sees in the Admin area what is wrong with this one"
)]
#[case::no_namespace(
    500,
    r#"{"message":"Namespace can't be blank"}"#,
    "GitLab answered 500 (Namespace can't be blank) (block_user): an administrator sees in the Admin area what is wrong with this one"
)]
#[case::refused(
    201,
    "false",
    "GitLab answered false (block_user): an administrator sees in the Admin area what is wrong with this one"
)]
#[tokio::test]
async fn what_gitlab_says_of_one_record_is_that_accounts_fault_for_certain_and_closes_nothing(
    #[case] status: u16,
    #[case] body: &'static str,
    #[case] text: &str,
) {
    let server = Server::always(Reply::json(status, body)).await;
    let client = gitlab(&server.url);
    let permit = client.permit(false).unwrap();
    for id in 1..=20 {
        let error = client.block(&permit, id).await.unwrap_err();
        assert!(
            matches!(
                error.scope,
                FaultScope::Subject {
                    certain: true,
                    news: true
                }
            ),
            "{error}"
        );
        assert_eq!(error.to_string(), text);
    }
    assert_eq!(client.write_gate().closed_because(), None);
}

#[tokio::test]
async fn a_write_not_answered_in_time_may_be_the_accounts_own_fault_and_is_sent_once() {
    let slow = Reply::json(201, "true").after(Duration::from_mins(1));
    let server = Server::always(slow).await;
    let mut config = gitlab_config(&server.url);
    config.calls.timeout = Duration::from_millis(200);
    let client = Client::new(&config, Some(WriteSwitch::unwatched())).unwrap();
    let error = client
        .block(&client.permit(false).unwrap(), 42)
        .await
        .unwrap_err();
    assert!(matches!(
        error.scope,
        FaultScope::Subject { certain: false, .. }
    ));
    assert!(error.was_sent());
    assert_eq!(server.asked().len(), 1);
    assert_eq!(client.write_gate().closed_because(), None);
}

#[tokio::test]
async fn a_write_that_is_wrong_as_it_is_is_the_calls_fault() {
    let (answer, server) = block(Reply::json(400, r#"{"error":"id is invalid"}"#)).await;
    assert!(matches!(answer.unwrap_err().scope, FaultScope::Request));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn gitlab_in_maintenance_mode_closes_the_write_gate_and_not_the_read_gate() {
    let server = Server::start(|asked| match asked.method.as_str() {
        "GET" => Reply::json(200, r#"{"id":1,"username":"x"}"#),
        _ => Reply::json(503, r#"{"message":"Back at 5"}"#).with("retry-after", "900"),
    })
    .await;
    let client = gitlab(&server.url);
    let permit = client.permit(false).unwrap();
    assert!(client.block(&permit, 1).await.unwrap_err().was_sent());
    let withheld = client.block(&permit, 4).await.unwrap_err();
    assert!(!withheld.was_sent());
    assert_eq!(withheld.kind(), ErrorKind::Maintenance);
    assert!(
        matches!(&withheld.scope, FaultScope::Upstream(gate) if gate.closed_because().is_some())
    );
    assert!(
        withheld
            .to_string()
            .starts_with("block_user not called: GitLab is in maintenance and says: Back at 5"),
        "{withheld}"
    );
    assert!(client.current_user().await.is_ok());
    let posts = server.asked();
    let posts = posts.iter().filter(|asked| asked.method == "POST");
    assert_eq!(posts.count(), 1);
}

#[tokio::test]
async fn every_change_is_sent_as_json_and_a_custom_attribute_has_to_be_confirmed() {
    let value = r#"{"v":1,"reason":"a&b=c"}"#;
    let echo = serde_json::json!({"key": "lookup_gitlab_sync", "value": value}).to_string();
    let server = Server::start(move |asked| match asked.method.as_str() {
        "PUT" => Reply::json(200, echo.clone()),
        _ => Reply::json(201, "true"),
    })
    .await;
    let client = gitlab(&server.url);
    let permit = client.permit(false).unwrap();
    assert!(
        client
            .set_custom_attribute(&permit, 42, "lookup_gitlab_sync", value)
            .await
            .unwrap()
    );
    client.block(&permit, 42).await.unwrap();
    client.unblock(&permit, 42).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].method, "PUT");
    assert_eq!(
        asked[0].target,
        "/api/v4/users/42/custom_attributes/lookup_gitlab_sync"
    );
    let sent: serde_json::Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(sent, serde_json::json!({ "value": value }));
    for asked in &asked {
        assert_eq!(asked.header("content-type"), "application/json");
    }
    assert_eq!(
        (asked[1].body.as_str(), asked[2].body.as_str()),
        ("{}", "{}")
    );
    let error = client
        .set_custom_attribute(&permit, 42, "lookup_gitlab_sync", "other")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
}

#[tokio::test]
async fn a_custom_attribute_of_an_account_that_is_gone_is_false_and_a_failed_one_is_not_repeated() {
    for message in ["404 Not Found", "404 User Not Found"] {
        let gone = format!(r#"{{"message":"{message}"}}"#);
        let server = Server::always(Reply::json(404, gone)).await;
        let client = gitlab(&server.url);
        let permit = client.permit(false).unwrap();
        for id in 1..=10 {
            let stored = client.set_custom_attribute(&permit, id, "k", "v").await;
            assert!(!stored.unwrap());
        }
        assert_eq!(client.write_gate().closed_because(), None);
    }
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
    let mut config: GitLabConfig = gitlab_config(&server.url);
    config.calls.concurrency = 2;
    let client = Client::new(&config, Some(WriteSwitch::unwatched())).unwrap();
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
