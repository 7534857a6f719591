//! A gate in the tables: whoever writes a certain row waits there, in the middle of its
//! transaction, until the test lets it through or cuts its connection.

use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::Mutex;

use crate::wait::until;

const GATE: i64 = 4711;

/// A closed gate.
#[derive(Debug)]
pub struct RowGate {
    keeper: Mutex<PgConnection>,
    pool: PgPool,
}

impl RowGate {
    /// Holds whatever comes to `place` (a trigger's event and table) with a row for which
    /// `condition` is true, after it was written and before its transaction goes on.
    pub async fn close(url: &str, pool: &PgPool, place: &str, condition: &str) -> Self {
        let mut keeper = PgConnection::connect(url).await.unwrap();
        let statements = format!(
            "SELECT pg_advisory_lock({GATE});
             CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_advisory_xact_lock_shared({GATE}); RETURN NULL; END $$;
             CREATE TRIGGER gate {place} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION wait_at_gate()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
            .execute(&mut keeper)
            .await
            .unwrap();
        Self {
            keeper: Mutex::new(keeper),
            pool: pool.clone(),
        }
    }

    /// Waits until somebody waits.
    pub async fn reached(&self) {
        let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
        wait_for(&self.pool, waits).await;
    }

    /// Cuts the connections of those who wait.
    pub async fn cut_those_waiting(&self) {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711
            AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        sqlx::raw_sql(cut).execute(&self.pool).await.unwrap();
    }

    /// Lets everybody through from now on.
    pub async fn open(&self) {
        let mut keeper = self.keeper.lock().await;
        sqlx::query("SELECT pg_advisory_unlock_all()")
            .execute(&mut *keeper)
            .await
            .unwrap();
    }
}

/// Waits until `query` answers true.
pub async fn wait_for(pool: &PgPool, query: &'static str) {
    until(query, async || {
        let answer = sqlx::query_scalar(query).fetch_one(pool).await;
        answer.unwrap()
    })
    .await;
}
