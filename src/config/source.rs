//! The sources of values: file, environment, flags. Each merged value keeps its origin.

use std::{fs, io::Read, path::Path, path::PathBuf};

use figment2::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    util::nest,
    value::{Dict, Map, Value},
};

use super::{
    encoding::objection, environment::Environment, error::ConfigError, known_keys::KnownKeys,
    origin::ValueOrigin,
};

/// The inputs of one start of the program.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named by `--config`.
    pub file: Option<PathBuf>,
    /// Values given by flags: key, flag, text.
    pub flags: Vec<(&'static str, &'static str, String)>,
    /// The environment.
    pub environment: Environment,
    /// Where `lookup-gitlab-sync.toml` is looked for, if no other file is named; nowhere if `None`.
    pub directory: Option<PathBuf>,
}

/// The variable that names the file.
const FILE_VARIABLE: &str = "LOOKUP_GITLAB_SYNC_CONFIG";
/// The file that is read when it is there and no other is named.
const USUAL_FILE: &str = "lookup-gitlab-sync.toml";
/// What our own variables begin with.
pub(super) const OWN_PREFIX: &str = "LOOKUP_GITLAB_SYNC__";
/// No valid configuration or secret is larger.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The variables people and platforms set anyway, and the key of each.
pub(super) const USUAL_VARIABLES: [(&str, &str); 25] = [
    ("GITLAB_URL", "gitlab.url"),
    ("GITLAB_TOKEN", "gitlab.token"),
    ("GITLAB_TOKEN_FILE", "gitlab.token_file"),
    ("GITLAB_READ_TOKEN", "gitlab.read_token"),
    ("GITLAB_READ_TOKEN_FILE", "gitlab.read_token_file"),
    ("LOOKUP_URL", "directory.url"),
    ("LOOKUP_TOKEN_URL", "directory.token_url"),
    ("LOOKUP_CLIENT_ID", "directory.client_id"),
    ("LOOKUP_CLIENT_SECRET", "directory.client_secret"),
    ("LOOKUP_CLIENT_SECRET_FILE", "directory.client_secret_file"),
    ("LOOKUP_USERNAME", "directory.username"),
    ("LOOKUP_PASSWORD", "directory.password"),
    ("LOOKUP_PASSWORD_FILE", "directory.password_file"),
    ("GOOGLE_CLOUD_PROJECT", "pubsub.project"),
    ("PUBSUB_EMULATOR_HOST", "pubsub.emulator_host"),
    // The weaker name of two stands first: what comes later wins.
    ("DATABASE_URL", "namespaces.ledger_database_url"),
    ("DATABASE_URL", "namespaces.provisioning_database_url"),
    ("LEDGER_DATABASE_URL", "namespaces.ledger_database_url"),
    (
        "PROVISIONING_DATABASE_URL",
        "namespaces.provisioning_database_url",
    ),
    ("PORTAL_URL", "namespaces.portal_url"),
    ("PORTAL_SIGNING_KEY_FILE", "namespaces.signing_key_file"),
    ("PORTAL_TOKEN", "namespaces.portal_token"),
    ("PORT", "serve.port"),
    ("HEALTH_PORT", "serve.health_port"),
    ("LOG_LEVEL", "log.level"),
];

/// All sources merged: flag over own variable over usual variable over file.
pub(super) struct MergedSources {
    merged: Figment,
    /// Errors of the sources themselves: unreadable, unknown keys.
    pub mistakes: Vec<ConfigError>,
    /// Whether the file was read. If it was not, nobody knows which keys are missing.
    pub file_is_read: bool,
}

impl MergedSources {
    /// Nothing given.
    pub(super) fn nothing() -> Self {
        Self {
            merged: Figment::new(),
            mistakes: Vec::new(),
            file_is_read: true,
        }
    }

    /// Reads the file and the environment, and checks both against the known keys.
    pub(super) fn collect(given: &Sources, schema: &KnownKeys) -> Self {
        let mut sources = Self::nothing();
        sources.add_file(given, schema);
        sources.add_usual_variables(&given.environment);
        sources.add_own_variables(&given.environment, schema);
        for (key, flag, text) in &given.flags {
            sources.add_text(key, text, ValueOrigin::Flag((*flag).to_owned()));
        }
        sources
    }

    /// The value that wins for `key`, and where it came from.
    pub(super) fn find(&self, key: &str) -> Option<(Value, ValueOrigin)> {
        let value = self.merged.find_value(key).ok()?;
        let origin = ValueOrigin::from_metadata(self.merged.get_metadata(value.tag()));
        Some((value, origin))
    }

    fn add(&mut self, values: Dict, origin: ValueOrigin) {
        let merged = std::mem::take(&mut self.merged);
        self.merged = merged.merge(SourceLayer { values, origin });
    }

