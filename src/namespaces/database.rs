//! The connections to `PostgreSQL`: how many, how long they may take, how they are encrypted.

use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use futures::FutureExt;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    AssertSqlSafe, Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};

use crate::config;
pub use crate::config::{MigrationMode, TlsMode};

/// A connection that lay idle for longer is tested before use: after a restart of the server all of them are dead.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// Which database, and how it is used. Connections must be to the server itself or to a pooler in session mode: the lock
/// of a namespace lives as long as a session.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// `postgres://user:password@host:port/name?sslmode=…`
    pub url: SecretString,
    /// Connections at once, at most. 10.
    pub max_connections: u32,
    /// Wait for a connection, opening one included, at most. 5 s.
    pub acquire_timeout: Duration,
    /// One statement, at most; the server enforces it. 15 s.
    pub statement_timeout: Duration,
    /// Wait for one lock, at most; the server enforces it. 10 s.
    pub lock_timeout: Duration,
    /// Encryption; `None` leaves it to `sslmode` in the address (without one: where the server offers it).
    pub tls: Option<TlsMode>,
    /// Certificate authority of the server, PEM; the public ones when `None`.
    pub ca_certificate: Option<PathBuf>,
    /// Whose tables these are.
    pub migrations: MigrationMode,
}

impl DatabaseSettings {
    /// The defaults for `url`.
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(15),
            lock_timeout: Duration::from_secs(10),
            tls: None,
            ca_certificate: None,
            migrations: MigrationMode::On,
        }
    }
}

impl From<config::DatabaseConfig> for DatabaseSettings {
    fn from(database: config::DatabaseConfig) -> Self {
        let config::DatabaseConfig { url, limits } = database;
        Self {
            url,
            max_connections: limits.max_connections,
            acquire_timeout: limits.acquire_timeout,
            statement_timeout: limits.statement_timeout,
            lock_timeout: limits.lock_timeout,
            tls: limits.tls,
            ca_certificate: limits.ca_certificate_file,
            migrations: MigrationMode::default(),
        }
    }
}

/// A pool that connects when it is first asked, and says at the server that it is for `purpose`.
///
/// # Errors
/// For settings that make no sense.
pub fn pool(settings: &DatabaseSettings, purpose: &str) -> Result<PgPool, sqlx::Error> {
    let mut options = PgConnectOptions::from_str(settings.url.expose_secret())?
        .application_name(&format!("lookup-gitlab-sync {purpose}"))
        // Else a start-up parameter that PgBouncer refuses unless it is told to ignore it.
        .extra_float_digits(None);
    if let Some(tls) = settings.tls {
        options = options.ssl_mode(tls.into());
    }
    if let Some(path) = &settings.ca_certificate {
        options = options.ssl_root_cert(path);
    }
    let session: Arc<str> = session(settings).into();
    Ok(PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.acquire_timeout)
        .idle_timeout(Duration::from_mins(10))
        .max_lifetime(Duration::from_mins(30))
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let session = Arc::clone(&session);
            async move {
                let set = AssertSqlSafe(session.to_string());
                sqlx::raw_sql(set).execute(connection).await.map(drop)
            }
            .boxed()
        })
        .before_acquire(|connection, met| {
            async move {
                if met.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            }
            .boxed()
        })
        .connect_lazy_with(options))
}

/// What every session is told once it stands. As parameters of the start-up packet a pooler refuses them, or drops them
/// without a word.
fn session(settings: &DatabaseSettings) -> String {
    let statement = settings.statement_timeout.as_millis();
    let lock = settings.lock_timeout.as_millis();
    // Some of GitLab's columns are timestamps without a zone, meant as UTC.
    format!(
        "SET statement_timeout = {statement}; SET lock_timeout = {lock}; \
         SET idle_in_transaction_session_timeout = {statement}; SET TimeZone = 'UTC'"
    )
}

impl From<TlsMode> for PgSslMode {
    fn from(tls: TlsMode) -> Self {
        match tls {
            TlsMode::Disable => Self::Disable,
            TlsMode::Prefer => Self::Prefer,
            TlsMode::Require => Self::Require,
            TlsMode::VerifyCa => Self::VerifyCa,
            TlsMode::VerifyFull => Self::VerifyFull,
        }
    }
}

/// Whether somebody else held a lock for longer than this session waits (`lock_not_available`).
pub fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == "55P03")
}
