//! The common mistakes, and what is said to whoever makes them. The texts of the refusals are
//! Google's own.

use std::process::Output;

use super::{
    google::Google,
    service::{Variables, command, run},
};

pub const NOT_AUTHORIZED: &str = "User not authorized to perform this action.";
pub const FORBIDDEN: u8 = 7;
const NOT_FOUND: u8 = 5;

/// Exit code and what was told on standard error, with what differs from run to run replaced.
pub fn told(google: &Google, output: &Output) -> String {
    let code = output.status.code().expect("it ends by itself");
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    let said = said
        .replace(&google.endpoint(), "https://ENDPOINT")
        .replace(
            google.key_file().parent().unwrap().to_str().unwrap(),
            "FOLDER",
        );
    format!("exit code {code}\n{said}")
}

async fn refused(
    method: &'static str,
    code: u8,
    message: &'static str,
    arguments: &[&str],
) -> String {
    let google = Google::alone().await;
    google.refuse(method, code, message);
    told(&google, &run(&google, arguments, &[]).await)
}

async fn checked_with(google: &Google, variables: Variables<'_>) -> String {
    told(
        google,
        &run(google, &["topology", "check"], variables).await,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_does_not_exist_is_not_told_as_missing_topics() {
    let message = "Requested project not found or user does not have access to it (project=simulated). Make sure to \
                   specify the unique project identifier and not the Google Cloud Console display name.";
    let told = refused("GetTopic", NOT_FOUND, message, &["topology", "check"]).await;
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_to_look_that_is_missing_is_told_as_a_role_on_a_topic() {
    let told = refused(
        "GetTopic",
        FORBIDDEN,
        NOT_AUTHORIZED,
        &["topology", "check"],
    )
    .await;
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_to_publish_that_is_missing_is_told_as_a_role_on_a_topic() {
    let told = refused("Publish", FORBIDDEN, NOT_AUTHORIZED, &["tick"]).await;
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_to_follow_that_is_missing_is_told_as_a_role_on_the_project() {
    let method = "CreateSubscription";
    let told = refused(method, FORBIDDEN, NOT_AUTHORIZED, &["tick", "--follow"]).await;
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_was_never_switched_on_is_told_with_the_command_that_does() {
    let message = "Cloud Pub/Sub API has not been used in project 1234567 before or it is disabled. Enable it by \
                   visiting https://console.developers.google.com/apis/api/pubsub.googleapis.com/overview then retry.";
    let told = refused("GetTopic", FORBIDDEN, message, &["topology", "check"]).await;
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_project_that_may_not_be_charged_is_told() {
    let message = "Caller does not have required permission to use project paying-project. Grant the caller the \
                   roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use \
                   permission.";
    let told = refused("GetTopic", FORBIDDEN, message, &["topology", "check"]).await;
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_were_revoked_are_told() {
    let google = Google::alone().await;
    google.revoke();
    insta::assert_snapshot!(checked_with(&google, &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_that_is_not_there_is_told() {
    let google = Google::alone().await;
    let variables = [("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")];
    insta::assert_snapshot!(checked_with(&google, &variables).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_that_is_none_is_told_without_its_text() {
    let google = Google::alone().await;
    std::fs::write(google.key_file(), "not-json-but-perhaps-a-secret").unwrap();
    let told = checked_with(&google, &[]).await;
    assert!(!told.contains("perhaps-a-secret"), "{told}");
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credentials_at_all_are_told_within_seconds() {
    let google = Google::alone().await;
    let variables = [("HOME", "/nowhere"), ("GCE_METADATA_HOST", "127.0.0.1:1")];
    let mut command = command(&google, &["topology", "check"], &variables);
    command.env_remove("GOOGLE_APPLICATION_CREDENTIALS");
    let output = command.output().await.unwrap();
    insta::assert_snapshot!(told(&google, &output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (google, stranger) = (Google::alone().await, Google::alone().await);
    let authority = stranger.authority();
    let variables = [("SSL_CERT_FILE", authority.to_str().unwrap())];
    let told = checked_with(&google, &variables).await;
    assert_eq!(google.seen().len(), 0, "nothing was said to it");
    assert_eq!(google.tokens_issued(), 0, "nor was a token asked for");
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_on_google_cloud_are_not_made_by_hand() {
    let google = Google::alone().await;
    let output = run(&google, &["topology", "apply"], &[]).await;
    assert_eq!(google.seen().len(), 0);
    insta::assert_snapshot!(told(&google, &output));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_without_tls_is_refused_before_a_token_goes_there() {
    let google = Google::alone().await;
    let variables = [(
        "LOOKUP_GITLAB_SYNC__PUBSUB__ENDPOINT",
        "http://pubsub.example.ac.uk",
    )];
    insta::assert_snapshot!(checked_with(&google, &variables).await);
}
