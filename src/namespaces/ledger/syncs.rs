//! The recorded syncs of a namespace: the newest, and how one of an older version is completed.

use jiff::civil::Date;
use sqlx::{PgConnection, Row};

use super::{LedgerError, NewestSync, RecordedSync};
use crate::namespaces::{
    contract::document::Document, ledger::attempt_state::AttemptState, session::NamespaceLock,
};

/// Who asked for a sync that was put together of older ones.
const OURSELVES: &str = "lookup-gitlab-sync";

/// The newest sync, with all that is recorded for its namespace.
pub(super) struct CompleteSync {
    pub(super) sync_id: i64,
    pub(super) sha256: String,
    pub(super) document: Document,
}

/// What stands between two who record for one namespace, until the transaction ends.
pub(super) async fn lock_recording(
    connection: &mut PgConnection,
    namespace: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(NamespaceLock::Recording(namespace).key())
        .execute(connection)
        .await
        .map(drop)
}

/// The newest sync, complete. One of before, which holds only what was sent with it, is followed by
/// one that holds what all of them say one after the other. The caller has the namespace's
/// recording lock.
pub(super) async fn completed(
    connection: &mut PgConnection,
    namespace_id: i64,
    today: Date,
) -> Result<Option<CompleteSync>, LedgerError> {
    let newest: Option<(i64, String, String, bool)> = sqlx::query_as(
        "SELECT id, attrs_sha256, attrs::text, complete FROM namespace_syncs
         WHERE namespace_id = $1 ORDER BY id DESC LIMIT 1",
    )
    .bind(namespace_id)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((sync_id, sha256, attrs, complete)) = newest else {
        return Ok(None);
    };
    let whole = CompleteSync {
        sync_id,
        sha256,
        document: read(sync_id, &attrs)?,
    };
    if complete {
        return Ok(Some(whole));
    }
    let document = put_together(connection, namespace_id, today).await?;
    if document == whole.document {
        sqlx::query("UPDATE namespace_syncs SET complete = true WHERE id = $1")
            .bind(sync_id)
            .execute(connection)
            .await?;
        return Ok(Some(whole));
    }
    let recorded = insert(connection, namespace_id, &document).await?;
    request(connection, &recorded, Some(OURSELVES), false).await?;
    tracing::info!(
        event = "namespace_sync_completed",
        namespace_id,
        namespace_sync_id = recorded.sync_id,
        "syncs that were recorded in parts are one now"
    );
    Ok(Some(CompleteSync {
        sync_id: recorded.sync_id,
        sha256: recorded.sha256,
        document,
    }))
}

/// What every sync of the namespace says, one after the other.
async fn put_together(
    connection: &mut PgConnection,
    namespace_id: i64,
    today: Date,
) -> Result<Document, LedgerError> {
    let syncs: Vec<(i64, String)> = sqlx::query_as(
        "SELECT id, attrs::text FROM namespace_syncs WHERE namespace_id = $1 ORDER BY id",
    )
    .bind(namespace_id)
    .fetch_all(connection)
    .await?;
    let mut whole = Document::default();
    for (sync_id, attrs) in syncs {
        let document = read(sync_id, &attrs)?;
        whole = document.over(&whole, today);
    }
    Ok(whole)
}

fn read(sync: i64, attrs: &str) -> Result<Document, LedgerError> {
    Document::parse(attrs.as_bytes()).map_err(|why| LedgerError::Document { sync, why })
}

/// The number of the newest sync.
pub(super) async fn newest_id(
    connection: &mut PgConnection,
    namespace_id: i64,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT max(id) FROM namespace_syncs WHERE namespace_id = $1")
        .bind(namespace_id)
        .fetch_one(connection)
        .await
}

/// Records a complete document.
pub(super) async fn insert(
    connection: &mut PgConnection,
    namespace_id: i64,
    document: &Document,
) -> Result<RecordedSync, sqlx::Error> {
    let sha256 = document.sha256();
    let sync_id = sqlx::query_scalar(
        "INSERT INTO namespace_syncs (namespace_id, attrs_sha256, attrs, complete) VALUES ($1, $2, $3::jsonb, true)
         RETURNING id",
    )
    .bind(namespace_id)
    .bind(&sha256)
    .bind(document.canonical_json())
    .fetch_one(connection)
    .await?;
    Ok(RecordedSync {
        sync_id,
        changed: true,
        sha256,
    })
}

/// Records who asked.
pub(super) async fn request(
    connection: &mut PgConnection,
    recorded: &RecordedSync,
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
/// It is settled when the last attempt that was sent is `completed` and no re-sync was asked for
/// since, or is `partially_failed` and nobody has asked for anything since.
pub(in crate::namespaces) async fn newest(
    connection: &mut PgConnection,
    namespace_id: i64,
) -> Result<Option<NewestSync>, LedgerError> {
    let row = sqlx::query(
        "SELECT sync.id, sync.attrs::text AS attrs, sync.complete, last.state, last.request_id AS answered,
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
    let document = read(sync_id, &attrs)?;
    Ok(Some(NewestSync {
        sync_id,
        document,
        request_id: asked,
        settled,
        complete: row.try_get("complete")?,
    }))
}
