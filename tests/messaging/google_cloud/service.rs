//! The real binary, as it runs where Google Cloud is.

use std::process::{Output, Stdio};

use testkit::command::{isolated, output};
use tokio::process::{Child, Command};

pub use testkit::command::Variables;

use super::google::Google;

/// The project, in which the embedded broker has what the service needs.
pub const PROJECT: &str = simulator::servers::PROJECT;

/// A command that finds `google` where Google Cloud would be, with the key file of a person.
pub fn command(google: &Google, arguments: &[&str], variables: Variables<'_>) -> Command {
    let mut command = isolated(testkit::service_binary!());
    command
        .args(arguments)
        .env("GOOGLE_CLOUD_PROJECT", PROJECT)
        .env("LOOKUP_GITLAB_SYNC__PUBSUB__ENDPOINT", google.endpoint())
        .env("GOOGLE_APPLICATION_CREDENTIALS", google.key_file())
        .env("SSL_CERT_FILE", google.authority())
        .envs(variables.iter().copied());
    command
}

/// Runs a command to its end.
pub async fn run(google: &Google, arguments: &[&str], variables: Variables<'_>) -> Output {
    output(&mut command(google, arguments, variables)).await
}

/// Runs a command that must succeed.
pub async fn succeed(google: &Google, arguments: &[&str], variables: Variables<'_>) -> String {
    testkit::command::succeed(&mut command(google, arguments, variables)).await
}

/// A `serve` that is left running.
pub fn serve(google: &Google, variables: Variables<'_>) -> Child {
    command(google, &["serve"], variables)
        .env("PORT", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
