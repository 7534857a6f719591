//! What a configuration may be, and what a person is told of one that may not.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use clap::CommandFactory;

use lookup_gitlab_sync::config::{
    self, AnyConfig, Config, ConfigErrors, DirectoryConfig, Environment, FanOutMessages,
    LoadedConfig, LogFormat, LookupCredentials, MessagingConfig, Mode, ReadingConfig, Sources,
    ValueOrigin,
};
use proptest::{prop_assert, proptest};
use rstest::rstest;
use secrecy::ExposeSecret;
use tempfile::TempDir;

/// A start of the program in a directory of its own.
struct Start {
    directory: TempDir,
    given: Sources,
}

impl Start {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let given = Sources {
            directory: Some(directory.path().to_owned()),
            ..Sources::default()
        };
        Self { directory, given }
    }

    /// With everything that `serve` needs, in the usual variables.
    fn complete() -> Self {
        Self::new().environment(&COMPLETE)
    }

    fn file(self, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.directory.path().join("lookup-gitlab-sync.toml"), text).unwrap();
        self
    }

    fn environment(mut self, variables: &[(&str, &str)]) -> Self {
        self.given.environment = variables.iter().copied().collect();
        self
    }

    /// Beside the complete ones.
    fn variable(mut self, name: &str, value: &str) -> Self {
        let all = COMPLETE
            .iter()
            .copied()
            .filter(|(n, _)| *n != name)
            .chain([(name, value)]);
        self.given.environment = all.collect::<Environment>();
        self
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn load(&self) -> Result<LoadedConfig, ConfigErrors> {
        Config::load(&self.given)
    }

    /// What a person reads; the directory is another in each run.
    fn report(&self) -> String {
        let mistakes = self.load().unwrap_err().to_string();
        mistakes.replace(self.directory.path().to_str().unwrap(), "DIR")
    }
}

const COMPLETE: [(&str, &str); 6] = [
    ("GITLAB_URL", "https://gitlab.example.ac.uk"),
    ("GITLAB_TOKEN", "glpat-secret"),
    ("LOOKUP_URL", "https://lookup.example.ac.uk"),
    ("LOOKUP_USERNAME", "group"),
    ("LOOKUP_PASSWORD", "hush-secret"),
    ("GOOGLE_CLOUD_PROJECT", "example"),
];

#[test]
fn the_usual_variables_are_enough() {
    let config = Start::complete().load().unwrap().config;
    assert_eq!(config.mode, Mode::DryRun, "nobody asked for writes");
    assert_eq!(config.gitlab.url.as_str(), "https://gitlab.example.ac.uk/");
    assert_eq!(config.gitlab.token.expose_secret(), "glpat-secret");
    assert_eq!(config.pubsub.project, "example");
    let DirectoryConfig::Lookup(lookup) = config.directory else {
        panic!("lookup is the default")
    };
    assert!(
        matches!(lookup.credentials, LookupCredentials::Basic { username, .. } if username == "group")
    );
}

#[test]
fn a_file_alone_is_enough() {
    let config = Start::new()
        .file(
            r#"
            mode = "apply"
            [gitlab]
            url = "https://gitlab.example.ac.uk"
            token = "glpat-secret"
            calls = { timeout = "5s", requests_per_minute = 300 }
            [directory]
            url = "https://lookup.example.ac.uk"
            token_url = "https://lookup.example.ac.uk/token"
            client_id = "id"
            client_secret = "hush"
            [pubsub]
            project = "example"
            [users]
            identity_patterns = [{ provider = "saml", extern_uid = '^(?<crsid>\w+)@cam$', template = "{crsid}@cam" }]
            [guard]
            max_block_percent = 0
            [fan_out]
            messages = "changes"
            [log]
            format = "json"
            "#,
        )
        .load()
        .unwrap()
        .config;
    assert_eq!(config.mode, Mode::Apply);
    assert_eq!(config.gitlab.calls.timeout, Duration::from_secs(5));
    assert_eq!(config.gitlab.calls.requests_per_minute, Some(300));
    assert_eq!(
        config.users.identity_patterns[0].template.as_deref(),
        Some("{crsid}@cam")
    );
    assert_eq!(config.fan_out.messages, FanOutMessages::Changes);
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(
        config.guard.max_block_percent.abs() < f64::EPSILON,
        "no blocks at all is a guard, not an accident"
    );
    let DirectoryConfig::Lookup(lookup) = config.directory else {
        panic!("lookup is the default")
    };
    assert!(matches!(
        lookup.credentials,
        LookupCredentials::Gateway { scope: None, .. }
    ));
}

