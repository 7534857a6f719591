//! GitLab's own reasons for refusing a token reach the operator, in its words and without anything
//! else of its body. The bodies are those that a GitLab 18.9 answered.

use lookup_gitlab_sync::gate::ErrorKind;
use rstest::rstest;

use super::{
    failures::assert_safe,
    memory::gitlab,
    server::{Reply, Server},
};

async fn told(status: u16, body: &str) -> String {
    let server = Server::always(Reply::json(status, body)).await;
    let client = gitlab(&server.url);
    let error = client.current_user().await.unwrap_err();
    assert_safe(&error);
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Forbidden | ErrorKind::Unauthenticated
        ),
        "{error}"
    );
    let why = client.read_gate().closed_because().unwrap();
    assert!(why.starts_with(&error.to_string()), "{why}");
    why
}

#[rstest]
#[case::blocked_or_locked("Your account has been blocked.", "lock a username for ten minutes")]
#[case::deactivated(
    "Your account has been deactivated by your administrator. Please log back in from a web browser to reactivate your account at http://secret.example",
    "activate it"
)]
#[case::pending(
    "Your account is pending approval from your administrator and hence blocked.",
    "approve it"
)]
#[case::password(
    "Your password expired. Please access GitLab from a web browser to update your password.",
    "choose a new password"
)]
#[case::terms(
    "You (@secret) must accept the Terms of Service in order to perform this action. To accept these terms, please access GitLab from a web browser at http://secret.example.",
    "accept the Terms of Service"
)]
#[case::internal(
    "This action cannot be performed by internal users",
    "internal accounts"
)]
#[tokio::test]
async fn what_is_wrong_with_the_owner_is_told(#[case] text: &str, #[case] advice: &str) {
    let body = format!(r#"{{"message":"403 Forbidden - {text}"}}"#);
    let why = told(403, &body).await;
    assert!(why.contains("GitLab says: "), "{why}");
    assert!(why.contains(advice), "{why}");
}

#[tokio::test]
async fn a_scope_that_is_too_small_is_told_with_what_would_do() {
    let body = r#"{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"read_user ai_workflows api read_api <secret>"}"#;
    let why = told(403, body).await;
    assert!(
        why.contains("insufficient_scope: it takes one of read_user, ai_workflows, api, read_api"),
        "{why}"
    );
}

#[rstest]
#[case(
    "Token is expired. You can either do re-authorization or token refresh.",
    "make a new one"
)]
#[case(
    "Token was revoked. You have to re-authorize from the user.",
    "was revoked"
)]
#[tokio::test]
async fn a_token_that_ended_is_told_as_such(#[case] text: &str, #[case] advice: &str) {
    let body = format!(r#"{{"error":"invalid_token","error_description":"{text}"}}"#);
    let why = told(401, &body).await;
    assert!(why.contains(advice), "{why}");
}

#[tokio::test]
async fn an_unknown_reason_is_not_repeated() {
    let why = told(403, r#"{"message":"403 Forbidden - secret@example.ac.uk"}"#).await;
    assert!(why.contains("answered 403 (current_user)"), "{why}");
}
