//! The names that an operator sees stay as they are: dashboards, alerts, scripts and other people's
//! code rely on them.
//!
//! Each list is a snapshot. A changed snapshot is a changed promise: it belongs into `CHANGELOG.md`
//! with the way to follow it. Other tests compare the same names with the documents
//! (`observability.rs`) and with Terraform (`names.rs` and `logs.rs`).

mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use clap::{CommandFactory, builder::Str};
use lookup_gitlab_sync::{
    cli::{Cli, ExitReason},
    config,
    messaging::{DeadLetterReason, Stage, Topic},
};
use regex::Regex;

use self::source::Source;
use testkit::project;

/// Every name on a line of its own, its details behind it.
fn lines(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let names: Vec<String> = names
        .into_iter()
        .map(|name| name.as_ref().trim_end().to_owned())
        .collect();
    names.join("\n")
}

fn joined(names: &BTreeSet<String>) -> String {
    names
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn log_events_and_their_fields_keep_their_names() {
    let events = Source::read().events();
    insta::assert_snapshot!(lines(events.iter().map(|(name, event)| format!(
        "{name} [{}] {}",
        joined(&event.levels),
        joined(&event.fields)
    ))));
}

#[test]
fn metrics_and_their_labels_keep_their_names() {
    let metrics = Source::read().metrics();
    insta::assert_snapshot!(lines(
        metrics
            .iter()
            .map(|(name, (kind, labels))| format!("{name} [{kind}] {}", joined(labels)))
    ));
}

/// The variable of our own that sets `key`.
fn own_variable(key: &str) -> String {
    let key = key.replace('.', "__").to_uppercase();
    format!("LOOKUP_GITLAB_SYNC__{key}")
}

#[test]
fn configuration_keys_keep_their_names_variables_and_defaults() {
    let pair = Regex::new(r#"\(\s*"([A-Z][A-Z_]+)",\s*"([a-z_.]+)",?\s*\)"#).unwrap();
    let mut usual = BTreeMap::<String, Vec<String>>::new();
    for (_, text) in project::files("src/config", ".rs") {
        for pair in pair.captures_iter(&text) {
            usual
                .entry(pair[2].to_owned())
                .or_default()
                .push(pair[1].to_owned());
        }
    }
    let named: BTreeSet<&str> = usual.values().flatten().map(String::as_str).collect();
    assert_eq!(named, config::usual_variables().collect());
    let settings = config::defaults().into_iter().map(|(key, default)| {
        let default = default.map_or_else(|| "(not set)".to_owned(), |value| value.to_string());
        let mut variables = vec![own_variable(&key)];
        variables.extend(usual.remove(&key).unwrap_or_default());
        format!("{key} = {default} | {}", variables.join(" "))
    });
    insta::assert_snapshot!(lines(settings.collect::<Vec<_>>()));
    assert!(usual.is_empty(), "these set no key: {usual:?}");
}

fn describe(path: &str, command: &clap::Command, text: &mut String) {
    writeln!(text, "{path}").unwrap();
    for argument in command.get_arguments() {
        let mut line = match (argument.get_short(), argument.get_long()) {
            (Some(short), Some(long)) => format!("-{short} --{long}"),
            (None, Some(long)) => format!("--{long}"),
            (Some(short), None) => format!("-{short}"),
            (None, None) => format!("<{}>", argument.get_id()),
        };
        for alias in argument.get_all_aliases().unwrap_or_default() {
            write!(line, " --{alias}").unwrap();
        }
        if argument.get_action().takes_values() {
            let names = argument.get_value_names().unwrap_or_default();
            let names: Vec<&str> = names.iter().map(Str::as_str).collect();
            write!(line, " {}", names.join(" ")).unwrap();
        }
        let values: Vec<String> = argument
            .get_possible_values()
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect();
        if argument.get_action().takes_values() && !values.is_empty() {
            write!(line, " {{{}}}", values.join("|")).unwrap();
        }
        for default in argument.get_default_values() {
            write!(line, " = {}", default.to_string_lossy()).unwrap();
        }
        if argument.is_required_set() {
            line.push_str(" (required)");
        }
        writeln!(text, "  {line}").unwrap();
    }
    for below in command.get_subcommands() {
        describe(&format!("{path} {}", below.get_name()), below, text);
    }
}

#[cfg(feature = "simulate")]
#[test]
fn commands_and_their_options_keep_their_names() {
    let mut text = String::new();
    describe("lookup-gitlab-sync", &Cli::command(), &mut text);
    insta::assert_snapshot!(text);
}

#[test]
fn exit_codes_keep_their_numbers() {
    let codes = [
        ("failed", ExitReason::Failed),
        ("usage", ExitReason::Usage),
        ("the guard refused", ExitReason::GuardRefused),
        ("an upstream is unavailable", ExitReason::Unavailable),
        ("configuration", ExitReason::Configuration),
        ("interrupted", ExitReason::Interrupted),
    ]
    .map(|(name, exit)| format!("{} {name}", exit.code()));
    insta::assert_snapshot!(lines(&codes));
    let readme = project::read("README.md");
    let (_, told) = readme.split_once("Exit codes: ").unwrap();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for code in codes {
        assert!(told.contains(&code), "README.md does not name {code}");
    }
}

#[test]
fn topics_subscriptions_and_stages_keep_their_names() {
    let stages = Stage::ALL.map(|stage| {
        format!(
            "{stage}: {} {} {} {}",
            stage.topic().as_str(),
            stage.subscription(),
            stage.dead_letter_topic(),
            stage.hold_subscription()
        )
    });
    let outcomes = Topic::SyncOutcome.as_str();
    insta::assert_snapshot!(format!("{}\noutcomes: {outcomes}", lines(stages)));
}

#[test]
fn http_paths_keep_their_names() {
    let source = Source::read();
    let mut paths = source.find(r#"\.route\(\s*"(/[^"]*)""#);
    for constant in source.find(r"\.route\(\s*([A-Z_]+),") {
        paths.extend(source.find(&format!(r#"const {constant}: &str = "([^"]*)""#)));
    }
    insta::assert_snapshot!(lines(paths));
}

#[test]
fn fields_of_messages_keep_their_names_and_types() {
    let field = Regex::new(r"(?m)^  optional (\w+) (\w+) = (\d+);$").unwrap();
    let mut text = String::new();
    for (path, schema) in project::files("schemas", ".proto") {
        writeln!(text, "{}", path.file_stem().unwrap().display()).unwrap();
        for field in field.captures_iter(&schema) {
            writeln!(text, "  {} {} {}", &field[3], &field[2], &field[1]).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn columns_of_the_commands_tables_keep_their_names() {
    let tables = Source::read().find(r"COLUMNS: &'static \[&'static str\] =\s*&\[([^\]]*)\]");
    let tables = tables.iter().map(|table| {
        let columns = table.split(',').map(|name| name.trim().trim_matches('"'));
        columns.collect::<Vec<_>>().join(" ")
    });
    insta::assert_snapshot!(lines(tables.collect::<BTreeSet<_>>()));
}

#[test]
fn reasons_of_dead_letters_keep_their_names() {
    insta::assert_snapshot!(lines(DeadLetterReason::ALL.map(DeadLetterReason::as_str)));
}

/// Words in attributes, records, labels and files, by where they are seen.
const WORDS: [(&str, &str); 22] = [
    ("attributes of messages", "run kind traceparent"),
    (
        "attributes of dead letters",
        "dead_letter_reason dead_letter_detail dead_letter_stage dead_letter_at original_topic original_message_id \
         original_publish_time original_delivery_attempt replay_id first_dead_letter_reason first_dead_letter_at",
    ),
    (
        "kinds of published messages",
        "sync_tick user_sync namespace_sync",
    ),
    (
        "kinds of outcomes",
        "user namespace run_reading run_held run_started guard_refused coalesced dead_lettered",
    ),
    ("causes", "tick resync"),
    ("classes", "exempt not_human member external out_of_scope"),
    ("decisions", "block unblock keep"),
    (
        "reasons of decisions",
        "no_longer_cancelled cancelled_in_lookup inactive unblocked_by_identity_provider current already_blocked \
         blocked_by_another not_in_lookup active activity_unknown exempt not_human out_of_scope state_owned_elsewhere \
         account_unreadable",
    ),
    (
        "results",
        "applied already_so dry_run unchanged changed_since_planned plan_lapsed state_forbids gone superseded",
    ),
    ("dispositions", "done retry hold dead_letter"),
    (
        "states of accounts",
        "active deactivated blocked ldap_blocked banned blocked_pending_approval unrecognised",
    ),
    (
        "previews of replays",
        "dry_run nothing run namespace_sync dead_letter retry",
    ),
    (
        "states of attempts",
        "started completed partially_failed retrying failed skipped abandoned",
    ),
    (
        "parts of namespaces",
        "base_product storage compute_minutes add_on_purchases",
    ),
    ("statuses of parts", "success error"),
    (
        "upstreams",
        "gitlab lookup directory_file provisioning ledger",
    ),
    ("gates", "read write"),
    (
        "reasons of closed gates",
        "bad_request unauthenticated forbidden throttled timed_out unreachable server_error unavailable maintenance \
         rejected redirected unexpected_status unreadable too_large clock_skew controls_wrong inconsistent",
    ),
    (
        "statuses of requests",
        "no_connection broken_connection too_large timeout other",
    ),
    (
        "operations",
        "list_users get_user current_user token_details prove_sight find_user_by_username find_anything_by_username \
         find_user_by_identity block_user unblock_user set_custom_attribute read_file list_people last_transaction \
         provision probe probe_token",
    ),
    (
        "attributes of accounts",
        "lookup_gitlab_sync lookup_gitlab_sync_exempt blocked_by unblocked_by",
    ),
    (
        "settings' values",
        "dry-run apply lookup file all changes on off",
    ),
];

#[test]
fn words_that_are_compared_by_others_keep_their_spelling() {
    let source = Source::read();
    let lost: Vec<String> = WORDS
        .iter()
        .flat_map(|(seen, words)| words.split(' ').map(move |word| (seen, word)))
        .filter(|(_, word)| !source.spells(word))
        .map(|(seen, word)| format!("{seen}: {word}"))
        .collect();
    assert_eq!(lost, [""; 0], "nothing in the source spells these any more");
}
