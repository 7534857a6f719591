//! Every line of the documents and pipelines that runs another tool is one that the tool takes.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

use self::{
    gcloud::CommandTree,
    grammar::{Entry, Grammar},
};
use super::tools::say;

mod gcloud;
mod grammar;
mod shell;
mod sources;

/// The tools whose lines are held; each of them has entries in the list.
const TOOLS: [&str; 6] = [
    "cosign",
    "crane",
    "docker",
    "gcloud",
    "kubectl",
    "terraform",
];

/// The release of the SDK after which an entry came, where its source says so.
fn newer_than(entry: &Entry) -> Option<u32> {
    let (_, release) = entry.source.split_once("newer than SDK ")?;
    release.split(' ').next()?.parse().ok()
}

#[test]
fn every_line_is_in_the_list_and_every_entry_of_the_list_is_used() {
    let grammar = Grammar::committed();
    let lines = sources::lines_of(|tool| TOOLS.contains(&tool));
    assert!(lines.len() > 50, "only {} lines were found", lines.len());
    let mut unused: BTreeSet<(String, String)> = BTreeSet::new();
    for (command, entry) in grammar.entries() {
        let command = command.join(" ");
        unused.insert((command.clone(), String::new()));
        unused.extend(entry.flags().map(|flag| (command.clone(), flag.to_owned())));
    }
    let mut wrong = Vec::new();
    for line in &lines {
        match grammar.judge(&line.words, line.whole) {
            Err(because) => wrong.push(format!(
                "{}: {}: {because}",
                line.place,
                line.words.join(" ")
            )),
            Ok(parsed) => {
                let command = parsed.command.join(" ");
                for used in parsed.flags.into_iter().chain([String::new()]) {
                    unused.remove(&(command.clone(), used.clone()));
                    unused.remove(&(line.words[0].clone(), used));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "each command and flag is in tests/project/deployment/command_lines/grammar.txt, with where it was read:\n{}",
        wrong.join("\n")
    );
    assert!(
        unused.is_empty(),
        "nobody uses these entries of the list: {unused:#?}"
    );
}

#[test]
fn what_is_not_in_the_list_is_refused() {
    let grammar = Grammar::committed();
    for (line, because) in [
        (
            "gcloud artifacts docker images copy A@sha256:D B:1.2.0",
            "the list has no such command",
        ),
        (
            "gcloud pubsub topics publish sync-tick --body='{}'",
            "the list has no flag --body",
        ),
        ("gcloud pubsub topics publish --message='{}'", "0 arguments"),
        ("terraform -chdir=D apply one two", "2 arguments"),
        ("terraform apply -var", "-var has no value"),
        ("terraform fmt -recursive=yes", "-recursive takes no value"),
    ] {
        let words = &shell::commands(line)[0];
        assert_eq!(
            grammar.judge(words, true).err().as_deref(),
            Some(because),
            "{line}"
        );
    }
}

#[test]
fn gcloud_has_every_command_and_flag_that_the_list_has_of_it() {
    let Some(tree) = CommandTree::find() else {
        say("not run here: gcloud is not installed: its part of the list against its own commands");
        return;
    };
    let wrong: Vec<String> = Grammar::committed()
        .entries()
        .filter(|(command, entry)| {
            command[0] == "gcloud" && newer_than(entry).is_none_or(|old| tree.release > old)
        })
        .filter_map(|(command, entry)| tree.objection(command, entry.flags()))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let copy = ["gcloud", "artifacts", "docker", "images", "copy"].map(str::to_owned);
    assert!(tree.objection(&copy, []).is_some());
}

#[test]
fn the_other_tools_have_every_command_and_flag_that_the_list_has_of_them() {
    let grammar = Grammar::committed();
    assert!(
        grammar.tools().is_subset(&TOOLS.into()),
        "a tool whose lines nobody looks for"
    );
    let mut wrong = Vec::new();
    for (command, entry) in grammar.entries() {
        let Some(help) = (command[0] != "gcloud").then(|| help(command)).flatten() else {
            continue;
        };
        wrong.extend(
            entry
                .flags()
                .filter(|flag| !help.contains(flag))
                .map(|flag| format!("{}: {flag}", command.join(" "))),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What an installed tool says of a command. `None` where it, or its plug-in, is not installed.
fn help(command: &[String]) -> Option<String> {
    let flag = match command {
        [tool] if tool == "kubectl" => "options",
        [tool, ..] if tool == "terraform" => "-help",
        _ => "--help",
    };
    let mut program = Command::new(&command[0]);
    program
        .args(&command[1..])
        .arg(flag)
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::null());
    let output = program.output().ok()?;
    let help = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    // Docker tells of itself where a plug-in is missing.
    let plugin = command
        .get(1)
        .is_some_and(|it| it == "buildx" || it == "compose");
    let about_another = plugin && !help.contains(&command.join(" "));
    if about_another {
        say(&format!(
            "not run here: {} is not installed",
            command[..2].join(" ")
        ));
    }
    (!about_another).then_some(help)
}