    /// `key` is a known one: `nest` takes a number in a key for the length of a list.
    fn add_text(&mut self, key: &str, text: &str, origin: ValueOrigin) {
        if let Value::Dict(_, values) = nest(key, Value::from(text)) {
            self.add(values, origin);
        }
    }

    fn add_file(&mut self, given: &Sources, schema: &KnownKeys) {
        let Some(path) = file_of(given) else { return };
        let origin = ValueOrigin::File(path.display().to_string());
        let parsed = read_bounded(&path).and_then(|text| parse(&text));
        match parsed {
            Ok(mut values) => {
                self.mistakes.extend(schema.prune(&mut values, &origin));
                self.add(values, origin);
            }
            Err(problem) => {
                self.file_is_read = false;
                self.mistakes
                    .push(ConfigError::at("the file", origin, problem));
            }
        }
    }

    /// An empty variable counts as not set, as in the programs that these names come from.
    fn add_usual_variables(&mut self, environment: &Environment) {
        for (name, key) in USUAL_VARIABLES {
            let origin = ValueOrigin::UsualVariable(name.to_owned());
            match environment.iter().find(|(set, _)| *set == name) {
                None | Some((_, Some(""))) => {}
                Some((_, Some(text))) => self.add_text(key, text, origin),
                Some((_, None)) => self.mistakes.push(ConfigError::at(key, origin, NOT_UTF8)),
            }
        }
    }

    fn add_own_variables(&mut self, environment: &Environment, schema: &KnownKeys) {
        for (name, value) in environment.iter() {
            let origin = ValueOrigin::OwnVariable(name.to_owned());
            match (schema.key_of_variable(name), value) {
                (None, _) => {}
                (Some(Err(problem)), _) => {
                    self.mistakes.push(ConfigError::at(name, origin, problem));
                }
                (Some(Ok(key)), Some(text)) => {
                    self.mistakes
                        .extend(contradiction(environment, key, text, &origin));
                    self.add_text(key, text, origin);
                }
                (Some(Ok(key)), None) => self.mistakes.push(ConfigError::at(key, origin, NOT_UTF8)),
            }
        }
    }
}

/// Keys that say whom to call, and as whom. Whoever sets one of them twice and differently has
/// forgotten one of the two, and the credentials would go where they do not look.
const NOT_TWICE: [&str; 8] = [
    "gitlab.url",
    "directory.url",
    "directory.token_url",
    "directory.client_id",
    "directory.username",
    "pubsub.project",
    "pubsub.emulator_host",
    "namespaces.portal_url",
];

/// The error where the usual variable of `key` says otherwise than our own one, whose text and
/// origin these are.
fn contradiction(
    environment: &Environment,
    key: &str,
    text: &str,
    origin: &ValueOrigin,
) -> Option<ConfigError> {
    let usual = USUAL_VARIABLES.iter().filter(|(_, of)| *of == key);
    let (other, _) = usual
        .filter(|(_, key)| NOT_TWICE.contains(key))
        .find(|(name, _)| {
            let value = environment.get(name);
            value.is_some_and(|value| !value.is_empty() && value != text)
        })?;
    let problem = format!(
        "differs from what {other} says, which is set too; allowed: one of the two variables, or the same value in both"
    );
    Some(ConfigError::at(key, origin.clone(), problem))
}

const NOT_UTF8: &str = "is not UTF-8";

/// One source, as figment takes it.
struct SourceLayer {
    values: Dict,
    origin: ValueOrigin,
}

impl Provider for SourceLayer {
    fn metadata(&self) -> Metadata {
        self.origin.to_metadata()
    }

    fn data(&self) -> figment2::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn file_of(given: &Sources) -> Option<PathBuf> {
    let named = given.file.clone();
    let by_variable = || {
        let name = given.environment.get(FILE_VARIABLE)?;
        (!name.is_empty()).then(|| PathBuf::from(name))
    };
    let usual = || {
        let path = given.directory.as_ref()?.join(USUAL_FILE);
        path.exists().then_some(path)
    };
    named.or_else(by_variable).or_else(usual)
}

/// The text of a file. The error does not contain the text.
pub(super) fn read_bounded(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("is larger than {MAX_FILE_BYTES} bytes"));
    }
    if let Some(objection) = objection(&bytes) {
        return Err(objection.to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        format!(
            "is not UTF-8 from byte {} on",
            error.utf8_error().valid_up_to()
        )
    })
}

/// The error's own text would show the line, and with it perhaps a secret.
fn parse(text: &str) -> Result<Dict, String> {
    Toml::from_str::<Dict>(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("is not TOML: line {line}, column {column}")
    })
}
