//! What was to be sent, who asked for it, and what became of it: the portal's record in `PostgreSQL`.

use sqlx::{
    Connection, PgConnection, PgPool, Row,
    migrate::{MigrateError, Migrator},
};

use super::{
    attempt::AttemptState,
    database::{self, Settings},
    document::{Document, Invalid},
    session::{Lock, LockedSession},
};

static MIGRATIONS: Migrator = Migrator {
    // Provisioning may live in the same database and keeps its own list.
    table_name: std::borrow::Cow::Borrowed("ledger_migrations"),
    ..sqlx::migrate!("migrations/ledger")
};

/// A ledger that cannot be used. No text holds the address, which holds the password.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The address or the certificate.
    #[error("the ledger database's settings cannot be used")]
    Settings(#[source] sqlx::Error),
    /// Our tables could not be brought up to date.
    #[error("the ledger database cannot be reached, or its tables cannot be created or updated")]
    Migration(#[source] MigrateError),
    /// A statement failed.
    #[error("the ledger database failed")]
    Database(#[from] sqlx::Error),
    /// What it holds is not what was put there.
    #[error("sync {sync} in the ledger is no document: {why}")]
    Document {
        /// Which.
        sync: i64,
        /// What is wrong.
        #[source]
        why: Invalid,
    },
}

/// The ledger. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) pool: PgPool,
}

/// What recording came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The newest sync of the namespace now.
    pub sync_id: i64,
    /// Whether it is a new one: the content differs from what was the newest.
    pub changed: bool,
}

/// The newest sync of a namespace, and what stands against or for sending it.
#[derive(Clone, Debug)]
pub(super) struct Newest {
    pub(super) sync_id: i64,
    pub(super) document: Document,
    /// The newest request for it.
    pub(super) request_id: i64,
    /// Whether it need not be sent: it arrived, and nobody has asked since.
    pub(super) settled: bool,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) state: AttemptState,
    pub(super) http_status: Option<u16>,
    pub(super) parts: Option<serde_json::Value>,
    pub(super) detail: Option<String>,
    /// Whether its call may still be running at the other end.
    pub(super) stray: bool,
}

impl Ledger {
    /// Opens the database, and creates or updates its tables.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn open(settings: &Settings) -> Result<Self, LedgerError> {
        let pool = database::pool(settings, "ledger").map_err(LedgerError::Settings)?;
        MIGRATIONS
            .run(&pool)
            .await
            .map_err(LedgerError::Migration)?;
        Ok(Self { pool })
    }

    /// The database as it is, for looking: no table is created or updated, and nothing is asked yet.
    ///
    /// # Errors
    /// For settings that cannot be used.
    pub fn for_reading(settings: &Settings) -> Result<Self, LedgerError> {
        let pool = database::pool(settings, "ledger, reading").map_err(LedgerError::Settings)?;
        Ok(Self { pool })
    }

    /// Whether the database answers now; for readiness.
    ///
    /// # Errors
    /// What it, or the wait for a connection, ended in.
    pub async fn ready(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map(drop)
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Records `document` as what `namespace_id` has: a new sync only if it differs from the newest, a request in any case.
    ///
    /// # Errors
    /// When the database fails; nothing is recorded then.
    pub async fn record(
        &self,
        namespace_id: i64,
        document: &Document,
        requested_by: Option<&str>,
    ) -> Result<Recorded, LedgerError> {
        let mut transaction = self.pool.begin().await?;
        lock_recording(&mut transaction, namespace_id).await?;
        let hash = document.sha256();
        let newest = newest_hash(&mut transaction, namespace_id).await?;
        let recorded = match newest {
            Some((sync_id, newest)) if newest == hash => Recorded {
                sync_id,
                changed: false,
            },
            Some(_) | None => Recorded {
                sync_id: insert(&mut transaction, namespace_id, document, &hash).await?,
                changed: true,
            },
        };
        request(&mut transaction, &recorded, requested_by, false).await?;
        transaction.commit().await?;
        Ok(recorded)
    }

    /// Asks for the newest sync of `namespace_id` to be sent again, even if it arrived. `None` where there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ask_again(
        &self,
        namespace_id: i64,
        requested_by: Option<&str>,
    ) -> Result<Option<i64>, LedgerError> {
        let mut transaction = self.pool.begin().await?;
        lock_recording(&mut transaction, namespace_id).await?;
        let Some((sync_id, _)) = newest_hash(&mut transaction, namespace_id).await? else {
            return Ok(None);
        };
        let recorded = Recorded {
            sync_id,
            changed: false,
        };
        request(&mut transaction, &recorded, requested_by, true).await?;
        transaction.commit().await?;
        Ok(Some(sync_id))
    }

    /// Takes the right to send for `namespace_id`, which nobody else has until the session is closed or cut.
    pub(super) async fn sending(&self, namespace_id: i64) -> Result<LockedSession, sqlx::Error> {
        LockedSession::open(&self.pool, Lock::Sending(namespace_id)).await
    }
}

