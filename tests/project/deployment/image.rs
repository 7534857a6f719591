//! The Dockerfile keeps what it promises; building and running it needs an image builder (see
//! docs/release.md).
use testkit::project;

use super::tools::Tools;

#[test]
fn the_linter_finds_nothing() {
    let Some(tools) = Tools::find() else { return };
    tools
        .hadolint(&project::root().join("Dockerfile"))
        .expect_good();
}

/// Instructions, comments and continuation lines folded away.
fn instructions() -> Vec<String> {
    project::read("Dockerfile")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("\\\n", "")
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_image_is_built_locked_as_it_is_distributed_and_without_the_simulation() {
    let builds: Vec<_> = instructions()
        .into_iter()
        .filter(|it| it.contains("cook") || it.contains("auditable build"))
        .collect();
    assert_eq!(builds.len(), 2, "{builds:?}");
    for build in builds {
        for flag in ["--locked", "--profile dist", "--no-default-features"] {
            assert!(build.contains(flag), "{flag} is missing: {build}");
        }
    }
    assert!(project::read("Cargo.toml").contains("[profile.dist]"));
}

#[test]
fn the_last_stage_holds_one_binary_and_runs_it_as_nobody() {
    let instructions = instructions();
    let last = instructions
        .iter()
        .rposition(|it| it.starts_with("FROM "))
        .unwrap();
    let stage = &instructions[last..];
    assert_eq!(stage[0], "FROM ${RUNTIME_IMAGE}");
    assert!(
        instructions
            .contains(&"ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian13:nonroot".to_owned())
    );
    let copies: Vec<_> = stage
        .iter()
        .filter(|it| it.starts_with("COPY ") || it.starts_with("ADD "))
        .collect();
    assert_eq!(
        copies,
        ["COPY --from=build /src/target/dist/lookup-gitlab-sync /usr/local/bin/lookup-gitlab-sync"]
    );
    for wanted in [
        "USER 65532:65532",
        "STOPSIGNAL SIGTERM",
        "ENTRYPOINT [\"/usr/local/bin/lookup-gitlab-sync\"]",
        "CMD [\"serve\"]",
    ] {
        assert!(stage.iter().any(|it| it == wanted), "{wanted} is missing");
    }
    assert!(
        !stage
            .iter()
            .any(|it| it.starts_with("RUN ") || it.starts_with("ENV ")),
        "no shell, nothing in the environment: {stage:?}"
    );
}

#[test]
fn nothing_that_could_be_a_secret_is_handed_to_the_build() {
    for instruction in instructions()
        .iter()
        .filter(|it| it.starts_with("ARG ") || it.starts_with("ENV ") || it.starts_with("LABEL "))
    {
        let upper = instruction.to_uppercase();
        for word in ["TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"] {
            assert!(!upper.contains(word), "{instruction}");
        }
    }
    let ignored = project::read(".dockerignore");
    assert_eq!(
        ignored.lines().find(|line| !line.starts_with('#')),
        Some("*"),
        "only what is named may enter a build"
    );
}

#[test]
fn everything_that_the_build_reads_enters_it() {
    let ignored = project::read(".dockerignore");
    for needed in ["Cargo.toml", "Cargo.lock", "src", "crates"] {
        assert!(
            project::root().join(needed).exists(),
            "{needed} is gone: name what took its place"
        );
        assert!(
            ignored.lines().any(|line| line == format!("!{needed}")),
            "{needed} does not enter the build"
        );
    }
}
