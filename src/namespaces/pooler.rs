//! Whether connections are sessions: a pooler in transaction mode hands each transaction to another
//! one.
//!
//! The lock of a namespace lives as long as a session. Behind such a pooler it is taken on one
//! session and looked for on another, so that two workers would send at once.

use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::database::DatabasePool;

/// How often it is tried to be caught at it.
const ROUNDS: usize = 3;

/// Why a pool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SessionCheckError {
    /// Transactions of one connection go to several sessions.
    #[error(
        "the database connections go through a pooler in transaction mode, behind which a session's locks lock nothing: \
         give this database pool_mode = session in the pooler (PgBouncer: on its line under [databases]), or connect to \
         PostgreSQL itself"
    )]
    Shared,
    /// It could not be found out.
    #[error("the database cannot be asked whether its connections are sessions")]
    Unknown(#[source] sqlx::Error),
}

/// Passes a pool whose connections are sessions. One leaves a word in its session; then neither may
/// another find it, nor may the first lose it while the other holds a transaction open. The words
/// of statements, without preparing any: what is prepared is a session's too.
///
/// # Errors
/// [`SessionCheckError`].
pub async fn refuse_shared_sessions(pool: &DatabasePool) -> Result<(), SessionCheckError> {
    let shared = are_shared(pool).await;
    if shared.map_err(SessionCheckError::Unknown)? {
        Err(SessionCheckError::Shared)
    } else {
        Ok(())
    }
}

async fn are_shared(pool: &DatabasePool) -> Result<bool, sqlx::Error> {
    let (mut own, mut other) = (pool.acquire().await?, pool.acquire().await?);
    for _ in 0..ROUNDS {
        let word = Uuid::new_v4().to_string();
        let set = format!("SET lookup_gitlab_sync.session = '{word}'");
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *own).await?;
        sqlx::raw_sql("BEGIN").execute(&mut *other).await?;
        let seen = has(&mut other, &word).await;
        let kept = has(&mut own, &word).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut *other).await?;
        if seen? || !kept? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the word is in the session that this connection has now.
async fn has(connection: &mut PgConnection, word: &str) -> Result<bool, sqlx::Error> {
    let ask =
        format!("SELECT 1 WHERE current_setting('lookup_gitlab_sync.session', true) = '{word}'");
    let row = sqlx::raw_sql(AssertSqlSafe(ask))
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}
