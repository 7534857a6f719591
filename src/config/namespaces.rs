//! `[namespaces]`

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;
use secrecy::ExposeSecret;
use url::Url;

use super::{
    calls::CallsConfig,
    database_url::{DATABASE, database_url_objection},
    error::{ConfigError, ConfigErrors},
    reader::{ConfigReader, missing_key},
    secret::Secret,
    values::{
        CertificateAuthorityFile, DurationRange, HttpUrl, Integer, SECRET, StringList, TextValue,
        WordChoice,
    },
};

/// The namespace pipeline. Each stage asks for what it needs; nothing here is needed where no such
/// stage runs.
#[derive(Clone, Debug)]
pub struct NamespacesConfig {
    /// The portal's address and the issuer of its tokens. Where it is set, the pipeline's topic is
    /// wanted.
    pub portal_url: Option<Url>,
    /// What a client of the portal shows.
    portal_token: Option<Secret>,
    /// The private key that signs, PEM.
    signing_key_file: Option<PathBuf>,
    /// Keys that are published and do not sign, PEM, private or public: the next one, and the last
    /// one.
    pub published_key_files: Vec<PathBuf>,
    /// Base address of what provisions; GitLab's own unless set.
    provisioning_url: Option<Url>,
    /// Whom the Google identity tokens of provisioning calls are for; without it none is sent.
    pub identity_audience: Option<String>,
    /// Plans that this GitLab has, by their codes.
    pub plan_codes: Vec<String>,
    /// Add-ons that this GitLab's endpoint carries out, by their names in a document.
    pub add_ons: Vec<String>,
    /// Messages that a worker handles at once. 8.
    pub concurrency: u32,
    /// How long a provisioning call may go on after the worker that made it has gone. 2 min.
    pub settle: Duration,
    ledger_database_url: Option<Secret>,
    provisioning_database_url: Option<Secret>,
    /// Whose the provisioning tables are.
    pub migrations: MigrationMode,
    limits: DatabaseLimits,
    /// `[namespaces.calls]`
    pub calls: CallsConfig,
}

/// One database and how it is used.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// `postgres://user:password@host:port/name`; read again where it stands in a file.
    pub url: Secret,
    /// The rest.
    pub limits: DatabaseLimits,
}

/// How a database is used.
#[derive(Clone, Debug)]
pub struct DatabaseLimits {
    /// Connections at once, at most. 10.
    pub max_connections: u32,
    /// Wait for a connection, opening one included, at most. 5 s.
    pub acquire_timeout: Duration,
    /// One statement, at most. 15 s.
    pub statement_timeout: Duration,
    /// Wait for one lock, at most. 10 s.
    pub lock_timeout: Duration,
    /// Encryption; `None` leaves it to the address.
    pub tls: Option<TlsMode>,
    /// Certificate authority of the server, PEM.
    pub ca_certificate_file: Option<PathBuf>,
}

/// How connections are encrypted; `PostgreSQL`'s own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TlsMode {
    /// Never.
    Disable,
    /// Where the server offers it; no protection against an active attacker.
    Prefer,
    /// Always, whoever the server is.
    Require,
    /// And its certificate is signed by the authority.
    VerifyCa,
    /// And names the host.
    VerifyFull,
}

/// Whose tables these are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MigrationMode {
    /// Ours: create and update them at the start.
    #[default]
    On,
    /// GitLab's: create nothing, connect when first needed.
    Off,
    /// GitLab's: create nothing, and refuse to start when a column is missing.
    Verify,
}

const LEDGER: &str = "namespaces.ledger_database_url";
const PROVISIONING: &str = "namespaces.provisioning_database_url";
const AUDIENCE: TextValue = TextValue {
    allowed: "the address of a Cloud Run service, or a custom audience of it: at most 500 printable ASCII characters without spaces",
    accepts: |text| {
        (1..=500).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    },
};
const SIGNING_KEY: &str = "the name of a file with an RSA private key, PEM";