#[rstest]
#[case::default(None, None, None, None, "info")]
#[case::file(Some("error"), None, None, None, "error")]
#[case::usual(Some("error"), Some("warn"), None, None, "warn")]
#[case::own(Some("error"), Some("warn"), Some("debug"), None, "debug")]
#[case::flag(Some("error"), Some("warn"), Some("debug"), Some("trace"), "trace")]
#[case::empty_usual(Some("error"), Some(""), None, None, "error")]
fn the_stronger_source_wins(
    #[case] file: Option<&str>,
    #[case] usual: Option<&str>,
    #[case] own: Option<&str>,
    #[case] flag: Option<&str>,
    #[case] level: &str,
) {
    let mut start = Start::new();
    if let Some(file) = file {
        start = start.file(format!("[log]\nlevel = '{file}'"));
    }
    let usual = usual.map(|usual| ("LOG_LEVEL", usual));
    let own = own.map(|own| ("LOOKUP_GITLAB_SYNC__LOG__LEVEL", own));
    let variables: Vec<_> = COMPLETE.into_iter().chain(usual).chain(own).collect();
    start = start.environment(&variables);
    start
        .given
        .flags
        .extend(flag.map(|flag| ("log.level", "--log-level", flag.to_owned())));
    let loaded = start.load().unwrap();
    assert_eq!(loaded.config.log.level, level);
    let setting = loaded
        .settings
        .iter()
        .find(|setting| setting.key == "log.level")
        .unwrap();
    let origin = match level {
        "info" => ValueOrigin::Default,
        "error" => ValueOrigin::File(start.path("lookup-gitlab-sync.toml")),
        "warn" => ValueOrigin::UsualVariable("LOG_LEVEL".to_owned()),
        "debug" => ValueOrigin::OwnVariable("LOOKUP_GITLAB_SYNC__LOG__LEVEL".to_owned()),
        _ => ValueOrigin::Flag("--log-level".to_owned()),
    };
    assert_eq!(setting.origin, origin);
}

#[test]
fn the_environment_says_values_of_every_type() {
    let mut start = Start::complete();
    let own = [
        ("LOOKUP_GITLAB_SYNC__MODE", "apply"),
        ("LOOKUP_GITLAB_SYNC__GITLAB__CALLS__TIMEOUT", "500ms"),
        ("LOOKUP_GITLAB_SYNC__GITLAB__TOKEN", "12345"),
        ("LOOKUP_GITLAB_SYNC__USERS__EXEMPT_ADMINISTRATORS", "true"),
        (
            "LOOKUP_GITLAB_SYNC__USERS__EXEMPT_USERNAMES",
            r#"["root", "a,b"]"#,
        ),
        (
            "LOOKUP_GITLAB_SYNC__USERS__IDENTITY_PATTERNS",
            r#"[{provider="saml",extern_uid='^(?<crsid>\w+)$'}]"#,
        ),
        ("LOOKUP_GITLAB_SYNC__GUARD__MAX_BLOCK_PERCENT", "7.5"),
        ("PORT", "0"),
    ];
    start = start.environment(&COMPLETE.into_iter().chain(own).collect::<Vec<_>>());
    let config = start.load().unwrap().config;
    assert_eq!(config.mode, Mode::Apply);
    assert_eq!(config.gitlab.calls.timeout, Duration::from_millis(500));
    assert_eq!(config.gitlab.token.expose_secret(), "12345");
    assert!(config.users.exempt_administrators);
    assert_eq!(config.users.exempt_usernames, ["root", "a,b"]);
    assert_eq!(config.users.identity_patterns[0].provider, "saml");
    assert!((config.guard.max_block_percent - 7.5).abs() < f64::EPSILON);
    assert_eq!(config.serve.port, 0);
}

#[test]
fn a_named_file_is_read_instead_of_the_usual_one() {
    let start = Start::new().file("mode = 'apply'");
    let other = start.path("other.toml");
    fs::write(&other, "mode = 'dry-run'\n[log]\nlevel = 'warn'").unwrap();
    let by_variable: Vec<_> = COMPLETE
        .into_iter()
        .chain([("LOOKUP_GITLAB_SYNC_CONFIG", other.as_str())])
        .collect();
    let mut start = start.environment(&by_variable);
    assert_eq!(start.load().unwrap().config.log.level, "warn");
    start.given.file = Some(start.path("lookup-gitlab-sync.toml").into());
    assert_eq!(
        start.load().unwrap().config.mode,
        Mode::Apply,
        "--config is stronger than the variable"
    );
    start.given.file = Some(start.path("absent.toml").into());
    let report = start.report();
    assert!(
        report.contains("the file cannot be read") && report.contains("absent.toml"),
        "{report}"
    );
}

