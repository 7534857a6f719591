//! `PostgreSQL` behind a pooler.

use lookup_gitlab_sync::namespaces::{
    database::{self, DatabasePool},
    ledger::Ledger,
    provisioning,
};
use sqlx::Row;
use testkit::{
    pgbouncer::PgBouncer,
    postgres::{PostgresServer, TestDatabase},
};

use crate::worker_fixture::{document, settings};

/// Start-up parameters do not pass it; what is set on a session does.
#[tokio::test]
async fn behind_pgbouncer_in_session_mode_every_session_has_its_limits_and_the_ledger_works() {
    let server = PostgresServer::start(|_| Vec::new());
    let Some(pooler) = PgBouncer::start(&server.url(), "session", "session mode") else {
        return;
    };
    let database = TestDatabase::create_on(&server.url()).await;
    let settings = settings(&pooler.url(&database.url));
    let ledger = Ledger::open(&settings).await.unwrap();
    let recorded = ledger.record(42, &document(30), None).await.unwrap();
    assert!(recorded.unwrap().changed);

    let pool = DatabasePool::new(&settings, "test", "test").unwrap();
    let mut connection = pool.acquire().await.unwrap();
    for (name, value) in [
        ("lock_timeout", "30s"),
        ("statement_timeout", "15s"),
        ("idle_in_transaction_session_timeout", "15s"),
        ("TimeZone", "UTC"),
    ] {
        let show = sqlx::AssertSqlSafe(format!("SHOW {name}"));
        let row = sqlx::raw_sql(show)
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert_eq!(row.get::<String, _>(0), value, "{name}");
    }
}

#[tokio::test]
async fn behind_pgbouncer_in_transaction_mode_nothing_starts_and_the_remedy_is_told() {
    let server = PostgresServer::start(|_| Vec::new());
    let Some(pooler) = PgBouncer::start(&server.url(), "transaction", "transaction mode") else {
        return;
    };
    let database = TestDatabase::create_on(&server.url()).await;
    let url = pooler.url(&database.url);
    let ledger = Ledger::open(&settings(&url)).await.unwrap_err();
    let mut own = settings(&url);
    own.migrations = database::MigrationMode::Off;
    let provisioning = provisioning::database::open(&own).await.unwrap_err();
    for told in [ledger.to_string(), provisioning.to_string()] {
        assert!(told.contains("pool_mode = session"), "{told}");
    }
    let history = testkit::command::isolated(testkit::service_binary!())
        .args(["namespaces", "history", "42"])
        .env("DATABASE_URL", &url)
        .output()
        .await
        .unwrap();
    assert_eq!(history.status.code(), Some(1), "{history:?}");
    let told = String::from_utf8(history.stderr).unwrap();
    assert!(told.contains("transaction mode"), "{told}");
    let direct = Ledger::open(&settings(&database.url)).await;
    assert!(direct.is_ok(), "the server itself is no pooler: {direct:?}");
}