async fn lock_recording(connection: &mut PgConnection, namespace: i64) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(Lock::Recording(namespace).key())
        .execute(connection)
        .await
        .map(drop)
}

async fn newest_hash(
    connection: &mut PgConnection,
    namespace_id: i64,
) -> Result<Option<(i64, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, attrs_sha256 FROM namespace_syncs WHERE namespace_id = $1 ORDER BY id DESC LIMIT 1",
    )
    .bind(namespace_id)
    .fetch_optional(connection)
    .await
}

async fn insert(
    connection: &mut PgConnection,
    namespace_id: i64,
    document: &Document,
    hash: &str,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO namespace_syncs (namespace_id, attrs_sha256, attrs) VALUES ($1, $2, $3::jsonb) RETURNING id",
    )
    .bind(namespace_id)
    .bind(hash)
    .bind(document.canonical_json())
    .fetch_one(connection)
    .await
}

async fn request(
    connection: &mut PgConnection,
    recorded: &Recorded,
    requested_by: Option<&str>,
    resync: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO namespace_sync_requests (namespace_sync_id, requested_by, changed, resync) VALUES ($1, $2, $3, $4)",
    )
    .bind(recorded.sync_id)
    .bind(requested_by)
    .bind(recorded.changed)
    .bind(resync)
    .execute(connection)
    .await
    .map(drop)
}

/// The newest sync of a namespace.
///
/// It is settled when the last attempt that was sent is `completed` and no re-sync was asked for since, or is
/// `partially_failed` and nobody has asked for anything since.
pub(super) async fn newest(
    connection: &mut PgConnection,
    namespace_id: i64,
) -> Result<Option<Newest>, LedgerError> {
    let row = sqlx::query(
        "SELECT sync.id, sync.attrs::text AS attrs, last.state, last.request_id AS answered,
             (SELECT COALESCE(max(id), 0) FROM namespace_sync_requests WHERE namespace_sync_id = sync.id) AS asked,
             (SELECT COALESCE(max(id), 0) FROM namespace_sync_requests
              WHERE namespace_sync_id = sync.id AND resync) AS asked_again
         FROM namespace_syncs AS sync
         LEFT JOIN LATERAL (
             SELECT state, request_id FROM namespace_sync_attempts
             WHERE namespace_sync_id = sync.id AND state <> 'skipped' ORDER BY id DESC LIMIT 1) AS last ON true
         WHERE sync.namespace_id = $1 ORDER BY sync.id DESC LIMIT 1",
    )
    .bind(namespace_id)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let sync_id = row.try_get("id")?;
    let attrs: String = row.try_get("attrs")?;
    let state: Option<String> = row.try_get("state")?;
    let answered: i64 = row.try_get::<Option<i64>, _>("answered")?.unwrap_or(0);
    let (asked, asked_again): (i64, i64) = (row.try_get("asked")?, row.try_get("asked_again")?);
    let settled = match state.as_deref().and_then(AttemptState::parse) {
        Some(AttemptState::Completed) => asked_again <= answered,
        Some(AttemptState::PartiallyFailed) => asked <= answered,
        Some(
            AttemptState::Started
            | AttemptState::Retrying
            | AttemptState::Failed
            | AttemptState::Skipped
            | AttemptState::Abandoned,
        )
        | None => false,
    };
    let document = Document::parse(attrs.as_bytes())
        .map_err(|why| LedgerError::Document { sync: sync_id, why })?;
    Ok(Some(Newest {
        sync_id,
        document,
        request_id: asked,
        settled,
    }))
}

