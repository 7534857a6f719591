//! The names that Terraform makes are the names that the service uses.

use std::collections::BTreeSet;

use lookup_gitlab_sync::{
    config::{self, Config, LoadedConfig},
    messaging::{OUTCOME_HISTORY, Stage, Topic},
};
use regex::Regex;
use testkit::project;

/// Terraform's own: the audit sink reads a topic that the service only publishes to.
const SINK: [&str; 3] = [
    "sync-outcome-bigquery",
    "sync-outcome-dead",
    "sync-outcome-dead-hold",
];

fn found(pattern: &str, text: &str) -> BTreeSet<String> {
    Regex::new(pattern)
        .unwrap()
        .captures_iter(text)
        .map(|found| found[1].to_owned())
        .collect()
}

#[test]
fn every_topic_and_subscription_has_one_name() {
    let locals = project::read("terraform/locals.tf");
    let topics = found(r#"name\s+= "\$\{var\.pubsub_prefix\}([a-z-]+)""#, &locals);
    let subscriptions = found(
        r#"(?:subscription|outcome_history) = "\$\{var\.pubsub_prefix\}([a-z-]+)""#,
        &locals,
    );
    let mut made: BTreeSet<String> = topics
        .iter()
        .flat_map(|topic| {
            [
                topic.clone(),
                format!("{topic}-dead"),
                format!("{topic}-dead-hold"),
            ]
        })
        .chain(subscriptions)
        .collect();
    made.retain(|name| !SINK.contains(&name.as_str()));
    let used: BTreeSet<String> = Stage::ALL
        .into_iter()
        .flat_map(|stage| {
            [
                stage.topic().as_str(),
                stage.subscription(),
                stage.dead_letter_topic(),
                stage.hold_subscription(),
            ]
        })
        .chain([Topic::SyncOutcome.as_str(), OUTCOME_HISTORY])
        .map(str::to_owned)
        .collect();
    assert_eq!(made, used);
}

#[test]
fn every_stage_is_called_as_the_command_line_calls_it() {
    let pools = project::read("terraform/locals.tf");
    for stage in Stage::ALL {
        let enabled = if Stage::USERS.contains(&stage) {
            "true"
        } else {
            "var.namespaces.enabled"
        };
        assert!(
            pools.contains(&format!(
                "    {} = {{\n      enabled   = {enabled}\n      reads     = \"{}\"",
                stage.as_str(),
                stage.topic().as_str()
            )),
            "{}",
            stage.as_str()
        );
    }
}

/// The environment of a user stage as Terraform writes it, with values that the service accepts.
const USER_STAGE: [(&str, &str); 19] = [
    ("GITLAB_READ_TOKEN", "glpat-nothing-else"),
    ("GITLAB_TOKEN", "glpat-nothing-secret"),
    ("GITLAB_URL", "https://gitlab.example.ac.uk"),
    ("GOOGLE_CLOUD_PROJECT", "sync-test"),
    ("LOG_LEVEL", "info"),
    ("LOOKUP_CLIENT_ID", "sync"),
    ("LOOKUP_CLIENT_SECRET", "nothing-secret"),
    (
        "LOOKUP_GITLAB_SYNC__GITLAB__CALLS__REQUESTS_PER_MINUTE",
        "600",
    ),
    ("LOOKUP_GITLAB_SYNC__GUARD__FLOOR", "11"),
    ("LOOKUP_GITLAB_SYNC__GUARD__MAX_BLOCKS", "900"),
    ("LOOKUP_GITLAB_SYNC__GUARD__MAX_BLOCK_PERCENT", "2.5"),
    ("LOOKUP_GITLAB_SYNC__GUARD__MAX_UNBLOCK_PERCENT", "12"),
    ("LOOKUP_GITLAB_SYNC__MODE", "dry-run"),
    ("LOOKUP_GITLAB_SYNC__PUBSUB__PREFIX", "dev-"),
    ("LOOKUP_PASSWORD", "nothing-secret"),
    (
        "LOOKUP_TOKEN_URL",
        "https://api.example.ac.uk/oauth2/v1/token",
    ),
    ("LOOKUP_URL", "https://api.example.ac.uk/lookup/v1"),
    ("LOOKUP_USERNAME", "sync-group"),
    ("PORT", "8080"),
];

/// What only the namespace stages are given.
const NAMESPACE_STAGES: [&str; 3] = [
    "LEDGER_DATABASE_URL",
    "PORTAL_TOKEN",
    "PROVISIONING_DATABASE_URL",
];

#[test]
fn every_variable_that_terraform_sets_is_one_that_the_service_reads() {
    let environment = project::read("terraform/environment.tf");
    let mut set = found(r"([A-Z][A-Z0-9_]{3,})\s*= ", &environment);
    set.extend(found(r#"= "([A-Z][A-Z0-9_]{3,})""#, &environment));
    set.retain(|name| !NAMESPACE_STAGES.contains(&name.as_str()));
    // Cloud Run sets this one.
    set.insert("PORT".to_owned());
    assert_eq!(set, USER_STAGE.map(|(name, _)| name.to_owned()).into());

    let keys: BTreeSet<String> = config::defaults().into_iter().map(|(key, _)| key).collect();
    for key in set
        .iter()
        .filter_map(|name| name.strip_prefix("LOOKUP_GITLAB_SYNC__"))
    {
        let key = key.to_lowercase().replace("__", ".");
        assert!(
            keys.contains(&key),
            "{key} is not a key of the configuration"
        );
    }
}

#[test]
fn each_way_to_lookup_makes_a_configuration_that_loads() {
    for other in [
        &["LOOKUP_USERNAME", "LOOKUP_PASSWORD"][..],
        &[
            "LOOKUP_TOKEN_URL",
            "LOOKUP_CLIENT_ID",
            "LOOKUP_CLIENT_SECRET",
        ][..],
    ] {
        let environment = USER_STAGE
            .into_iter()
            .filter(|(name, _)| !other.contains(name))
            .collect();
        let given = config::Sources {
            environment,
            ..config::Sources::default()
        };
        let loaded: LoadedConfig =
            Config::load(&given).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(loaded.config.pubsub.prefix, "dev-");
        assert_eq!(loaded.config.guard.floor, 11);
        assert_eq!(loaded.config.gitlab.calls.requests_per_minute, Some(600));
    }
}

#[test]
fn the_guard_has_the_same_defaults_on_both_sides() {
    let variables = project::read("terraform/variables.tf");
    let defaults = config::defaults();
    for name in [
        "max_block_percent",
        "max_unblock_percent",
        "floor",
        "max_blocks",
    ] {
        let here = found(
            &format!(r"{name}\s*= optional\(number, ([0-9.]+)\)"),
            &variables,
        );
        let there = defaults
            .iter()
            .find(|(key, _)| *key == format!("guard.{name}"))
            .and_then(|(_, value)| value.as_ref()?.as_f64())
            .unwrap();
        assert_eq!(
            here.into_iter()
                .map(|text| text.parse::<f64>().unwrap())
                .collect::<Vec<_>>(),
            [there],
            "{name}"
        );
    }
}

#[test]
fn every_alert_has_its_entry_in_the_runbook() {
    let alerts = found(
        r"(?m)^    ([a-z-]+) = \{\n      severity",
        &project::read("terraform/alerts.tf"),
    );
    assert!(alerts.len() >= 13, "the alerts were not found: {alerts:?}");
    let headings = found(r"(?m)^## ([a-z-]+)$", &project::read("docs/operations.md"));
    let mut linked = alerts;
    linked.insert("budget-burns".to_owned());
    assert_eq!(linked, headings);
}
