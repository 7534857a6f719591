//! The commands of docs/deploy.md that need no cloud do what the document says; so do its messages.

use std::{
    env, fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::Command,
};

use lookup_gitlab_sync::messaging::wire::{SyncTick, UserSync};
use regex::Regex;
use tempfile::TempDir;
use testkit::project;

use super::{
    module_copy::Copy,
    tools::{Tools, Verdict},
};

/// The blocks of a document that are marked with `marks` after their fence, in their order.
fn blocks(document: &str, marks: &str) -> Vec<String> {
    let text = project::read(document);
    Regex::new(&format!(r"(?ms)^```{marks}\n(.*?)^```$"))
        .unwrap()
        .captures_iter(&text)
        .map(|block| block[1].to_owned())
        .collect()
}

/// Runs a script as a person would type it, with `bin` first on the path; whatever it started ends
/// with it.
fn run(script: &str, folder: &Path, bin: &Path) -> Verdict {
    let path = format!("{}:{}", bin.display(), env::var("PATH").unwrap());
    let script = format!(
        "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n{script}"
    );
    Command::new("timeout")
        .args(["--kill-after=10", "240", "bash", "-c", &script])
        .current_dir(folder)
        .env_clear()
        .envs(testkit::clock::variables())
        .env("PATH", path)
        .env("HOME", folder)
        // The document serves on the usual port, which may be taken here.
        .env("PORT", "0")
        .process_group(0)
        .output()
        .into()
}

#[test]
fn the_terraform_commands_run() {
    let Some(tools) = Tools::find() else { return };
    let blocks = blocks("docs/deploy.md", "sh offline terraform");
    assert_eq!(blocks.len(), 1, "the block is gone or lost its mark");
    let copy = Copy::new();
    let bin = copy.path().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("terraform"), tools.terraform_command()).unwrap();
    fs::set_permissions(bin.join("terraform"), fs::Permissions::from_mode(0o755)).unwrap();
    let verdict = run(&blocks.concat(), copy.path(), &bin);
    verdict.expect_good();
    assert_eq!(
        verdict.said.matches("The configuration is valid").count(),
        2,
        "{}",
        verdict.said
    );
}

#[test]
fn the_services_commands_run_against_the_simulated_servers() {
    let blocks = blocks("docs/deploy.md", "sh offline service");
    assert_eq!(blocks.len(), 1, "the block is gone or lost its mark");
    let binary = testkit::service_binary!();
    let folder = TempDir::new().unwrap();
    let verdict = run(&blocks.concat(), folder.path(), binary.parent().unwrap());
    verdict.expect_good();
    let plans: Vec<_> = verdict
        .said
        .lines()
        .filter(|line| line.contains(" to block, "))
        .collect();
    assert_eq!(plans.len(), 2, "{}", verdict.said);
    let nothing = Regex::new(": 0 [^:]*to block, 0 [^:]*to unblock").unwrap();
    assert!(
        !nothing.is_match(plans[0]),
        "the first plan was empty: {}",
        plans[0]
    );
    assert!(
        nothing.is_match(plans[1]),
        "the second was not: {}",
        plans[1]
    );
}

#[test]
fn every_message_that_a_document_publishes_is_one_that_the_service_takes() {
    let published = Regex::new(r"topics publish (\S+) .*--message='([^']*)'").unwrap();
    let mut seen = 0;
    for (path, text) in project::files("docs", ".md") {
        for found in published.captures_iter(&text) {
            let taken = match &found[1] {
                "sync-tick" => serde_json::from_str::<SyncTick>(&found[2]).map(drop),
                "user-sync" => serde_json::from_str::<UserSync>(&found[2]).map(drop),
                other => panic!("{}: nobody publishes to {other} by hand", path.display()),
            };
            assert!(
                taken.is_ok(),
                "{}: {}: {taken:?}",
                path.display(),
                &found[2]
            );
            seen += 1;
        }
    }
    assert!(seen >= 2, "no message was found");
}

#[test]
fn every_command_of_the_documents_is_one_that_the_binary_has() {
    let binary = testkit::service_binary!();
    let help: Verdict = Command::new(binary).arg("--help").output().into();
    let command = Regex::new(r"(?m)^lookup-gitlab-sync ([a-z-]+)").unwrap();
    for document in ["docs/deploy.md", "docs/operations.md", "docs/namespaces.md"] {
        let text = project::read(document);
        for used in command.captures_iter(&text) {
            let there = help
                .said
                .lines()
                .any(|line| line.trim_start().starts_with(&used[1]));
            assert!(there, "{document}: there is no command {}", &used[1]);
        }
    }
}