/// How long ago the youngest attempt started that carried something else than `sync_id` and whose call may still be
/// running at the other end.
pub(super) async fn youngest_stray(
    connection: &mut PgConnection,
    namespace_id: i64,
    sync_id: i64,
) -> Result<Option<std::time::Duration>, sqlx::Error> {
    let seconds: Option<f64> = sqlx::query_scalar(
        "SELECT extract(epoch FROM clock_timestamp() - max(attempt.started_at))::float8
         FROM namespace_sync_attempts AS attempt JOIN namespace_syncs AS sync ON sync.id = attempt.namespace_sync_id
         WHERE sync.namespace_id = $1 AND sync.id <> $2 AND attempt.stray",
    )
    .bind(namespace_id)
    .bind(sync_id)
    .fetch_one(connection)
    .await?;
    Ok(seconds.map(|seconds| std::time::Duration::from_secs_f64(seconds.max(0.0))))
}

/// Closes what was started and has nobody any more: who holds the lock is alone.
pub(super) async fn abandon(
    connection: &mut PgConnection,
    namespace_id: i64,
) -> Result<u64, sqlx::Error> {
    sqlx::query(
        "UPDATE namespace_sync_attempts SET state = 'abandoned', stray = true, finished_at = clock_timestamp()
         WHERE state = 'started' AND namespace_sync_id IN (SELECT id FROM namespace_syncs WHERE namespace_id = $1)",
    )
    .bind(namespace_id)
    .execute(connection)
    .await
    .map(|done| done.rows_affected())
}

/// Opens an attempt, and gives its number.
pub(super) async fn start(
    connection: &mut PgConnection,
    newest: &Newest,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO namespace_sync_attempts (namespace_sync_id, state, request_id) VALUES ($1, 'started', $2) RETURNING id",
    )
    .bind(newest.sync_id)
    .bind(newest.request_id)
    .fetch_one(connection)
    .await
}

/// Says that nothing had to be sent.
pub(super) async fn skip(
    connection: &mut PgConnection,
    newest: &Newest,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO namespace_sync_attempts (namespace_sync_id, state, request_id, finished_at)
         VALUES ($1, 'skipped', $2, clock_timestamp())",
    )
    .bind(newest.sync_id)
    .bind(newest.request_id)
    .execute(connection)
    .await
    .map(drop)
}

/// Closes an attempt and answers which sync is the newest now, in one transaction.
pub(super) async fn close(
    connection: &mut PgConnection,
    namespace_id: i64,
    attempt_id: i64,
    ended: &Ended,
) -> Result<Option<i64>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query(
        "UPDATE namespace_sync_attempts
         SET state = $2, http_status = $3, parts = $4, detail = $5, stray = $6, finished_at = clock_timestamp()
         WHERE id = $1",
    )
    .bind(attempt_id)
    .bind(ended.state.as_str())
    .bind(ended.http_status.and_then(|status| i16::try_from(status).ok()))
    .bind(&ended.parts)
    .bind(&ended.detail)
    .bind(ended.stray)
    .execute(&mut *transaction)
    .await?;
    let newest = newest_hash(&mut transaction, namespace_id).await?;
    transaction.commit().await?;
    Ok(newest.map(|(sync_id, _)| sync_id))
}
