//! Mistakes are told at once, with the remedy.

use super::*;

#[test]
fn all_that_is_missing_is_told_at_once_with_the_remedy() {
    insta::assert_snapshot!(Start::new().report());
}

#[test]
fn every_mistake_of_a_file_is_told_at_once() {
    let start = Start::new().file(include_str!("many_mistakes.toml"));
    let variables = [
        ("GITLAB_TOKEN_FILE", "/nowhere/token"),
        ("LOOKUP_GITLAB_SYNC__GUARD__FLOR", "1"),
        ("LOOKUP_GITLAB_SYNC_MODE", "apply"),
        ("LOOKUP_GITLAB_SYNC_SERVICE_HOST", "10.0.0.1"),
        ("PORT", "http"),
    ];
    let mut start = start.environment(&variables);
    start
        .given
        .flags
        .push(("log.level", "--log-level", "loud".to_owned()));
    insta::assert_snapshot!(start.report());
}

#[test]
fn a_value_of_every_wrong_type_is_told_for_every_key() {
    let wrong = [
        "[1, 'x']",
        "{ a = 1 }",
        "nan",
        "-1",
        "inf",
        "1979-05-27",
        "''",
        "\"\\u0000\"",
        "true",
        "9223372036854775807",
    ];
    for (key, _) in config::defaults() {
        for value in wrong {
            let text = format!("{key} = {value}");
            let start = Start::complete().environment(&[]).file(&text);
            let told = match AnyConfig::load(&start.given) {
                Ok(_) => false,
                Err(mistakes) => mistakes.iter().any(|mistake| mistake.key.starts_with(&key)),
            };
            let right = fits(&key, value);
            assert_eq!(told, !right, "{text}");
        }
    }
}

/// The few of the wrong values above that are right for a key.
fn fits(key: &str, value: &str) -> bool {
    match value {
        "''" => key == "pubsub.prefix",
        "true" => matches!(
            key,
            "users.exempt_administrators" | "guard.allow_everything"
        ),
        _ => false,
    }
}

#[rstest]
#[case::not_toml("mode = ", "the file is not TOML: line 1, column 8")]
#[case::secret_in_a_broken_line("[gitlab]\ntoken = \"hush-secret", "the file is not TOML: line 2")]
#[case::twice("mode = 'apply'\nmode = 'dry-run'", "the file is not TOML: line 2")]
#[case::section_twice("[gitlab]\n[gitlab]", "the file is not TOML: line 2")]
#[case::nul("\0", "the file is not TOML")]
fn a_file_that_is_not_toml_is_told_by_place_alone(#[case] text: &str, #[case] said: &str) {
    let report = Start::complete().file(text).report();
    assert!(report.contains(said), "{report}");
    assert!(!report.contains("hush-secret"), "{report}");
}

#[test]
fn a_file_that_is_not_utf8_is_told_by_place() {
    let report = Start::complete().file(b"mode = '\xff'").report();
    assert!(
        report.contains("the file is not UTF-8 from byte 8 on"),
        "{report}"
    );
}

#[test]
fn of_an_unreadable_file_nothing_is_said_to_be_missing() {
    let report = Start::new().file("=").report();
    assert!(!report.contains("is missing"), "{report}");
}

#[test]
fn a_file_that_never_ends_is_not_read_to_its_end() {
    let mut start = Start::complete();
    start.given.file = Some("/dev/zero".into());
    assert!(start.report().contains("is larger than 1048576 bytes"));
}

#[test]
fn an_own_variable_that_replaces_a_section_cannot_hide_the_file() {
    let start = Start::complete()
        .file("[gitlab.calls]\nconcurrency = 3")
        .variable("LOOKUP_GITLAB_SYNC__GITLAB", "x");
    let report = start.report();
    assert!(
        report.contains("LOOKUP_GITLAB_SYNC__GITLAB is an unknown variable"),
        "{report}"
    );
    assert!(!report.contains("concurrency"), "{report}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_told_without_its_value() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    let mut start = Start::new();
    let broken = (
        OsString::from("GITLAB_TOKEN"),
        OsString::from_vec(b"hush\xff".to_vec()),
    );
    let others = COMPLETE
        .into_iter()
        .skip(2)
        .map(|(name, value)| (name.into(), value.into()));
    start.given.environment = others.chain([broken]).collect();
    let report = start.report();
    assert!(
        report.contains("gitlab.token is not UTF-8 (environment variable GITLAB_TOKEN)"),
        "{report}"
    );
    assert!(!report.contains("hush"));
}

#[rstest]
#[case::all_blocks(
    "max_block_percent = 100",
    "guard.max_block_percent switches the guard off"
)]
#[case::all_unblocks(
    "max_unblock_percent = 100.0",
    "guard.max_unblock_percent switches the guard off"
)]
#[case::high_floor("floor = 1001", "guard.floor switches the guard off")]
#[case::nobody_known(
    "min_known_percent = 0",
    "guard.min_known_percent switches the guard off"
)]
fn a_guard_is_not_off_by_accident(#[case] line: &str, #[case] said: &str) {
    let report = Start::complete().file(format!("[guard]\n{line}")).report();
    assert!(report.contains(said), "{report}");
    let meant = Start::complete().file(format!("[guard]\nallow_everything = true\n{line}"));
    assert!(meant.load().is_ok());
}

#[rstest]
#[case(
    "[gitlab.calls]\ntimeout = '31s'\nread_attempts = 2",
    "gitlab.calls.timeout times gitlab.calls.read_attempts is longer"
)]
#[case(
    "[directory.calls]\nread_attempts = 7",
    "directory.calls.timeout times directory.calls.read_attempts is longer"
)]
#[case(
    "[serve]\ngrace = '10s'",
    "serve.grace is 10s; allowed: a time from 0s to 9s"
)]
fn deadlines_fit_into_each_other(#[case] file: &str, #[case] said: &str) {
    let report = Start::complete().file(file).report();
    assert!(report.contains(said), "{report}");
}

/// A generic list of settings, such as a Terraform module has, must not lead the credentials to
/// another host than the one that the module's own variable names.
#[rstest]
#[case(
    "GITLAB_URL",
    "GITLAB__URL",
    "https://other.example.ac.uk",
    "gitlab.url"
)]
#[case(
    "LOOKUP_URL",
    "DIRECTORY__URL",
    "https://other.example.ac.uk",
    "directory.url"
)]
#[case(
    "LOOKUP_USERNAME",
    "DIRECTORY__USERNAME",
    "other",
    "directory.username"
)]
#[case("GOOGLE_CLOUD_PROJECT", "PUBSUB__PROJECT", "other", "pubsub.project")]
fn two_variables_that_say_whom_to_call_must_not_differ(
    #[case] usual: &str,
    #[case] own: &str,
    #[case] value: &str,
    #[case] key: &str,
) {
    let own = format!("LOOKUP_GITLAB_SYNC__{own}");
    let report = Start::complete().variable(&own, value).report();
    let said = format!("{key} differs from what {usual} says");
    assert!(report.contains(&said) && report.contains(&own), "{report}");
    assert!(!report.contains(value), "{report}");
    let (_, same) = COMPLETE
        .into_iter()
        .find(|(name, _)| *name == usual)
        .unwrap();
    assert!(Start::complete().variable(&own, same).load().is_ok());
    let mut alone: Vec<_> = COMPLETE.to_vec();
    alone.retain(|(name, _)| *name != usual);
    alone.push((&own, value));
    assert!(Start::new().environment(&alone).load().is_ok());
}
