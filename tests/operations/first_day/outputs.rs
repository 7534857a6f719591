//! One rule for `--output`, of every command that prints results: the form that is asked for stands
//! on standard output and nothing else does, on a terminal and off it.

use std::collections::BTreeSet;

use clap::CommandFactory;
use lookup_gitlab_sync::cli::Cli;
use serde_json::Value;
use simulator::{
    gitlab::{OWNER, SimulatedUser, UserState},
    lookup::SimulatedPerson,
};
use testkit::environment::ServiceEnvironment;
use testkit::output_form::is_of_form;
use testkit::wait::until;

use crate::support::environment;

/// How each command is called. `ID` is a dead letter's id, `FILE` a new file.
const CALLS: [(&str, &[&str]); 22] = [
    ("demo", &["demo", "--users", "60"]),
    ("plan", &["plan", "--all"]),
    ("explain", &["explain", "spqr1"]),
    ("history", &["history", "spqr3"]),
    ("compare", &["compare", "--with", "7", "--all"]),
    ("adopt", &["adopt", "--blocked-by", "1", "--all"]),
    ("tick", &["tick"]),
    ("tick", &["tick", "--follow"]),
    ("resync", &["resync", "spqr1", "42"]),
    ("resync", &["resync", "spqr1", "42", "--follow"]),
    ("dead-letters list", &["dead-letters", "list"]),
    ("dead-letters show", &["dead-letters", "show", "ID"]),
    (
        "dead-letters replay",
        &["dead-letters", "replay", "--all", "--dry-run"],
    ),
    (
        "dead-letters replay",
        &["dead-letters", "replay", "--all", "--force"],
    ),
    (
        "dead-letters discard",
        &[
            "dead-letters",
            "discard",
            "--all",
            "--yes",
            "--file",
            "FILE",
        ],
    ),
    ("topology check", &["topology", "check"]),
    ("topology apply", &["topology", "apply"]),
    ("config show", &["config", "show"]),
    ("config check", &["config", "check", "--connect"]),
    // Of a topic with no dead letters: there is nothing to print.
    (
        "dead-letters list",
        &["dead-letters", "list", "--topic", "sync-tick"],
    ),
    ("pause", &["pause"]),
    ("resume", &["resume"]),
];

/// They need a database: `tests/namespaces/outputs.rs` calls them.
const WITH_A_DATABASE: [&str; 3] = [
    "namespaces record",
    "namespaces resync",
    "namespaces history",
];

/// Each command that has `--output`, with the forms that it knows.
fn commands() -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    collect(&Cli::command(), "", &mut found);
    found
}

fn collect(command: &clap::Command, above: &str, found: &mut Vec<(String, Vec<String>)>) {
    for inner in command.get_subcommands() {
        let path = format!("{above} {}", inner.get_name()).trim().to_owned();
        let output = inner
            .get_arguments()
            .find(|arg| arg.get_long() == Some("output"));
        if let Some(output) = output {
            let forms = output.get_possible_values();
            let names = forms.iter().map(|form| form.get_name().to_owned());
            found.push((path.clone(), names.collect()));
        }
        collect(inner, &path, found);
    }
}

async fn scene() -> ServiceEnvironment {
    let accounts = vec![
        SimulatedUser::new(42, "spqr1"),
        SimulatedUser::new(43, "spqr2"),
        SimulatedUser {
            state: UserState::Blocked,
            ..SimulatedUser::new(44, "spqr3")
                .with_attribute("blocked_by", format!("{OWNER}/1+2026-01-10 02:00:03 UTC"))
        },
    ];
    let people = vec![
        SimulatedPerson::cancelled("spqr1", "Gone"),
        SimulatedPerson::current("spqr2", "Here"),
    ];
    let mut scene = environment(accounts, people).await;
    scene.serve(&[], &[]).await;
    scene.publish_raw("user-sync", b"{\"crsid\":42}").await;
    until("a dead letter", async || {
        scene.counts("user-sync-dead-hold").published > 0
    })
    .await;
    scene
}

/// The dead letter, which a replay may just have sent round again.
async fn dead_letter(scene: &ServiceEnvironment) -> String {
    let mut id = None;
    until("the dead letter is there", async || {
        let listed = ["dead-letters", "list", "--output=json"];
        let listed = scene.run(&listed, &[]).await;
        let first = String::from_utf8(listed.stdout).unwrap();
        let first = first.lines().next().map(str::to_owned);
        id = first.map(|line| serde_json::from_str::<Value>(&line).unwrap()["id"].clone());
        id.is_some()
    })
    .await;
    id.unwrap().as_str().unwrap().to_owned()
}

#[test]
fn every_command_with_results_is_called_here_or_with_a_database_and_knows_the_same_forms() {
    let called: BTreeSet<&str> = CALLS.into_iter().map(|(name, _)| name).collect();
    for (name, forms) in commands() {
        let is_called = called.contains(name.as_str()) || WITH_A_DATABASE.contains(&name.as_str());
        assert!(is_called, "say in CALLS how {name} is called");
        let expected: &[&str] = if name == "demo" {
            &["table", "json"]
        } else {
            &["table", "json", "csv"]
        };
        assert_eq!(forms, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_prints_the_form_that_is_asked_for_and_nothing_else() {
    let scene = scene().await;
    let folder = tempfile::tempdir().unwrap();
    let forms: Vec<_> = commands().into_iter().collect();
    for (name, call) in CALLS {
        let known = &forms.iter().find(|(known, _)| known == name).unwrap().1;
        for form in known {
            let id = if call.contains(&"ID") || call.contains(&"replay") {
                dead_letter(&scene).await
            } else {
                String::new()
            };
            let file = folder.path().join(format!("{form}.jsonl"));
            let file = file.to_str().unwrap();
            let words = call.iter().map(|word| match *word {
                "ID" => id.as_str(),
                "FILE" => file,
                word => word,
            });
            let arguments: Vec<&str> = words.chain(["--output", form]).collect();
            let output = scene.run(&arguments, &[]).await;
            let said = String::from_utf8_lossy(&output.stderr);
            let code = output.status.code();
            // The scene's retry policy is none that `topology check` agrees with.
            let expected = code == Some(0) || (name == "topology check" && code == Some(1));
            assert!(expected, "{arguments:?} {code:?}: {said}");
            is_of_form(form, &output).unwrap_or_else(|why| panic!("{arguments:?}: {why}"));
        }
    }
}
