//! `deploy/compose.yaml`: what Compose reads, and what its containers are told.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::project;

use super::{expect_command, expect_configuration, words};
use crate::judges;

/// The services by their names, with everything that they share merged in.
fn services() -> BTreeMap<String, Value> {
    let document: Value = serde_saphyr::from_str(&project::read("deploy/compose.yaml")).unwrap();
    let services = document["services"].as_object().unwrap();
    services.clone().into_iter().collect()
}

/// Those that run the service's own image.
fn own() -> BTreeMap<String, Value> {
    let mut services = services();
    services.retain(|_, service| service["image"] == "lookup-gitlab-sync:development");
    services
}

#[test]
fn compose_reads_the_file() {
    judges::expect_schema("compose-spec", &["deploy/compose.yaml"]);
}

#[test]
fn each_container_is_given_a_command_and_a_configuration_that_the_program_takes() {
    let own = own();
    let stages: Vec<_> = own
        .values()
        .map(|service| words(&service["command"]).join(" "))
        .filter(|command| command.starts_with("serve "))
        .collect();
    assert_eq!(
        stages,
        [
            "fan-out",
            "namespace-worker",
            "portal",
            "provisioning-api",
            "user-worker"
        ]
        .map(|stage| format!("serve {stage}"))
    );
    for service in own.values() {
        let command = words(&service["command"]);
        expect_command(&command);
        let environment = service["environment"].as_object().unwrap();
        let environment = environment
            .iter()
            .map(|(key, value)| {
                let value = value.as_str().unwrap();
                let value = value.replace("${PUBSUB_HOST:-pubsub:8085}", "pubsub:8085");
                (key.clone(), value.replace("/run/keys", "SECRETS"))
            })
            .collect();
        expect_configuration(&command, &environment);
    }
}

#[test]
fn every_host_that_is_called_in_plain_text_is_a_container_and_is_named_as_such() {
    let services = services();
    let simulator = &services["simulator"];
    let aliases = words(&simulator["networks"]["default"]["aliases"]);
    let mut seen = 0;
    for (name, service) in own() {
        let allowed = service["environment"]["LOOKUP_GITLAB_SYNC__INSECURE_HOSTS"].as_str();
        let allowed: Vec<String> = serde_json::from_str(allowed.unwrap()).unwrap();
        for (key, value) in service["environment"].as_object().unwrap() {
            let Some(address) = value.as_str().unwrap().strip_prefix("http://") else {
                continue;
            };
            let (host, port) = address.split_once(':').unwrap();
            assert!(allowed.contains(&host.to_owned()), "{name}: {key}: {host}");
            let there = services.contains_key(host) || aliases.contains(&host.to_owned());
            assert!(there, "{name}: {key}: nobody is called {host}");
            let port: String = port.chars().take_while(char::is_ascii_digit).collect();
            let listens = port == "8080" || words(&simulator["command"]).contains(&port);
            assert!(listens, "{name}: {key}: nobody listens on {port}");
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} addresses were found");
}

#[test]
fn nothing_is_reachable_from_another_machine_and_nobody_is_root_with_rights() {
    for (name, service) in services() {
        for port in service["ports"].as_array().into_iter().flatten() {
            let port = port.as_str().unwrap();
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
    for (name, service) in own() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(words(&service["cap_drop"]), ["ALL"], "{name}");
    }
}

#[test]
fn the_image_of_development_has_what_the_system_needs_and_is_not_the_last_stage() {
    let dockerfile = project::read("Dockerfile");
    let target = own()["simulator"]["build"]["target"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(dockerfile.contains(&format!(" AS {target}\n")), "{target}");
    let build = dockerfile
        .lines()
        .find(|line| line.contains("cargo build"))
        .unwrap();
    assert!(!build.contains("--no-default-features"), "{build}");
    let last = dockerfile.rfind("\nFROM ").unwrap();
    assert!(
        !dockerfile[last + 1..]
            .lines()
            .next()
            .unwrap()
            .contains(&target)
    );
}