#[test]
fn a_secret_is_read_from_a_file_and_trimmed() {
    let start = Start::new();
    let secret = start.path("token");
    fs::write(&secret, "glpat-of-file\n").unwrap();
    let variables = COMPLETE.map(|(name, value)| match name {
        "GITLAB_TOKEN" => ("GITLAB_TOKEN_FILE", secret.as_str()),
        _ => (name, value),
    });
    let start = start.environment(&variables);
    let loaded = start.load().unwrap();
    assert_eq!(loaded.config.gitlab.token.expose_secret(), "glpat-of-file");
    let token: Vec<_> = loaded
        .settings
        .iter()
        .filter(|setting| setting.key == "gitlab.token")
        .collect();
    assert_eq!(token.len(), 1);
    assert_eq!(token[0].value, Some("[redacted]".into()));
    assert_eq!(token[0].origin, ValueOrigin::File(secret));
}

#[test]
fn of_a_secret_and_a_file_with_one_the_stronger_source_wins() {
    let start = Start::new().file("[gitlab]\ntoken_file = '/nowhere'");
    let start = start.variable("GITLAB_TOKEN", "glpat-stronger");
    assert_eq!(
        start.load().unwrap().config.gitlab.token.expose_secret(),
        "glpat-stronger"
    );
    let both = Start::complete()
        .file("[gitlab]\ntoken = 'a'\ntoken_file = '/nowhere'")
        .environment(&COMPLETE[2..]);
    assert!(
        both.report()
            .contains("gitlab.token_file is given beside gitlab.token"),
        "{}",
        both.report()
    );
}

#[test]
fn a_placeholder_for_a_secret_is_overridden_like_any_other_value() {
    let start = Start::new();
    let secret = start.path("token");
    fs::write(&secret, "glpat-of-file").unwrap();
    let variables: Vec<_> = COMPLETE
        .into_iter()
        .filter(|(name, _)| *name != "GITLAB_TOKEN")
        .chain([("GITLAB_TOKEN_FILE", secret.as_str())])
        .collect();
    let by_file = start.file("[gitlab]\ntoken = ''").environment(&variables);
    assert_eq!(
        by_file.load().unwrap().config.gitlab.token.expose_secret(),
        "glpat-of-file"
    );
    let by_value = Start::complete().file("[gitlab]\ntoken_file = ''");
    assert_eq!(
        by_value.load().unwrap().config.gitlab.token.expose_secret(),
        "glpat-secret"
    );
}

#[rstest]
#[case::missing(None, "names a file that cannot be read")]
#[case::empty(Some(&b" \n"[..]), "gitlab.token is empty")]
#[case::two_lines(Some(&b"one\ntwo"[..]), "gitlab.token contains other characters")]
#[case::not_utf8(Some(&b"\xffx"[..]), "names a file that is not UTF-8 from byte 0 on")]
fn a_secret_file_without_a_usable_secret_is_a_mistake(
    #[case] content: Option<&[u8]>,
    #[case] said: &str,
) {
    let start = Start::new();
    let secret = start.path("token");
    if let Some(content) = content {
        fs::write(&secret, content).unwrap();
    }
    let variables: Vec<_> = COMPLETE
        .into_iter()
        .filter(|(name, _)| *name != "GITLAB_TOKEN")
        .chain([("GITLAB_TOKEN_FILE", secret.as_str())])
        .collect();
    let report = start.environment(&variables).report();
    assert!(report.contains(said), "{report}");
}

#[test]
fn a_command_is_asked_only_for_what_it_needs() {
    let without = |names: &[&str]| {
        let left: Vec<_> = COMPLETE
            .into_iter()
            .filter(|(name, _)| !names.contains(name))
            .collect();
        Start::new().environment(&left)
    };
    let no_project = without(&["GOOGLE_CLOUD_PROJECT"]);
    assert!(
        ReadingConfig::load(&no_project.given)
            .unwrap()
            .config
            .pubsub
            .is_none()
    );
    assert!(no_project.report().contains("pubsub.project is missing"));
    let only_project = Start::new().environment(&COMPLETE[5..]);
    assert_eq!(
        MessagingConfig::load(&only_project.given)
            .unwrap()
            .config
            .pubsub
            .project,
        "example"
    );
    let nothing = Start::new();
    assert!(
        AnyConfig::load(&nothing.given)
            .unwrap()
            .config
            .gitlab
            .is_none()
    );
}

