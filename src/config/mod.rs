//! What the service is told: one struct a concern, every mistake of a file reported at once.
//!
//! Values come from flags, `LOOKUP_GITLAB_SYNC__SECTION__KEY`, the usual variables such as
//! `GITLAB_URL`, a TOML file and the defaults, in this order. The code that reads a section is the
//! only list of its keys: what nothing asks for is an unknown key.

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
mod log;
mod namespaces;
mod origin;
mod pubsub;
mod reader;
mod requirement;
mod schema;
mod secret;
mod source;
mod stages;
mod suggest;
mod users;
mod values;

pub use self::{
    authority::Authority,
    calls::Calls,
    directory::{Directory, Lookup, LookupCredentials},
    effective::Setting,
    encoding::objection,
    environment::Environment,
    error::{ConfigError, ConfigErrors},
    gitlab::GitLab,
    guard::Guard,
    log::{Log, LogFormat},
    namespaces::{ADD_ONS, Database, DatabaseLimits, Migrations, Namespaces, PLAN_CODES, Tls},
    origin::Origin,
    pubsub::{ACK_DEADLINE, PubSub},
    requirement::Requirement,
    secret::{FileProblem, Secret},
    source::Sources,
    stages::{FanOut, FanOutMessages, Serve, Sweep, Worker},
    users::{IdentityPattern, Users},
};

use self::{
    reader::Reader, requirement::SectionResult, schema::Schema, source::MergedSources,
    values::Choice,
};

/// Whether this process may change GitLab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Decide and say, write nothing. The default.
    #[default]
    DryRun,
    /// Apply what is decided.
    Apply,
}

const MODES: Choice<Mode> = Choice(&[("dry-run", Mode::DryRun), ("apply", Mode::Apply)]);

/// Everything that can be configured.
///
/// A command that does without a concern says so in the type: `Config<GitLab, Directory, Option<PubSub>>`
/// loads where no project is set, and cannot be handed to what needs one.
#[derive(Clone, Debug)]
pub struct Config<G = GitLab, D = Directory, P = PubSub> {
    /// `mode`
    pub mode: Mode,
    /// `[gitlab]`
    pub gitlab: G,
    /// `[directory]`
    pub directory: D,
    /// `[pubsub]`
    pub pubsub: P,
    /// `[users]`
    pub users: Users,
    /// `[guard]`
    pub guard: Guard,
    /// `[fan_out]`
    pub fan_out: FanOut,
    /// `[sweep]`
    pub sweep: Sweep,
    /// `[worker]`
    pub worker: Worker,
    /// `[namespaces]`
    pub namespaces: Namespaces,
    /// `[serve]`
    pub serve: Serve,
    /// `[log]`
    pub log: Log,
}

/// Needs GitLab and the directory: `plan`, `explain`.
pub type ReadingConfig = Config<GitLab, Directory, Option<PubSub>>;

/// Needs Pub/Sub: `tick`, `resync`, `topology`, `dead-letters`.
pub type MessagingConfig = Config<Option<GitLab>, Option<Directory>, PubSub>;

/// Needs nothing: `config show`.
pub type AnyConfig = Config<Option<GitLab>, Option<Directory>, Option<PubSub>>;

/// A configuration, and where each of its values came from.
#[derive(Clone, Debug)]
pub struct Loaded<C = Config> {
    /// The configuration.
    pub config: C,
    /// Every key with its effective value, secrets redacted, in the order of the sections.
    pub settings: Vec<Setting>,
}

impl<G, D, P> Config<G, D, P>
where
    G: Requirement<GitLab>,
    D: Requirement<Directory>,
    P: Requirement<PubSub>,
{
    /// Reads and checks everything.
    ///
    /// # Errors
    /// With all mistakes at once, none of which repeats a secret.
    pub fn load(given: &Sources) -> Result<Loaded<Self>, ConfigErrors> {
        let schema = Schema::new(keys());
        let sources = MergedSources::collect(given, &schema);
        let mut reader = Reader::new(&sources);
        let mut missing = Vec::new();
        let config = Self::read(&mut reader, &mut missing);
        let Reader {
            settings, wrong, ..
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
            Some(config) => Ok(Loaded { config, settings }),
            None => Err(ConfigErrors::incomplete()),
        }
    }

    fn read(reader: &mut Reader<'_>, missing: &mut Vec<ConfigError>) -> Option<Self> {
        let mode = reader.value_or("mode", &MODES, Mode::default());
        let pubsub = found(reader, PubSub::read).settle(missing);
        let gitlab = found(reader, GitLab::read).settle(missing);
        let directory = found(reader, Directory::read).settle(missing);
        let users = Users::read(reader);
        let guard = Guard::read(reader);
        let fan_out = FanOut::read(reader);
        let sweep = Sweep::read(reader);
        let worker = Worker::read(reader);
        let namespaces = Namespaces::read(reader);
        let serve = Serve::read(reader);
        let log = Log::read(reader);
        Some(Self {
            mode,
            gitlab: gitlab?,
            directory: directory?,
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
    reader: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> SectionResult<T> {
    let value = read(reader);
    SectionResult {
        value,
        missing: std::mem::take(&mut reader.missing),
    }
}

/// Every key there is: what reading nothing asks for.
fn keys() -> impl Iterator<Item = String> {
    let nothing = MergedSources::nothing();
    let mut reader = Reader::new(&nothing);
    AnyConfig::read(&mut reader, &mut Vec::new());
    reader.settings.into_iter().map(|setting| setting.key)
}

/// Every key with its default, in the order of the sections; `None` where there is none.
pub fn defaults() -> Vec<(String, Option<serde_json::Value>)> {
    let nothing = MergedSources::nothing();
    let mut reader = Reader::new(&nothing);
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
