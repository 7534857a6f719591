//! Every way in which a read fails: its class, whose fault it is, and what an operator is told.

use std::{error::Error, time::Duration};

use lookup_gitlab_sync::{
    config::GitLabConfig,
    gate::ErrorKind,
    gitlab::Client,
    upstream::{CallError, FaultScope},
};
use rstest::rstest;
use tokio::net::TcpListener;
use url::Url;

use super::{
    memory::{CURRENT_USER, gitlab, gitlab_config, row},
    server::{Reply, Server},
};

async fn fails_with(reply: Reply) -> (CallError, Server) {
    let server = Server::always(reply).await;
    let error = gitlab(&server.url).user(42).await.unwrap_err();
    assert_safe(&error);
    (error, server)
}

/// No secret, no body, no person, no address with its query; one line.
pub fn assert_safe(error: &CallError) {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    for hidden in ["secret", "Secret", "@", "with_custom_attributes=", "glpat"] {
        assert!(!text.contains(hidden), "{hidden:?} is in {text}");
    }
    assert!(!error.to_string().contains('\n'));
}

/// Of one account, so that it may be that account's fault: who asked asks for something neutral
/// next.
fn may_be_the_accounts(error: &CallError) -> bool {
    matches!(error.scope, FaultScope::Subject { certain: false, .. })
}

#[rstest]
#[case::moved_permanently(Reply::html(301), ErrorKind::Redirected, 1)]
#[case::unauthenticated(
    Reply::json(401, r#"{"message":"401 Unauthorized"}"#),
    ErrorKind::Unauthenticated,
    1
)]
#[case::bare_forbidden(
    Reply::json(403, r#"{"message":"403 Forbidden"}"#),
    ErrorKind::Forbidden,
    1
)]
#[case::a_proxys_forbidden(Reply::html(403), ErrorKind::UnexpectedStatus, 1)]
#[case::a_proxys_not_found(Reply::html(404), ErrorKind::UnexpectedStatus, 1)]
#[case::no_such_route(
    Reply::json(404, r#"{"error":"404 Not Found"}"#),
    ErrorKind::UnexpectedStatus,
    1
)]
#[case::no_such_paging(Reply::json(405, r#"{"error":"…"}"#), ErrorKind::UnexpectedStatus, 1)]
#[case::a_proxys_bad_request(Reply::html(400), ErrorKind::Unreadable, 2)]
#[case::request_timeout(Reply::html(408), ErrorKind::Unavailable, 2)]
#[case::internal_error(Reply::json(500, r#"{"message":"500"}"#), ErrorKind::ServerError, 2)]
#[case::bad_gateway(Reply::html(502), ErrorKind::Unavailable, 2)]
#[case::maintenance(Reply::html(503), ErrorKind::Unavailable, 2)]
#[case::gateway_timeout(Reply::html(504), ErrorKind::Unavailable, 2)]
#[case::maintenance_page_with_200(Reply::html(200), ErrorKind::Unreadable, 2)]
#[case::wrong_content_type(Reply::new(200, "text/plain", row(42).to_string()), ErrorKind::Unreadable, 2)]
#[case::no_content_type(Reply::json(200, row(42).to_string()).bare(), ErrorKind::Unreadable, 2)]
#[case::truncated_json(
    Reply::json(200, r#"{"id":42,"email":"secret@exam"#),
    ErrorKind::Unreadable,
    2
)]
#[case::empty_body(Reply::json(200, ""), ErrorKind::Unreadable, 2)]
#[case::another_shape(Reply::json(200, r#"["secret"]"#), ErrorKind::Unreadable, 2)]
#[case::a_cut_connection(Reply::json(200, r#"{"id":42,"#).cut(), ErrorKind::Unreachable, 2)]
#[case::a_body_without_end(Reply::json(200, " ".repeat(4096)).endless(), ErrorKind::TooLarge, 1)]
#[tokio::test]
async fn a_read_of_one_account_that_fails_judges_nobody_yet_and_is_repeated_only_if_transient(
    #[case] reply: Reply,
    #[case] kind: ErrorKind,
    #[case] attempts: usize,
) {
    let (error, server) = fails_with(reply).await;
    assert_eq!(error.kind(), kind, "{error}");
    assert!(may_be_the_accounts(&error));
    assert!(error.was_sent());
    assert_eq!(error.operation, "get_user");
    assert_eq!(error.credentials_refused(), kind.is_credentials());
    assert_eq!(server.asked().len(), attempts);
}

