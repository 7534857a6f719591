//! `config check`, `config show` and the command line.

use super::*;

/// The program itself, in the directory of `start` and with its environment alone.
fn program(start: &Start, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(testkit::service_binary!())
        .args(arguments)
        .current_dir(start.directory.path())
        .env_clear()
        .envs(testkit::clock::variables())
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn config_check_tells_mistakes_on_standard_error_and_exits_78() {
    let start = Start::new().file("mode = 'aply'\n[gitlab]\nurl = 'http://gitlab.example.ac.uk'");
    let output = program(
        &start,
        &COMPLETE[2..],
        &["config", "check", "--log-level", "loud"],
    );
    assert_eq!(output.status.code(), Some(78));
    assert_eq!(text(&output.stdout), "");
    insta::assert_snapshot!(text(&output.stderr));
}

#[test]
fn config_check_of_a_good_configuration_exits_0_and_says_what_it_is_good_for() {
    let start = Start::new();
    let output = program(&start, &COMPLETE, &["config", "check"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "the configuration is good\n");
    let output = program(&start, &COMPLETE[..5], &["config", "check"]);
    assert!(text(&output.stdout).contains("stages and messages need pubsub.project"));
}

#[test]
fn config_show_prints_every_key_with_secrets_redacted_and_its_source() {
    let start = Start::new().file("[guard]\nfloor = 3\n[pubsub]\nproject = 'of-the-file'");
    let output = program(
        &start,
        &COMPLETE[..5],
        &["config", "show", "--log-level", "warn"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout));
}

#[test]
fn config_show_prints_json_lines() {
    let start = Start::new();
    let output = program(&start, &COMPLETE, &["config", "show", "--output", "json"]);
    let rows: Vec<serde_json::Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), config::defaults().len());
    let row = |key: &str| rows.iter().find(|row| row["key"] == key).unwrap();
    assert_eq!(row("gitlab.token")["value"], "[redacted]");
    assert_eq!(
        row("gitlab.token")["source"],
        "environment variable GITLAB_TOKEN"
    );
    assert_eq!(row("guard.floor")["value"], 10);
    assert_eq!(row("directory.path")["value"], serde_json::Value::Null);
    assert!(!text(&output.stdout).contains("-secret"));
}

#[test]
fn a_wrong_command_line_exits_2() {
    let start = Start::new();
    for arguments in [
        &["config", "chek"][..],
        &["config", "check", "--wrong"],
        &[],
    ] {
        assert_eq!(
            program(&start, &COMPLETE, arguments).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
}

#[test]
fn the_help_of_every_command_has_an_example() {
    fn examine(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(
            help.contains("Example") && help.contains("lookup-gitlab-sync"),
            "{path}"
        );
        command
            .get_subcommands()
            .filter(|inner| inner.get_name() != "help")
            .for_each(|inner| examine(inner, &path));
    }
    let program = lookup_gitlab_sync::cli::Cli::command();
    program.clone().debug_assert();
    program
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
        .for_each(|inner| examine(inner, ""));
}