/// The plans of GitLab 18.9.
pub const PLAN_CODES: [&str; 12] = [
    "default",
    "free",
    "bronze",
    "silver",
    "premium",
    "gold",
    "ultimate",
    "ultimate_trial",
    "premium_trial",
    "ultimate_trial_paid_customer",
    "opensource",
    "early_adopter",
];

/// The add-ons that the endpoint of GitLab 18.9 carries out; it drops every other name and answers
/// 200.
pub const ADD_ONS: [&str; 4] = ["duo_core", "duo_pro", "duo_enterprise", "product_analytics"];

/// A call waits for its turn at the provisioning side, and is never repeated in place.
const CALLS: CallsConfig = CallsConfig {
    timeout: Duration::from_secs(30),
    concurrency: 8,
    requests_per_minute: None,
    read_attempts: 1,
    max_response_bytes: 1 << 20,
    authority: None,
};

impl NamespacesConfig {
    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Self {
        let (portal, api) = (
            reader.api_address(None),
            reader.api_address(Some("/api/v4")),
        );
        let time = DurationRange(Duration::from_secs(1)..=Duration::from_mins(15));
        let gitlab = reader.peek("gitlab.url", &api);
        let own_authority = reader.optional("namespaces.ca_file", &CertificateAuthorityFile);
        // What provisions is a GitLab, or one's own service beside it.
        let gitlabs = reader.peek("gitlab.ca_file", &CertificateAuthorityFile);
        Self {
            portal_url: reader.optional("namespaces.portal_url", &portal),
            portal_token: reader.secret("namespaces.portal_token"),
            signing_key_file: reader
                .optional("namespaces.signing_key_file", &TextValue::ANY)
                .map(PathBuf::from),
            published_key_files: reader
                .value_or("namespaces.published_key_files", &StringList, Vec::new())
                .into_iter()
                .map(PathBuf::from)
                .collect(),
            provisioning_url: reader
                .optional("namespaces.provisioning_url", &api)
                .or(gitlab),
            identity_audience: reader.optional("namespaces.identity_audience", &AUDIENCE),
            plan_codes: names(reader, "namespaces.plan_codes", &PLAN_CODES),
            add_ons: names(reader, "namespaces.add_ons", &ADD_ONS),
            concurrency: reader.value_or("namespaces.concurrency", &Integer(1..=1_000), 8),
            settle: reader.value_or("namespaces.settle", &time, Duration::from_mins(2)),
            ledger_database_url: address(reader, LEDGER),
            provisioning_database_url: address(reader, PROVISIONING),
            migrations: reader.value_or(
                "namespaces.migrations",
                &WordChoice::<MigrationMode>::new(),
                MigrationMode::default(),
            ),
            limits: DatabaseLimits::read(reader),
            calls: CallsConfig {
                authority: own_authority.or(gitlabs),
                ..CallsConfig::read_over(reader, "namespaces.calls", &CALLS)
            },
        }
    }

    /// Checks the worker's settings against one another.
    ///
    /// # Errors
    /// Where they conflict.
    pub fn check_worker(&self) -> Result<(), ConfigErrors> {
        let mut wrong = Vec::new();
        let connections = self.limits.max_connections;
        if self.concurrency >= connections {
            wrong.push(ConfigError::without_origin(
                "namespaces.concurrency",
                format!(
                    "is {}, and each message at work holds one of the {connections} connections of \
                     namespaces.database.max_connections; allowed: less than that, so that one is left",
                    self.concurrency
                ),
            ));
        }
        if self.settle < self.calls.timeout {
            wrong.push(ConfigError::without_origin(
                "namespaces.settle",
                format!(
                    "is {:?}, and a call may take {:?} (namespaces.calls.timeout); allowed: at least that, \
                     or a call that was cut off could overtake the next one",
                    self.settle, self.calls.timeout
                ),
            ));
        }
        ConfigErrors::check(wrong)
    }

