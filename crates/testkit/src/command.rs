//! Commands that see nothing of this environment.

use std::{ffi::OsStr, process::Output, process::Stdio};

use tokio::process::Command;

use crate::{clock, wait::within};

/// Variables for one command.
pub type Variables<'a> = &'a [(&'a str, &'a str)];

/// A command without variables but those of the clock, without input, in the folder for temporary
/// files. It is killed when its child is dropped.
pub fn isolated(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(clock::variables())
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a command to its end, and gives what it printed.
pub async fn output(command: &mut Command) -> Output {
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    within("the command ends", running.output()).await.unwrap()
}

/// Runs a command that must succeed; its standard output.
pub async fn succeed(command: &mut Command) -> String {
    let output = output(command).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{command:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}
