//! The example file is true.

use super::*;

/// The example with the lines of its defaults made real, except those of `left_out`.
fn example(left_out: &[&str]) -> String {
    let text = include_str!("../../../lookup-gitlab-sync.example.toml");
    let lines = text.lines().map(|line| match key_line(line) {
        Some(key) if !left_out.contains(&key) => line.trim_start_matches('#'),
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The key of a line such as `#floor = 10`.
fn key_line(line: &str) -> Option<&str> {
    let (key, _) = line.strip_prefix('#')?.split_once(" = ")?;
    (!key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')).then_some(key)
}

#[rstest]
#[case::gateway_and_texts(&["endpoint", "ca_file", "token_file", "read_token_file", "client_secret_file", "username", "password", "password_file", "portal_token_file", "ledger_database_url_file", "provisioning_database_url_file"])]
#[case::group_and_texts(&["emulator_host", "ca_file", "token_file", "read_token_file", "token_url", "client_id", "client_secret", "client_secret_file", "password_file", "portal_token_file", "ledger_database_url_file", "provisioning_database_url_file"])]
fn the_example_loads_with_every_line_made_real(#[case] left_out: &[&str]) {
    let loaded = Start::new()
        .file(example(left_out))
        .load()
        .unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let defaults = config::defaults();
    assert_eq!(loaded.settings.len(), defaults.len());
    for (setting, (key, default)) in loaded.settings.iter().zip(defaults) {
        assert_eq!(setting.key, key);
        let name = key.rsplit('.').next().unwrap();
        assert_eq!(
            setting.origin == ValueOrigin::Default,
            left_out.contains(&name),
            "{key} is in the example"
        );
        if default.is_some() {
            assert_eq!(
                setting.value, default,
                "{key} has its true default in the example"
            );
        }
    }
}

#[test]
fn the_example_as_it_is_changes_nothing() {
    let start = Start::complete().file(include_str!("../../../lookup-gitlab-sync.example.toml"));
    let plain = Start::complete().load().unwrap().settings;
    assert_eq!(start.load().unwrap().settings, plain);
}

#[test]
fn the_example_names_each_key_once_and_each_usual_variable() {
    let text = include_str!("../../../lookup-gitlab-sync.example.toml");
    let lines = text.lines().filter_map(key_line).count();
    assert_eq!(lines, config::defaults().len());
    for name in config::usual_variables() {
        assert!(text.contains(name), "{name}");
    }
}
