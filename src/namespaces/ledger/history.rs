//! The history of a namespace, for people and programs.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sqlx::{Row, postgres::PgRow};

use crate::namespaces::{
    ledger::{self, Ledger, LedgerError, attempt_state::AttemptState},
    sql_time::SqlTimestamp,
};

/// One recorded sync, with everything that was asked and tried for it.
#[derive(Clone, Debug, Serialize)]
pub struct SyncHistory {
    /// The ledger's number.
    pub id: i64,
    /// GitLab's namespace id.
    pub namespace_id: i64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The hash of its content.
    pub attrs_sha256: String,
    /// Its content: what the namespace has with it.
    pub document: serde_json::Value,
    /// Each request for it, the oldest first.
    pub requests: Vec<SyncRequest>,
    /// Each attempt to send it, the oldest first.
    pub attempts: Vec<SyncAttempt>,
}

/// One request.
#[derive(Clone, Debug, Serialize)]
pub struct SyncRequest {
    /// When.
    pub requested_at: Timestamp,
    /// By whom, if that was said.
    pub requested_by: Option<String>,
    /// Whether it brought new content.
    pub changed: bool,
    /// Whether it asked for a sync that had not changed to be sent again.
    pub resync: bool,
}

/// One attempt.
#[derive(Clone, Debug, Serialize)]
pub struct SyncAttempt {
    /// The ledger's number.
    pub id: i64,
    /// What became of it.
    pub state: AttemptState,
    /// Whether it started so long ago that its worker must be gone.
    pub overdue: bool,
    /// The answer's status, where there was one.
    pub http_status: Option<i16>,
    /// Part by part.
    pub parts: Option<serde_json::Value>,
    /// Why, in one line.
    pub detail: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// The newest sync of a namespace, and what a message would make of it now.
#[derive(Clone, Debug, Serialize)]
pub struct SyncPreview {
    /// The sync.
    pub newest: SyncHistory,
    /// Whether it would be sent: it has not arrived, or somebody has asked for it since.
    pub due: bool,
}

impl Ledger {
    /// What a message for a namespace would meet now; `None` where nothing is recorded. `overdue`
    /// as in [`Self::history`].
    ///
    /// # Errors
    /// When the database fails, or what it holds is no document.
    pub async fn preview(
        &self,
        namespace_id: i64,
        overdue: Duration,
    ) -> Result<Option<SyncPreview>, LedgerError> {
        let mut connection = self.pool.acquire().await?;
        let newest = ledger::newest(&mut connection, namespace_id).await?;
        drop(connection);
        let sync = self.history(namespace_id, 1, overdue).await?.pop();
        Ok(newest.zip(sync).map(|(newest, sync)| SyncPreview {
            // One that was recorded in between is due.
            due: !newest.settled || newest.sync_id != sync.id,
            newest: sync,
        }))
    }

    /// The newest `limit` syncs of a namespace, the newest first. An attempt that started longer
    /// than `overdue` ago and is not closed is overdue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn history(
        &self,
        namespace_id: i64,
        limit: u32,
        overdue: Duration,
    ) -> Result<Vec<SyncHistory>, LedgerError> {
        let mut connection = self.pool.acquire().await?;
        let rows = sqlx::query(
            "SELECT id, created_at, attrs_sha256, attrs FROM namespace_syncs WHERE namespace_id = $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(namespace_id)
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
        drop(connection);
        let mut syncs = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.try_get("id")?;
            syncs.push(SyncHistory {
                id,
                namespace_id,
                recorded_at: time(&row, "created_at")?,
                attrs_sha256: row.try_get("attrs_sha256")?,
                document: row.try_get("attrs")?,
                requests: self.requests(id).await?,
                attempts: self.attempts(id, overdue).await?,
            });
        }
        Ok(syncs)
    }

    async fn requests(&self, sync_id: i64) -> Result<Vec<SyncRequest>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let rows = sqlx::query(
            "SELECT requested_at, requested_by, changed, resync FROM namespace_sync_requests
             WHERE namespace_sync_id = $1 ORDER BY id",
        )
        .bind(sync_id)
        .fetch_all(&mut *connection)
        .await?;
        let request = |row: &PgRow| {
            Ok(SyncRequest {
                requested_at: time(row, "requested_at")?,
                requested_by: row.try_get("requested_by")?,
                changed: row.try_get("changed")?,
                resync: row.try_get("resync")?,
            })
        };
        rows.iter().map(request).collect()
    }

    async fn attempts(
        &self,
        sync_id: i64,
        overdue: Duration,
    ) -> Result<Vec<SyncAttempt>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let rows = sqlx::query(
            "SELECT id, state, http_status, parts, detail, started_at, finished_at, clock_timestamp() AS now
             FROM namespace_sync_attempts WHERE namespace_sync_id = $1 ORDER BY id",
        )
        .bind(sync_id)
        .fetch_all(&mut *connection)
        .await?;
        let overdue = SignedDuration::try_from(overdue).unwrap_or(SignedDuration::MAX);
        rows.iter().map(|row| attempt(row, overdue)).collect()
    }
}

fn attempt(row: &PgRow, overdue: SignedDuration) -> Result<SyncAttempt, sqlx::Error> {
    let word: String = row.try_get("state")?;
    let state = AttemptState::parse(&word)
        .ok_or_else(|| sqlx::Error::Decode(format!("{word} is no state").into()))?;
    let (started_at, now) = (time(row, "started_at")?, time(row, "now")?);
    Ok(SyncAttempt {
        id: row.try_get("id")?,
        state,
        overdue: state == AttemptState::Started && now.duration_since(started_at) > overdue,
        http_status: row.try_get("http_status")?,
        parts: row.try_get("parts")?,
        detail: row.try_get("detail")?,
        started_at,
        finished_at: row
            .try_get::<Option<SqlTimestamp>, _>("finished_at")?
            .map(|time| time.0),
    })
}

fn time(row: &PgRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    Ok(row.try_get::<SqlTimestamp, _>(column)?.0)
}
