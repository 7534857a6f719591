//! What is given to those who run the service without Cloud Run: Compose, Kubernetes, systemd.

use std::{collections::BTreeMap, process::Command};

use clap::CommandFactory;
use lookup_gitlab_sync::cli::Cli;
use serde_json::Value;
use tempfile::TempDir;

use crate::judges;

mod alerts;
mod compose;
mod kubernetes;
mod systemd;

/// The words that a container or a unit gives to the program.
fn words(value: &Value) -> Vec<String> {
    let words = value.as_array().unwrap_or_else(|| panic!("{value}"));
    words
        .iter()
        .map(|word| word.as_str().unwrap().to_owned())
        .collect()
}

/// The program has this command with these arguments.
#[track_caller]
fn expect_command(words: &[String]) {
    let line = ["lookup-gitlab-sync".to_owned()]
        .into_iter()
        .chain(words.to_vec());
    if let Err(error) = Cli::command().try_get_matches_from(line) {
        panic!("{words:?}: {error}");
    }
}

/// What `config check` asks for that only the stages of the user pipeline need.
const OF_THE_USER_STAGES: [(&str, &str); 2] = [
    ("GITLAB_TOKEN", "nothing-secret"),
    ("LOOKUP_CLIENT_SECRET", "nothing-secret"),
];

/// The program reads the environment of this command without a complaint. Files of secrets are made
/// up; their folder stands in it as `SECRETS`.
#[track_caller]
fn expect_configuration(words: &[String], environment: &BTreeMap<String, String>) {
    let place = words.join(" ");
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(testkit::service_binary!());
    command
        .args(["config", "check"])
        .current_dir(folder.path())
        .env_clear()
        .envs(testkit::clock::variables());
    if !["serve fan-out", "serve user-worker"].contains(&place.as_str()) {
        command.envs(OF_THE_USER_STAGES);
    }
    for (name, value) in environment {
        let value = value.replace("SECRETS", &folder.path().display().to_string());
        if name.ends_with("_FILE") {
            let secret = if name.contains("DATABASE_URL") {
                "postgres://sync:nothing-secret@localhost/sync"
            } else {
                "nothing-secret"
            };
            std::fs::write(&value, secret).unwrap();
        }
        command.env(name, value);
    }
    let (good, said) = judges::verdict(command.output().unwrap());
    assert!(good, "{place}: {said}\n{environment:#?}");
}

/// Everything in a document that `pick` takes, with where it stands.
fn collect<'value, Found>(
    value: &'value Value,
    pick: &impl Fn(&str, &'value Value) -> Option<Found>,
) -> Vec<Found> {
    match value {
        Value::Object(entries) => entries
            .iter()
            .flat_map(|(key, inner)| {
                let mut found: Vec<Found> = pick(key, inner).into_iter().collect();
                found.extend(collect(inner, pick));
                found
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| collect(item, pick)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
