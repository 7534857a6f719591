//! The portal's record in `PostgreSQL`: syncs, requests for them, attempts to send them.

pub mod attempt_state;
mod attempts;
pub mod history;
mod syncs;

use std::sync::Arc;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use sqlx::{
    Connection, PgConnection,
    migrate::{MigrateError, Migrator},
};

use crate::namespaces::{
    contract::document::{
        Document, InvalidDocument,
        rules::{DocumentRules, RuleViolation, joined},
    },
    database::{DatabasePool, DatabaseSettings, may_pass, migration_may_pass},
    ledger::attempt_state::AttemptState,
    pooler::{SessionCheckError, refuse_shared_sessions},
    session::{LockedSession, NamespaceLock},
};

use self::syncs::{completed, insert, lock_recording, request};
pub(super) use self::{
    attempts::{abandon, close, fail, skip, start, youngest_in_doubt},
    syncs::newest,
};

static MIGRATIONS: Migrator = Migrator {
    // Provisioning may live in the same database and keeps its own list.
    table_name: std::borrow::Cow::Borrowed("ledger_migrations"),
    ..sqlx::migrate!("migrations/ledger")
};

/// What the ledger's address is called.
const SETTING: &str = "namespaces.ledger_database_url";

/// A ledger that cannot be used. No text contains the address, which contains the password.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The address or the certificate.
    #[error("the ledger database's settings cannot be used")]
    Settings(#[source] sqlx::Error),
    /// The connections are no sessions.
    #[error(transparent)]
    Sessions(#[from] SessionCheckError),
    /// Our tables could not be brought up to date.
    #[error("the ledger database cannot be reached, or its tables cannot be created or updated")]
    Migration(#[source] MigrateError),
    /// A statement failed.
    #[error("the ledger database failed")]
    Database(#[from] sqlx::Error),
    /// What it holds is not what was put there.
    #[error("sync {sync} in the ledger is not a valid document: {why}")]
    Document {
        /// Which.
        sync: i64,
        /// What is wrong.
        #[source]
        why: InvalidDocument,
    },
    /// GitLab would not carry it out.
    #[error("{}", joined(.0))]
    Refused(Vec<RuleViolation>),
    /// GitLab would not carry out what was recorded before and this document leaves unchanged.
    #[error("{}. This is recorded already and the document leaves it unchanged: record a valid value with it", joined(.0))]
    RefusedBefore(Vec<RuleViolation>),
}

impl LedgerError {
    /// Whether opening the ledger again may succeed where nobody does anything about it.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Sessions(SessionCheckError::Unknown(error)) | Self::Database(error) => {
                may_pass(error)
            }
            Self::Migration(error) => migration_may_pass(error),
            Self::Settings(_)
            | Self::Sessions(SessionCheckError::Shared)
            | Self::Document { .. }
            | Self::Refused(_)
            | Self::RefusedBefore(_) => false,
        }
    }
}

/// The ledger. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) pool: DatabasePool,
    rules: Arc<DocumentRules>,
}

/// What recording came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedSync {
    /// The newest sync of the namespace now.
    pub sync_id: i64,
    /// Whether it is a new one: the content differs from what was the newest.
    pub changed: bool,
    /// The hash of its content, which is complete.
    pub sha256: String,
}

/// The newest sync of a namespace, and whether it has to be sent.
#[derive(Clone, Debug)]
pub(super) struct NewestSync {
    pub(super) sync_id: i64,
    pub(super) document: Document,
    /// The newest request for it.
    pub(super) request_id: i64,
    /// Whether it need not be sent: it arrived, and nobody has requested it since.
    pub(super) settled: bool,
    /// Whether it holds all that is recorded for the namespace.
    pub(super) complete: bool,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) struct FinishedAttempt {
    pub(super) state: AttemptState,
    pub(super) http_status: Option<u16>,
    pub(super) parts: Option<serde_json::Value>,
    pub(super) detail: Option<String>,
    /// Whether its call may still be running at the provisioning side.
    pub(super) in_doubt: bool,
}