#[tokio::test]
async fn a_json_400_is_the_calls_own_fault_and_never_repeated() {
    let (error, server) = fails_with(Reply::json(400, r#"{"error":"id is invalid"}"#)).await;
    assert!(matches!(error.scope, FaultScope::Request));
    assert_eq!(
        (error.kind(), server.asked().len()),
        (ErrorKind::BadRequest, 1)
    );
}

#[tokio::test]
async fn a_redirect_to_a_login_page_is_named_and_not_followed() {
    let reply = Reply::html(302).with("location", "https://sso.example.ac.uk/login?user=secret");
    let (error, server) = fails_with(reply).await;
    insta::assert_snapshot!(error, @"GitLab answered with a redirect (status 302 to sso.example.ac.uk) instead of data (get_user): is GITLAB_URL right, and is there no login page in front of it?");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_maintenance_page_is_told_from_data() {
    let (error, _server) = fails_with(Reply::html(200)).await;
    insta::assert_snapshot!(error, @"GitLab answered with an HTML page (status 200, text/html) (get_user): is GITLAB_URL right, or is it in maintenance?");
}

#[tokio::test]
async fn truncated_json_is_told_without_its_content() {
    let (error, _server) = fails_with(Reply::json(200, r#"{"id":42,"email":"secret@exam"#)).await;
    insta::assert_snapshot!(error, @"GitLab answered 200 with JSON that is cut off at line 1, column 29 (get_user): is GITLAB_URL right, or is it in maintenance?");
    assert_eq!(
        error.source().unwrap().to_string(),
        "is cut off at line 1, column 29"
    );
}

#[tokio::test]
async fn refused_credentials_are_told_with_the_setting_to_check() {
    let (error, _server) = fails_with(Reply::json(401, "{}")).await;
    insta::assert_snapshot!(error, @"GitLab answered 401 (get_user): check GITLAB_TOKEN: mistyped, expired or revoked?");
    let (error, _server) = fails_with(Reply::json(403, r#"{"message":"403 Forbidden"}"#)).await;
    insta::assert_snapshot!(error, @"GitLab answered 403 (get_user): check GITLAB_TOKEN: it needs an administrator's token with the scope api, and admin_mode where Admin Mode is on");
}

#[tokio::test]
async fn an_odd_content_type_is_not_repeated_in_the_text() {
    let (error, _server) = fails_with(Reply::new(200, "text/<secret> person", "x")).await;
    assert!(
        error.to_string().contains("without a content type"),
        "{error}"
    );
}

#[tokio::test]
async fn nobody_listening_is_told_as_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = gitlab(&url).current_user().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(matches!(error.scope, FaultScope::Upstream(_)));
    insta::assert_snapshot!(error, @"GitLab cannot be reached: Connection refused (current_user): is GITLAB_URL right, and can this machine reach it?");
    assert!(error.source().is_some(), "the cause is kept for the chain");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_ends_at_the_deadline() {
    let server = Server::always(Reply::json(200, CURRENT_USER).after(Duration::from_mins(1))).await;
    let mut config = gitlab_config(&server.url);
    config.calls.timeout = Duration::from_millis(100);
    let error = Client::new(&config, None)
        .unwrap()
        .current_user()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(matches!(error.scope, FaultScope::Upstream(_)));
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_read_that_fails_for_a_moment_succeeds_and_its_attempts_are_counted() {
    let server = Server::start(|asked| match asked.number {
        1 => Reply::html(502),
        2 => Reply::json(200, r#"{"id":1,"#).cut(),
        _ => Reply::json(200, CURRENT_USER),
    })
    .await;
    let mut config = gitlab_config(&server.url);
    config.calls.read_attempts = 3;
    let client = Client::new(&config, None).unwrap();
    assert_eq!(client.current_user().await.unwrap().id, 1);
    assert_eq!(client.calls_made(), 3);
    assert_eq!(client.read_gate().closed_because(), None);
}

#[tokio::test]
async fn an_answer_as_large_as_allowed_is_read_and_one_byte_more_is_not() {
    let body = format!("{CURRENT_USER}{}", " ".repeat(1000));
    let server = Server::always(Reply::json(200, body.clone())).await;
    for (bound, accepted) in [(body.len(), true), (body.len() - 1, false)] {
        let mut config = gitlab_config(&server.url);
        config.calls.max_response_bytes = bound;
        let answer = Client::new(&config, None).unwrap().current_user().await;
        assert_eq!(answer.is_ok(), accepted);
    }
}

#[test]
fn an_address_or_token_that_http_cannot_carry_is_refused_when_the_client_is_made() {
    let url = Url::parse("https://gitlab.example.ac.uk").unwrap();
    let broken = GitLabConfig {
        token: "a\nb".into(),
        ..gitlab_config(&url)
    };
    let error = Client::new(&broken, None).unwrap_err();
    insta::assert_snapshot!(error, @"GITLAB_TOKEN holds characters that no HTTP header can carry");
    let broken = gitlab_config(&Url::parse("mailto:a@b").unwrap());
    assert!(Client::new(&broken, None).is_err());
}

#[tokio::test]
async fn no_debug_text_shows_the_token() {
    let client = gitlab(&Url::parse("https://gitlab.example.ac.uk").unwrap());
    assert!(!format!("{client:?}").contains("glpat"));
}
