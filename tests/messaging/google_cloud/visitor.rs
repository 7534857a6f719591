//! The real binary, as it runs where Google Cloud is.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::google::Google;

/// How long anything is waited for; nothing waits this long on a good day.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// The project, in which the embedded broker has what the service needs.
pub const PROJECT: &str = simulator::world::PROJECT;

pub type Variables<'a> = &'a [(&'a str, &'a str)];

/// A command that finds `google` where Google Cloud would be, with the key file of a person.
pub fn command(google: &Google, arguments: &[&str], variables: Variables<'_>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookup-gitlab-sync"));
    command
        .args(arguments)
        .env_clear()
        .envs(testkit::clock::variables())
        .env("GOOGLE_CLOUD_PROJECT", PROJECT)
        .env("LOOKUP_GITLAB_SYNC__PUBSUB__ENDPOINT", google.endpoint())
        .env("GOOGLE_APPLICATION_CREDENTIALS", google.key_file())
        .env("SSL_CERT_FILE", google.authority())
        .envs(variables.iter().copied())
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a command to its end.
pub async fn run(google: &Google, arguments: &[&str], variables: Variables<'_>) -> Output {
    timeout(PATIENCE, command(google, arguments, variables).output())
        .await
        .expect("the command ends")
        .unwrap()
}

/// Runs a command that must succeed.
pub async fn succeed(google: &Google, arguments: &[&str], variables: Variables<'_>) -> String {
    let output = run(google, arguments, variables).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
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

/// Waits until `condition` holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
