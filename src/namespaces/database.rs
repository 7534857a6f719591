//! The connections to `PostgreSQL`: how many, how long they may take, how they are encrypted.

mod transience;

use std::{
    fmt,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use secrecy::ExposeSecret;
use sqlx::{
    AssertSqlSafe, Connection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};

pub(super) use self::transience::{may_pass, migration_may_pass};
pub use crate::config::{MigrationMode, TlsMode};
use crate::{
    config::{self, Secret, database_url_objection},
    upstream::Reloaded,
};

/// A connection that was idle for longer is tested before use: after a restart of the server all of
/// them are dead.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// Which database, and how it is used. Connections must be to the server itself or to a pooler in
/// session mode: the lock of a namespace lives as long as a session.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// `postgres://user:password@host:port/name?sslmode=…`
    pub url: Secret,
    /// Connections at once, at most. 10.
    pub max_connections: u32,
    /// Wait for a connection, opening one included, at most. 5 s.
    pub acquire_timeout: Duration,
    /// One statement, at most; the server enforces it. 15 s.
    pub statement_timeout: Duration,
    /// Wait for one lock, at most; the server enforces it. 10 s.
    pub lock_timeout: Duration,
    /// Encryption; `None` leaves it to `sslmode` in the address (without one: where the server
    /// offers it).
    pub tls: Option<TlsMode>,
    /// Certificate authority of the server, PEM; the public ones when `None`.
    pub ca_certificate: Option<PathBuf>,
    /// Whose tables these are.
    pub migrations: MigrationMode,
}

impl DatabaseSettings {
    /// The defaults for `url`.
    pub fn new(url: Secret) -> Self {
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

/// The connections to one database, opened when they are first asked for. Cheap to clone.
///
/// Where the address stands in a file, the file is read again every 30 s and whenever no connection
/// can be opened. Who changes a role's password replaces the file and restarts nothing. Open
/// sessions are kept.
#[derive(Clone, Debug)]
pub struct DatabasePool {
    pool: PgPool,
    address: Option<Arc<AddressFile>>,
}

impl DatabasePool {
    /// Connections that tell the server their `purpose`. `setting` names the address in the log.
    ///
    /// # Errors
    /// For settings that cannot be used.
    pub fn new(
        settings: &DatabaseSettings,
        purpose: &str,
        setting: &'static str,
    ) -> Result<Self, sqlx::Error> {
        let options = connect_options(settings, settings.url.expose_secret(), purpose)?;
        Ok(Self {
            address: AddressFile::of(settings, &options, purpose, setting).map(Arc::new),
            pool: lazy_pool(settings, options),
        })
    }

    /// A connection, within [`DatabaseSettings::acquire_timeout`].
    ///
    /// # Errors
    /// When there is none: the server cannot be reached or refuses the role, or all connections are
    /// in use.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let Some(address) = &self.address else {
            return self.pool.acquire().await;
        };
        let used = address.follow(&self.pool).await;
        match self.pool.acquire().await {
            Err(_) if address.renew(&self.pool, &used).await => self.pool.acquire().await,
            acquired => acquired,
        }
    }

    /// Whether the database answers now; for readiness.
    ///
    /// # Errors
    /// The error of the database, or of the wait for a connection.
    pub async fn ready(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.acquire().await?;
        let ask = sqlx::query("SELECT 1").execute(&mut *connection);
        ask.await.map(drop)
    }

