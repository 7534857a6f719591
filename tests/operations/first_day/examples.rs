//! Every command's help ends with an example, and every example works as it stands.

use std::path::Path;

use clap::CommandFactory;
use lookup_gitlab_sync::cli::Cli;
use serde_json::Value;
use simulator::{
    gitlab::{SimulatedUser, TokenChange},
    lookup::SimulatedPerson,
};
use testkit::environment::ServiceEnvironment;
use testkit::wait::until;

use crate::support::environment;

/// Each command with its example, subcommands included.
fn examples() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let root = Cli::command();
    for command in root.get_subcommands() {
        collect(command, "", &mut found);
    }
    found
}

fn collect(command: &clap::Command, above: &str, found: &mut Vec<(String, String)>) {
    let name = format!("{above}{}", command.get_name());
    let help = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let example = help
        .strip_prefix("Example:\n")
        .unwrap_or_else(|| panic!("{name} --help has no example"));
    found.extend(
        example
            .lines()
            .map(|line| (name.clone(), line.trim().to_owned())),
    );
    for inner in command.get_subcommands() {
        collect(inner, &format!("{name} "), found);
    }
}

async fn scene() -> ServiceEnvironment {
    let accounts = vec![
        SimulatedUser::new(42, "spqr1"),
        SimulatedUser::new(43, "external-partner"),
    ];
    let mut scene = environment(accounts, vec![SimulatedPerson::cancelled("spqr1", "Gone")]).await;
    // The scene's redeliveries come at once; the service needs them to wait.
    scene.run(&["topology", "apply"], &[]).await;
    scene.serve(&[], &[]).await;
    scene.publish_raw("user-sync", b"{\"crsid\":42}").await;
    until("a dead letter", async || {
        scene.counts("user-sync-dead-hold").published > 0
    })
    .await;
    scene
}

async fn dead_letter(scene: &ServiceEnvironment) -> String {
    let listed = scene
        .run(&["dead-letters", "list", "--output", "json"], &[])
        .await;
    let text = String::from_utf8(listed.stdout).unwrap();
    let row: Value = serde_json::from_str(text.lines().next().expect("there is one")).unwrap();
    row["message_id"]
        .as_str()
        .or_else(|| row["id"].as_str())
        .expect("it has an id")
        .to_owned()
}

/// As somebody types it, in a folder of their own.
async fn type_in(scene: &ServiceEnvironment, line: &str, folder: &Path) -> std::process::Output {
    let binary = testkit::service_binary!();
    let path = format!("{}:/usr/bin:/bin", binary.parent().unwrap().display());
    testkit::command::isolated("sh")
        .args(["-c", line])
        .envs(scene.servers.environment())
        .env("PATH", path)
        .current_dir(folder)
        .output()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_every_help_works_as_it_stands() {
    let scene = scene().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("production.toml"), "mode = 'apply'\n").unwrap();
    let host = scene.servers.broker.as_ref().unwrap().host();
    let id = dead_letter(&scene).await;
    let all = examples();
    assert!(all.len() >= 19, "{all:?}");
    for (name, example) in all {
        // These need a database: `tests/namespaces/examples.rs` types them.
        if name.starts_with("namespaces") {
            continue;
        }
        if name == "serve" || name == "simulate" {
            stays(&scene, &example, folder.path()).await;
            continue;
        }
        if name.starts_with("token") {
            rotates(&scene, &name, &example, folder.path()).await;
            continue;
        }
        // What is only known here: an address, an id; and a population that need not be so large.
        let line = example
            .replace("localhost:8085", &host)
            .replace("12083918203912", &id)
            .replace("--users 20000", "--users 200");
        let output = type_in(&scene, &line, folder.path()).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{line}: {said}");
    }
}

/// It gives up its token, which the other examples need: it is typed with one of its own.
async fn rotates(scene: &ServiceEnvironment, name: &str, line: &str, folder: &Path) {
    let token = format!("glpat-{}", name.replace(' ', "-"));
    let another = TokenChange {
        admin: Some(true),
        ..TokenChange::default()
    };
    scene.servers.gitlab.change_token(&token, another);
    let line = format!("GITLAB_TOKEN={token} {line}");
    let output = type_in(scene, &line, folder).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{line}: {said}");
    let new = std::fs::read_to_string(folder.join("new-token")).unwrap();
    assert!(new.starts_with("glpat-simulated-"), "{line}");
}

/// These run until they are stopped.
async fn stays(scene: &ServiceEnvironment, example: &str, folder: &Path) {
    let words: Vec<&str> = example.split(' ').skip(1).collect();
    let file = folder.join("sim.env");
    let arguments: Vec<&str> = words
        .iter()
        .map(|word| {
            if *word == "sim.env" {
                file.to_str().unwrap()
            } else {
                word
            }
        })
        .collect();
    let running = scene.spawn(&arguments, &[], "json");
    until("it works", async || {
        let said = running.lines();
        said.iter()
            .any(|line| line.contains("\"serving\"") || line.contains("\"ready\""))
    })
    .await;
    running.finish().await;
    if arguments.contains(&"--env-file") {
        let environment = std::fs::read_to_string(&file).unwrap();
        assert!(environment.contains("export GITLAB_URL="), "{environment}");
    }
}
