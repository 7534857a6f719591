//! What a configuration may be, and what a person is told of one that may not.

mod commands;
mod controls;
mod example;
mod insecure_hosts;
mod mistakes;
mod secrets;

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
