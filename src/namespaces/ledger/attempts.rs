//! The attempts to send a sync.

use sqlx::{Connection, PgConnection};

use super::{FinishedAttempt, NewestSync, syncs::newest_id};

/// How long ago the youngest attempt started that carried something else than `sync_id` and whose
/// call may still be running at the other end.
pub(in crate::namespaces) async fn youngest_in_doubt(
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

/// Closes attempts whose worker is gone: only the holder of the lock works on the namespace.
pub(in crate::namespaces) async fn abandon(
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
pub(in crate::namespaces) async fn start(
    connection: &mut PgConnection,
    newest: &NewestSync,
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
pub(in crate::namespaces) async fn skip(
    connection: &mut PgConnection,
    newest: &NewestSync,
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

/// Says that what is recorded may not be sent.
pub(in crate::namespaces) async fn fail(
    connection: &mut PgConnection,
    newest: &NewestSync,
    why: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO namespace_sync_attempts (namespace_sync_id, state, request_id, detail, finished_at)
         VALUES ($1, 'failed', $2, $3, clock_timestamp())",
    )
    .bind(newest.sync_id)
    .bind(newest.request_id)
    .bind(why)
    .execute(connection)
    .await
    .map(drop)
}

/// Closes an attempt and answers which sync is the newest now, in one transaction.
pub(in crate::namespaces) async fn close(
    connection: &mut PgConnection,
    namespace_id: i64,
    attempt_id: i64,
    ended: &FinishedAttempt,
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
    .bind(ended.in_doubt)
    .execute(&mut *transaction)
    .await?;
    let newest = newest_id(&mut transaction, namespace_id).await?;
    transaction.commit().await?;
    Ok(newest)
}
