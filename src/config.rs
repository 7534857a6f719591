//! The configuration: one struct a section, every error of a file reported at once.
//!
//! Values come from flags, `LOOKUP_GITLAB_SYNC__SECTION__KEY`, the usual variables such as
//! `GITLAB_URL`, a TOML file and the defaults, in this order. The code that reads a section is the
//! only list of its keys: a key that nothing reads is unknown.

mod authority;
mod calls;
mod database_url;
mod directory;
mod effective;
mod encoding;
mod environment;
mod error;
mod gitlab;
mod guard;
mod known_keys;
mod log;
mod namespaces;
mod origin;
mod pubsub;
mod reader;
mod requirement;
mod secret;
mod source;
mod stages;
mod suggest;
mod users;
mod values;

pub use self::{
    authority::CertificateAuthority,
    calls::CallsConfig,
    database_url::database_url_objection,
    directory::{ControlsConfig, DirectoryConfig, LookupConfig, LookupCredentials},
    effective::EffectiveSetting,
    encoding::objection,
    environment::Environment,
    error::{ConfigError, ConfigErrors},
    gitlab::GitLabConfig,
    guard::GuardConfig,
    log::{LogConfig, LogFormat},
    namespaces::{
        ADD_ONS, DatabaseConfig, DatabaseLimits, MigrationMode, NamespacesConfig, PLAN_CODES,
        TlsMode,
    },
    origin::ValueOrigin,
    pubsub::{ACK_DEADLINE, PubSubConfig},
    requirement::Requirement,
    secret::{Secret, SecretFileError},
    source::Sources,
    stages::{FanOutConfig, FanOutMessages, ServeConfig, SweepConfig, SweepKind, WorkerConfig},
    users::{IdentityPattern, UsersConfig},
};

use clap::ValueEnum;

use self::{
    known_keys::KnownKeys,
    reader::ConfigReader,
    requirement::SectionResult,
    source::MergedSources,
    values::{HostNameList, WordChoice},
};

/// Whether this process may change GitLab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Decide and say, write nothing. The default.
    #[default]
    DryRun,
    /// Apply what is decided.
    Apply,
}

/// Everything that can be configured.
///
/// The type says which sections a command requires: `Config<GitLabConfig, DirectoryConfig,
/// Option<PubSubConfig>>` loads where no project is set, and cannot be passed to code that requires
/// one.
#[derive(Clone, Debug)]
pub struct Config<G = GitLabConfig, D = DirectoryConfig, P = PubSubConfig> {
    /// `mode`
    pub mode: Mode,
    /// `insecure_hosts`: hosts that plain `http://` may go to, in lower case.
    pub insecure_hosts: Vec<String>,
    /// `[gitlab]`
    pub gitlab: G,
    /// `[directory]`
    pub directory: D,
    /// `[directory.controls]`
    pub controls: ControlsConfig,
    /// `[pubsub]`
    pub pubsub: P,
    /// `[users]`
    pub users: UsersConfig,
    /// `[guard]`
    pub guard: GuardConfig,
    /// `[fan_out]`
    pub fan_out: FanOutConfig,
    /// `[sweep]`
    pub sweep: SweepConfig,
    /// `[worker]`
    pub worker: WorkerConfig,
    /// `[namespaces]`
    pub namespaces: NamespacesConfig,
    /// `[serve]`
    pub serve: ServeConfig,
    /// `[log]`
    pub log: LogConfig,
}

/// Needs GitLab and the directory: `plan`, `explain`.
pub type ReadingConfig = Config<GitLabConfig, DirectoryConfig, Option<PubSubConfig>>;

/// Needs GitLab: `history`.
pub type HistoryConfig = Config<GitLabConfig, Option<DirectoryConfig>, Option<PubSubConfig>>;

/// Needs Pub/Sub: `tick`, `resync`, `topology`, `dead-letters`.
pub type MessagingConfig = Config<Option<GitLabConfig>, Option<DirectoryConfig>, PubSubConfig>;

/// Needs nothing: `config show`.
pub type AnyConfig = Config<Option<GitLabConfig>, Option<DirectoryConfig>, Option<PubSubConfig>>;