    /// Whether this installation has the namespace pipeline.
    pub const fn are_wanted(&self) -> bool {
        self.portal_url.is_some()
    }

    /// The portal's address.
    ///
    /// # Errors
    /// When it is missing.
    pub fn issuer(&self) -> Result<&Url, ConfigErrors> {
        given(
            self.portal_url.as_ref(),
            "namespaces.portal_url",
            HttpUrl::ALLOWED,
        )
    }

    /// The token of the portal's clients.
    ///
    /// # Errors
    /// When it is missing.
    pub fn portal_token(&self) -> Result<&Secret, ConfigErrors> {
        given(
            self.portal_token.as_ref(),
            "namespaces.portal_token",
            SECRET,
        )
    }

    /// The file of the key that signs.
    ///
    /// # Errors
    /// When it is missing.
    pub fn signing_key_file(&self) -> Result<&PathBuf, ConfigErrors> {
        given(
            self.signing_key_file.as_ref(),
            "namespaces.signing_key_file",
            SIGNING_KEY,
        )
    }

    /// Where to post.
    ///
    /// # Errors
    /// When neither it nor GitLab's address is given.
    pub fn provisioning_url(&self) -> Result<&Url, ConfigErrors> {
        given(
            self.provisioning_url.as_ref(),
            "namespaces.provisioning_url",
            HttpUrl::ALLOWED,
        )
    }

    /// The ledger's database.
    ///
    /// # Errors
    /// When it is missing.
    pub fn ledger(&self) -> Result<DatabaseConfig, ConfigErrors> {
        self.database(self.ledger_database_url.as_ref(), LEDGER)
    }

    /// The database with GitLab's tables.
    ///
    /// # Errors
    /// When it is missing.
    pub fn provisioning(&self) -> Result<DatabaseConfig, ConfigErrors> {
        self.database(self.provisioning_database_url.as_ref(), PROVISIONING)
    }

    fn database(&self, url: Option<&Secret>, key: &str) -> Result<DatabaseConfig, ConfigErrors> {
        Ok(DatabaseConfig {
            url: given(url, key, DATABASE)?.clone(),
            limits: self.limits.clone(),
        })
    }
}

impl DatabaseLimits {
    fn read(reader: &mut ConfigReader<'_>) -> Self {
        let time = DurationRange(Duration::from_millis(100)..=Duration::from_mins(10));
        let seconds = Duration::from_secs;
        Self {
            max_connections: reader.value_or(
                "namespaces.database.max_connections",
                &Integer(2..=1_000),
                10,
            ),
            acquire_timeout: reader.value_or(
                "namespaces.database.acquire_timeout",
                &time,
                seconds(5),
            ),
            statement_timeout: reader.value_or(
                "namespaces.database.statement_timeout",
                &time,
                seconds(15),
            ),
            lock_timeout: reader.value_or("namespaces.database.lock_timeout", &time, seconds(10)),
            tls: reader.optional("namespaces.database.tls", &WordChoice::<TlsMode>::new()),
            ca_certificate_file: reader
                .optional("namespaces.database.ca_certificate_file", &TextValue::ANY)
                .map(PathBuf::from),
        }
    }
}

fn names(reader: &mut ConfigReader<'_>, key: &str, default: &[&str]) -> Vec<String> {
    let default = default.iter().map(|name| (*name).to_owned()).collect();
    reader.value_or(key, &StringList, default)
}

/// An address that contains a password, which no error may show.
fn address(reader: &mut ConfigReader<'_>, key: &str) -> Option<Secret> {
    let url = reader.secret(key)?;
    match database_url_objection(url.expose_secret()) {
        None => Some(url),
        Some(objection) => {
            reader.reject(key, objection);
            None
        }
    }
}

fn given<'a, T>(value: Option<&'a T>, key: &str, allowed: &str) -> Result<&'a T, ConfigErrors> {
    value.ok_or_else(|| ConfigErrors::missing(missing_key(key, allowed)))
}