#[test]
fn what_a_command_does_not_need_must_still_not_be_wrong() {
    let start = Start::complete().variable("PUBSUB_EMULATOR_HOST", "nowhere");
    let mistakes = ReadingConfig::load(&start.given).unwrap_err();
    assert_eq!(
        mistakes
            .iter()
            .map(|mistake| mistake.key.as_str())
            .collect::<Vec<_>>(),
        ["pubsub.emulator_host"]
    );
}

#[test]
fn all_that_is_missing_is_told_at_once_with_the_remedy() {
    insta::assert_snapshot!(Start::new().report());
}

#[test]
fn every_mistake_of_a_file_is_told_at_once() {
    let start = Start::new().file(include_str!("config/many_mistakes.toml"));
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

#[rstest]
#[case::both(&[("LOOKUP_CLIENT_ID", "id")], "directory.username is given beside credentials of the API gateway")]
#[case::half_a_gateway(&[("LOOKUP_CLIENT_ID", "id"), ("LOOKUP_USERNAME", ""), ("LOOKUP_PASSWORD", "")], "directory.client_secret is missing")]
#[case::half_a_group(&[("LOOKUP_PASSWORD", "")], "directory.password is missing")]
#[case::own_and_empty(&[("LOOKUP_GITLAB_SYNC__DIRECTORY__PASSWORD", "")], "directory.password is empty")]
#[case::file_without_path(&[("LOOKUP_GITLAB_SYNC__DIRECTORY__KIND", "file")], "directory.path is missing")]
fn the_chosen_directory_has_its_credentials(
    #[case] variables: &[(&str, &str)],
    #[case] said: &str,
) {
    let kept = COMPLETE
        .into_iter()
        .filter(|(name, _)| variables.iter().all(|(other, _)| other != name));
    let all: Vec<_> = kept.chain(variables.iter().copied()).collect();
    let report = Start::new().environment(&all).report();
    assert!(report.contains(said), "{report}");
}

#[test]
fn a_directory_in_a_file_needs_no_lookup() {
    let start = Start::new().file("[gitlab]\nurl='https://g.example'\ntoken='x'\n[directory]\nkind='file'\npath='people.jsonl'\n[pubsub]\nproject='p'");
    let config = start.load().unwrap().config;
    assert!(
        matches!(config.directory, DirectoryConfig::File(path) if path == Path::new("people.jsonl"))
    );
}

#[test]
fn no_secret_is_in_debug_or_in_what_is_shown() {
    let start =
        Start::complete().variable("LOOKUP_GITLAB_SYNC__GITLAB__TOKEN", "glpat-other-secret");
    let loaded = start.load().unwrap();
    let shown = format!("{:?} {:#?} {:?}", loaded, loaded.config, start.given);
    assert!(!shown.contains("-secret"), "{shown}");
}

proptest! {
    #[test]
    fn a_secret_in_the_wrong_place_is_never_repeated(key in 0..config::defaults().len(), own in proptest::bool::ANY) {
        let (key, _) = config::defaults().swap_remove(key);
        let secret = "glpat-\u{7f}S3cretS3cret";
        let start = if own {
            let name = format!("LOOKUP_GITLAB_SYNC__{}", key.replace('.', "__").to_uppercase());
            Start::new().environment(&[(name.as_str(), secret)])
        } else {
            Start::new().file(format!("{key} = \"glpat-\\u007fS3cretS3cret\""))
        };
        let said = match start.load() {
            Ok(loaded) => format!("{loaded:?}"),
            Err(mistakes) => format!("{mistakes} {mistakes:?}"),
        };
        prop_assert!(!said.contains("S3cret"), "{said}");
    }

    #[test]
    fn no_file_makes_the_program_panic(text in "\\PC{0,80}", bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
        let _ = Start::new().file(text).load();
        let _ = Start::new().file(bytes).load();
    }
}

/// The example with the lines of its defaults made real, except those of `left_out`.
fn example(left_out: &[&str]) -> String {
    let text = include_str!("../../lookup-gitlab-sync.example.toml");
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
    let start = Start::complete().file(include_str!("../../lookup-gitlab-sync.example.toml"));
    let plain = Start::complete().load().unwrap().settings;
    assert_eq!(start.load().unwrap().settings, plain);
}

#[test]
fn the_example_names_each_key_once_and_each_usual_variable() {
    let text = include_str!("../../lookup-gitlab-sync.example.toml");
    let lines = text.lines().filter_map(key_line).count();
    assert_eq!(lines, config::defaults().len());
    for name in config::usual_variables() {
        assert!(text.contains(name), "{name}");
    }
}

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
    assert!(text(&output.stdout).contains("all other commands need pubsub.project"));
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