/// A configuration, and where each of its values came from.
#[derive(Clone, Debug)]
pub struct LoadedConfig<C = Config> {
    /// The configuration.
    pub config: C,
    /// Every key with its effective value, secrets redacted, in the order of the sections.
    pub settings: Vec<EffectiveSetting>,
}

impl<G, D, P> Config<G, D, P>
where
    G: Requirement<GitLabConfig>,
    D: Requirement<DirectoryConfig>,
    P: Requirement<PubSubConfig>,
{
    /// Reads and checks everything.
    ///
    /// # Errors
    /// Every error at once, none of which repeats a secret.
    pub fn load(given: &Sources) -> Result<LoadedConfig<Self>, ConfigErrors> {
        let schema = KnownKeys::new(keys());
        let sources = MergedSources::collect(given, &schema);
        let mut reader = ConfigReader::new(&sources);
        let mut missing = Vec::new();
        let config = Self::read(&mut reader, &mut missing);
        let ConfigReader {
            settings,
            errors: wrong,
            ..
        } = reader;
        let missing = missing.into_iter().filter(|_| sources.file_is_read);
        let mistakes: Vec<_> = sources
            .mistakes
            .iter()
            .cloned()
            .chain(wrong)
            .chain(missing)
            .collect();
        ConfigErrors::check(mistakes)?;
        match config {
            Some(config) => Ok(LoadedConfig { config, settings }),
            None => Err(ConfigErrors::incomplete()),
        }
    }

    fn read(reader: &mut ConfigReader<'_>, missing: &mut Vec<ConfigError>) -> Option<Self> {
        let mode = reader.value_or("mode", &WordChoice::<Mode>::new(), Mode::default());
        let insecure_hosts = reader.value_or("insecure_hosts", &HostNameList, Vec::new());
        let pubsub = found(reader, PubSubConfig::read).settle(missing);
        let gitlab = found(reader, GitLabConfig::read).settle(missing);
        let directory = found(reader, DirectoryConfig::read).settle(missing);
        let controls = ControlsConfig::read(reader);
        let users = UsersConfig {
            control_people: controls.people().collect(),
            ..UsersConfig::read(reader)
        };
        let guard = GuardConfig::read(reader);
        let fan_out = FanOutConfig::read(reader);
        let sweep = SweepConfig::read(reader);
        let worker = WorkerConfig::read(reader);
        let namespaces = NamespacesConfig::read(reader);
        let serve = ServeConfig::read(reader);
        let log = LogConfig::read(reader);
        Some(Self {
            mode,
            insecure_hosts,
            gitlab: gitlab?,
            directory: directory?,
            controls,
            pubsub: pubsub?,
            users,
            guard,
            fan_out,
            sweep,
            worker,
            namespaces,
            serve,
            log,
        })
    }
}

fn found<T>(
    reader: &mut ConfigReader<'_>,
    read: impl FnOnce(&mut ConfigReader<'_>) -> Option<T>,
) -> SectionResult<T> {
    let value = read(reader);
    SectionResult {
        value,
        missing: std::mem::take(&mut reader.missing),
    }
}

/// Every key: those that are read where no source gives anything.
fn keys() -> impl Iterator<Item = String> {
    let nothing = MergedSources::nothing();
    let mut reader = ConfigReader::new(&nothing);
    AnyConfig::read(&mut reader, &mut Vec::new());
    reader.settings.into_iter().map(|setting| setting.key)
}

/// Every key with its default, in the order of the sections; `None` where there is none.
pub fn defaults() -> Vec<(String, Option<serde_json::Value>)> {
    let nothing = MergedSources::nothing();
    let mut reader = ConfigReader::new(&nothing);
    AnyConfig::read(&mut reader, &mut Vec::new());
    reader
        .settings
        .into_iter()
        .map(|setting| (setting.key, setting.value))
        .collect()
}

/// The names of the usual variables, such as `GITLAB_URL`.
pub fn usual_variables() -> impl Iterator<Item = &'static str> {
    source::USUAL_VARIABLES.into_iter().map(|(name, _)| name)
}