impl Ledger {
    /// Opens the database, and creates or updates its tables.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn open(settings: &DatabaseSettings) -> Result<Self, LedgerError> {
        let pool = DatabasePool::new(settings, "ledger", SETTING).map_err(LedgerError::Settings)?;
        match refuse_shared_sessions(&pool).await {
            // The migrations say it in their own words.
            Ok(()) | Err(SessionCheckError::Unknown(_)) => {}
            Err(shared @ SessionCheckError::Shared) => return Err(shared.into()),
        }
        let mut connection = pool.acquire().await.map_err(unmigrated)?;
        MIGRATIONS
            .run(&mut *connection)
            .await
            .map_err(LedgerError::Migration)?;
        drop(connection);
        let ledger = Self::of(pool);
        ledger.tell_of_parts().await?;
        Ok(ledger)
    }

    fn of(pool: DatabasePool) -> Self {
        Self {
            pool,
            rules: Arc::default(),
        }
    }

    /// The same with the plans and add-ons of another GitLab than 18.9.
    #[must_use]
    pub fn with_rules(mut self, rules: DocumentRules) -> Self {
        self.rules = Arc::new(rules);
        self
    }

    /// What may be recorded and sent.
    pub fn rules(&self) -> &DocumentRules {
        &self.rules
    }

    /// Before syncs were complete, a sync that was followed by another before a worker came was
    /// never sent.
    async fn tell_of_parts(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let namespaces: Vec<i64> = sqlx::query_scalar(
            "SELECT newest.namespace_id FROM namespace_syncs AS newest
             WHERE NOT newest.complete
                 AND newest.id = (SELECT max(id) FROM namespace_syncs WHERE namespace_id = newest.namespace_id)
                 AND EXISTS (SELECT FROM namespace_syncs AS older
                     WHERE older.namespace_id = newest.namespace_id AND older.id < newest.id AND NOT EXISTS (
                         SELECT FROM namespace_sync_attempts
                         WHERE namespace_sync_id = older.id AND state = 'completed'))
             ORDER BY 1 LIMIT 100",
        )
        .fetch_all(&mut *connection)
        .await?;
        if !namespaces.is_empty() {
            tracing::warn!(
                event = "namespaces_recorded_in_parts",
                ?namespaces,
                "some of what is recorded for them was never sent: `namespaces resync ID` sends all of it"
            );
        }
        Ok(())
    }

    /// For reading: no table is created or updated, and no connection is opened yet.
    ///
    /// # Errors
    /// For settings that cannot be used.
    pub fn for_reading(settings: &DatabaseSettings) -> Result<Self, LedgerError> {
        let pool = DatabasePool::new(settings, "ledger, reading", SETTING)
            .map_err(LedgerError::Settings)?;
        Ok(Self::of(pool))
    }

    /// Whether the database answers now; for readiness.
    ///
    /// # Errors
    /// What it, or the wait for a connection, ended in.
    pub async fn ready(&self) -> Result<(), sqlx::Error> {
        self.pool.ready().await
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Records what `namespace_id` has after `document`. What the document leaves out is taken from
    /// the newest sync. There is a new sync only if the content differs from the newest, and a
    /// request in any case. `None`, with nothing recorded, for an empty document.
    ///
    /// # Errors
    /// When GitLab would not carry it out or the database fails; nothing is recorded then.
    pub async fn record(
        &self,
        namespace_id: i64,
        document: &Document,
        requested_by: Option<&str>,
    ) -> Result<Option<RecordedSync>, LedgerError> {
        self.check(document).map_err(LedgerError::Refused)?;
        if document.is_empty() {
            return Ok(None);
        }
        let today = today();
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        lock_recording(&mut transaction, namespace_id).await?;
        let newest = completed(&mut transaction, namespace_id, today).await?;
        let nothing = Document::default();
        let older = newest.as_ref().map_or(&nothing, |newest| &newest.document);
        let whole = document.after(older, today).map_err(LedgerError::Refused)?;
        self.check(&whole).map_err(LedgerError::RefusedBefore)?;
        let recorded = match newest {
            Some(newest) if newest.document == whole => RecordedSync {
                sync_id: newest.sync_id,
                changed: false,
                sha256: newest.sha256,
            },
            Some(_) | None => insert(&mut transaction, namespace_id, &whole).await?,
        };
        request(&mut transaction, &recorded, requested_by, false).await?;
        transaction.commit().await?;
        Ok(Some(recorded))
    }

    /// Asks for the newest sync of `namespace_id` to be sent again, even if it arrived. `None`
    /// where there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ask_again(
        &self,
        namespace_id: i64,
        requested_by: Option<&str>,
    ) -> Result<Option<RecordedSync>, LedgerError> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        lock_recording(&mut transaction, namespace_id).await?;
        let Some(newest) = completed(&mut transaction, namespace_id, today()).await? else {
            return Ok(None);
        };
        let recorded = RecordedSync {
            sync_id: newest.sync_id,
            changed: false,
            sha256: newest.sha256,
        };
        request(&mut transaction, &recorded, requested_by, true).await?;
        transaction.commit().await?;
        Ok(Some(recorded))
    }

    fn check(&self, document: &Document) -> Result<(), Vec<RuleViolation>> {
        let broken = self.rules.check(document);
        if broken.is_empty() {
            Ok(())
        } else {
            Err(broken)
        }
    }

    /// Takes the lock for sending for `namespace_id`, held until the session is closed or cut.
    pub(super) async fn sending(&self, namespace_id: i64) -> Result<LockedSession, sqlx::Error> {
        LockedSession::open(&self.pool, NamespaceLock::Sending(namespace_id)).await
    }
}

/// The newest sync of a namespace, completed first where an older version recorded only a part. On
/// the session that sends for it.
pub(super) async fn newest_complete(
    connection: &mut PgConnection,
    namespace_id: i64,
) -> Result<Option<NewestSync>, LedgerError> {
    match newest(connection, namespace_id).await? {
        Some(part) if !part.complete => {
            let mut transaction = connection.begin().await?;
            lock_recording(&mut transaction, namespace_id).await?;
            completed(&mut transaction, namespace_id, today()).await?;
            transaction.commit().await?;
            newest(connection, namespace_id).await
        }
        found => Ok(found),
    }
}

fn unmigrated(error: sqlx::Error) -> LedgerError {
    LedgerError::Migration(error.into())
}

/// What day it is in UTC, as GitLab counts.
fn today() -> Date {
    Timestamp::now().to_zoned_datetime(TimeZone::UTC).date()
}