    /// The server's version.
    ///
    /// # Errors
    /// The error of the database, or of the wait for a connection.
    pub async fn version(&self) -> Result<String, sqlx::Error> {
        let mut connection = self.acquire().await?;
        sqlx::query_scalar("SHOW server_version")
            .fetch_one(&mut *connection)
            .await
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// An address that stands in a file.
#[derive(Debug)]
struct AddressFile {
    address: Reloaded<Arc<Address>>,
    /// What the pool was last given. A caller that comes late with an older address is overruled by
    /// the next one.
    given: Mutex<Arc<Address>>,
}

/// An address, and how to connect to it.
struct Address {
    url: Secret,
    options: PgConnectOptions,
}

impl AddressFile {
    /// `None` where the address stands in no file.
    fn of(
        settings: &DatabaseSettings,
        options: &PgConnectOptions,
        purpose: &str,
        setting: &'static str,
    ) -> Option<Self> {
        let file = settings.url.file()?.to_owned();
        let address = Arc::new(Address {
            url: settings.url.clone(),
            options: options.clone(),
        });
        let (settings, purpose) = (settings.clone(), purpose.to_owned());
        let read = move || {
            let url = Secret::of_file(&file).map_err(|problem| problem.to_string())?;
            Address::new(&settings, url, &purpose).map(Arc::new)
        };
        Some(Self {
            given: Mutex::new(Arc::clone(&address)),
            address: Reloaded::new(setting, address, read),
        })
    }

    /// Gives the pool the address that stands in the file, which is looked at every 30 s; that
    /// address.
    async fn follow(&self, pool: &PgPool) -> Arc<Address> {
        let address = self.address.value().await;
        self.give(pool, &address);
        address
    }

    /// After no connection could be opened with `used`: whether the file holds another address now.
    async fn renew(&self, pool: &PgPool, used: &Arc<Address>) -> bool {
        let renewed = self.address.renew(used).await;
        if renewed {
            self.follow(pool).await;
        }
        renewed
    }

    fn give(&self, pool: &PgPool, address: &Arc<Address>) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if *given != *address {
            given.clone_from(address);
            pool.set_connect_options(address.options.clone());
        }
    }
}

impl Address {
    /// # Errors
    /// What is wrong with the address, without any of its text.
    fn new(settings: &DatabaseSettings, url: Secret, purpose: &str) -> Result<Self, String> {
        if let Some(objection) = database_url_objection(url.expose_secret()) {
            return Err(objection);
        }
        connect_options(settings, url.expose_secret(), purpose)
            .map(|options| Self { url, options })
            .map_err(|_| "is not the address of a database".to_owned())
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.url.expose_secret() == other.url.expose_secret()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

fn connect_options(
    settings: &DatabaseSettings,
    url: &str,
    purpose: &str,
) -> Result<PgConnectOptions, sqlx::Error> {
    let mut options = PgConnectOptions::from_str(url)?
        .application_name(&format!("lookup-gitlab-sync {purpose}"))
        // Else a start-up parameter that PgBouncer refuses unless it is told to ignore it.
        .extra_float_digits(None);
    if let Some(tls) = settings.tls {
        options = options.ssl_mode(tls.into());
    }
    if let Some(path) = &settings.ca_certificate {
        options = options.ssl_root_cert(path);
    }
    Ok(options)
}

fn lazy_pool(settings: &DatabaseSettings, options: PgConnectOptions) -> PgPool {
    let session: Arc<str> = session(settings).into();
    PgPoolOptions::new()
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
        .connect_lazy_with(options)
}

/// The settings of every session, set after it is opened. A pooler refuses or silently drops them
/// as parameters of the start-up packet.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    /// Two callers meet while the file is replaced: one still carries the old address when the
    /// other has handed over the new one.
    #[tokio::test]
    async fn a_caller_that_comes_late_with_an_older_address_is_overruled_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("address");
        std::fs::write(&file, "postgres://old@localhost/ledger").unwrap();
        let settings = DatabaseSettings::new(Secret::of_file(&file).unwrap());
        let pool = DatabasePool::new(&settings, "ledger", "LEDGER_DATABASE_URL").unwrap();
        let address = pool.address.as_ref().unwrap();
        let old = address.follow(&pool.pool).await;
        std::fs::write(&file, "postgres://new@localhost/ledger").unwrap();
        assert!(address.address.renew(&old).await, "it was replaced");
        // The late caller is the first to speak to the pool after the replacement.
        address.give(&pool.pool, &old);
        address.follow(&pool.pool).await;
        assert_eq!(pool.pool.connect_options().get_username(), "new");
    }
}
