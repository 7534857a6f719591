//! Whose tables, and how connections are encrypted.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use lookup_gitlab_sync::{
    config::{AnyConfig, Sources},
    namespaces::{
        ledger::Ledger,
        provisioning::database::{
            DatabaseOpenError, DatabaseSettings, MigrationMode, TlsMode, open,
        },
    },
};
use serde_json::json;
use sqlx::PgPool;
use testkit::postgres::{PostgresServer, TestDatabase};

use super::fixture::{ProvisioningFixture, document};

fn settings(database: &TestDatabase, migrations: MigrationMode) -> DatabaseSettings {
    let mut settings = DatabaseSettings::new(database.url.clone().into());
    settings.migrations = migrations;
    settings
}

async fn tables(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn migrations_make_the_tables_once_and_keep_a_list_of_their_own() {
    let database = TestDatabase::create().await;
    for _ in 0..2 {
        open(&settings(&database, MigrationMode::On)).await.unwrap();
    }
    let tables = tables(&database.pool().await).await;
    assert!(tables.contains(&"gitlab_subscriptions".to_owned()));
    assert!(tables.contains(&"provisioning_migrations".to_owned()));
    assert!(
        !tables.contains(&"_sqlx_migrations".to_owned()),
        "the ledger's list may be there"
    );
    open(&settings(&database, MigrationMode::Verify))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_plans_have_gitlabs_numbers() {
    let database = TestDatabase::create().await;
    let pool = open(&settings(&database, MigrationMode::On)).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let plans: Vec<(i16, String)> =
        sqlx::query_as("SELECT plan_name_uid, name FROM plans ORDER BY 1")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    let names = [
        "default",
        "free",
        "bronze",
        "silver",
        "premium",
        "gold",
        "ultimate",
        "ultimate_trial",
        "premium_trial",
        "ultimate_trial_paid_customer",
        "opensource",
        "early_adopter",
    ];
    let expected: Vec<(i16, String)> = (1..).zip(names.map(str::to_owned)).collect();
    assert_eq!(plans, expected);
}

#[tokio::test]
async fn with_migrations_off_nothing_is_created() {
    let database = TestDatabase::create().await;
    open(&settings(&database, MigrationMode::Off))
        .await
        .unwrap();
    assert!(tables(&database.pool().await).await.is_empty());
}

#[tokio::test]
async fn a_gitlab_database_gets_no_tables_of_ours() {
    let database = TestDatabase::create().await;
    let pool = database.pool().await;
    sqlx::raw_sql("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
        .execute(&pool)
        .await
        .unwrap();
    let refused = open(&settings(&database, MigrationMode::On))
        .await
        .unwrap_err();
    assert!(matches!(refused, DatabaseOpenError::GitLabs), "{refused}");
    assert_eq!(tables(&pool).await, ["schema_migrations"]);
}

#[tokio::test]
async fn verifying_names_each_missing_column() {
    let database = TestDatabase::create().await;
    let pool = open(&settings(&database, MigrationMode::On)).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    sqlx::raw_sql("ALTER TABLE plans DROP COLUMN plan_name_uid; DROP TABLE namespace_limits")
        .execute(&mut *connection)
        .await
        .unwrap();
    let refused = open(&settings(&database, MigrationMode::Verify))
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the provisioning database lacks plans.plan_name_uid, namespace_limits.namespace_id, \
         namespace_limits.additional_purchased_storage_size, namespace_limits.additional_purchased_storage_ends_on"
    );
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_an_error_that_keeps_the_password() {
    let mut settings =
        DatabaseSettings::new("postgres://somebody:geheim@127.0.0.1:1/nothing".into());
    settings.acquire_timeout = std::time::Duration::from_millis(500);
    let refused = open(&settings).await.unwrap_err();
    let text = format!("{refused:?} {refused}");
    assert!(
        matches!(refused, DatabaseOpenError::Unreachable(_)),
        "{text}"
    );
    assert!(!text.contains("geheim"), "{text}");
}

/// GitLab's ids were `integer` for long, and some of its texts still have a limit.
#[tokio::test]
async fn the_same_statements_stand_on_narrower_columns_and_other_peoples_tables() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture
        .execute(
            "ALTER TABLE plans ALTER id TYPE integer, ALTER name TYPE varchar(255);
             ALTER TABLE gitlab_subscriptions ALTER id TYPE integer, ALTER hosted_plan_id TYPE integer,
                 ALTER namespace_id TYPE integer;
             ALTER TABLE gitlab_subscription_histories ALTER id TYPE integer, ALTER gitlab_subscription_id TYPE integer,
                 ALTER namespace_id TYPE integer, ALTER hosted_plan_id TYPE integer;
             ALTER TABLE namespaces ALTER id TYPE integer, ALTER parent_id TYPE integer, ALTER organization_id TYPE integer;
             ALTER TABLE namespace_limits ALTER namespace_id TYPE integer;
             ALTER TABLE subscription_add_ons ALTER id TYPE integer;
             ALTER TABLE subscription_add_on_purchases ALTER id TYPE integer, ALTER namespace_id TYPE integer,
                 ALTER subscription_add_on_id TYPE integer, ALTER purchase_xid TYPE varchar(255);
             DROP TABLE provisioning_migrations;
             CREATE TABLE schema_migrations (version varchar PRIMARY KEY)",
        )
        .await;
    let gitlab = fixture
        .twin_with(|settings| settings.database.migrations = MigrationMode::Verify)
        .await;
    for n in 1..=3 {
        gitlab.apply(id, document(n)).await;
        gitlab.assert_settled(id, document(n)).await;
    }
    assert_eq!(gitlab.post("Acme", json!({})).await.0, 200);
}

/// GitLab's older timestamps have no zone and are meant as UTC, wherever the server is.
#[tokio::test]
async fn times_without_a_zone_are_utc_on_a_server_elsewhere() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture
        .execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Tokyo''', current_database()); END $$;
             ALTER TABLE gitlab_subscriptions ALTER created_at TYPE timestamp",
        )
        .await;
    let elsewhere = fixture.twin().await;
    elsewhere.apply(id, document(1)).await;
    let off = "SELECT abs(extract(epoch FROM created_at - (now() AT TIME ZONE 'UTC'))) > 3600 AS off FROM gitlab_subscriptions";
    assert_eq!(fixture.rows(off).await, json!([{ "off": false }]));
}

/// A server with a certificate for 127.0.0.1, and the file of its authority.
fn server_with_tls() -> (PostgresServer, PathBuf) {
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let server = PostgresServer::start(|data| {
        fs::write(data.join("server.crt"), certified.cert.pem()).unwrap();
        fs::write(
            data.join("server.key"),
            certified.signing_key.serialize_pem(),
        )
        .unwrap();
        fs::set_permissions(data.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
        vec!["ssl=on".to_owned()]
    });
    let authority = server.folder.join("authority.pem");
    fs::write(&authority, certified.cert.pem()).unwrap();
    (server, authority)
}

async fn encrypted(settings: &DatabaseSettings) -> Result<bool, DatabaseOpenError> {
    let pool = open(settings).await?;
    let mut connection = pool.acquire().await.unwrap();
    let ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let encrypted = sqlx::query_scalar(ssl).fetch_one(&mut *connection).await;
    Ok(encrypted.unwrap())
}

#[tokio::test]
async fn connections_are_encrypted_as_the_settings_say() {
    let (server, authority) = server_with_tls();
    let database = TestDatabase::create_on(&server.url()).await;
    let mut settings = settings(&database, MigrationMode::On);
    settings.acquire_timeout = std::time::Duration::from_secs(10);
    for (tls, expected) in [
        (None, true),
        (Some(TlsMode::Disable), false),
        (Some(TlsMode::Prefer), true),
        (Some(TlsMode::Require), true),
    ] {
        settings.tls = tls;
        assert_eq!(encrypted(&settings).await.unwrap(), expected, "{tls:?}");
    }
    for tls in [TlsMode::VerifyCa, TlsMode::VerifyFull] {
        settings.tls = Some(tls);
        settings.ca_certificate = None;
        assert!(
            matches!(
                encrypted(&settings).await,
                Err(DatabaseOpenError::Unreachable(_))
            ),
            "{tls:?} without its authority"
        );
        settings.ca_certificate = Some(authority.clone());
        assert!(encrypted(&settings).await.unwrap(), "{tls:?}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_required() {
    let server = PostgresServer::start(|_| Vec::new());
    let database = TestDatabase::create_on(&server.url()).await;
    let mut settings = settings(&database, MigrationMode::On);
    settings.tls = Some(TlsMode::Require);
    assert!(matches!(
        encrypted(&settings).await,
        Err(DatabaseOpenError::Unreachable(_))
    ));
    settings.tls = Some(TlsMode::Prefer);
    assert!(!encrypted(&settings).await.unwrap());
}

/// Both databases of the pipeline, as their stages open them.
#[tokio::test]
async fn the_encryption_that_is_configured_is_that_of_both_databases() {
    let (server, authority) = server_with_tls();
    let database = TestDatabase::create_on(&server.url()).await;
    let configured = |tls: &str, authority: &Path| {
        let given = Sources {
            environment: [
                ("DATABASE_URL", database.url.as_str()),
                ("LOOKUP_GITLAB_SYNC__NAMESPACES__DATABASE__TLS", tls),
                (
                    "LOOKUP_GITLAB_SYNC__NAMESPACES__DATABASE__CA_CERTIFICATE_FILE",
                    authority.to_str().unwrap(),
                ),
                (
                    "LOOKUP_GITLAB_SYNC__NAMESPACES__DATABASE__ACQUIRE_TIMEOUT",
                    "10s",
                ),
            ]
            .into_iter()
            .collect(),
            ..Sources::default()
        };
        AnyConfig::load(&given).unwrap().config.namespaces
    };
    let good = configured("verify-full", &authority);
    assert!(
        encrypted(&good.provisioning().unwrap().into())
            .await
            .unwrap()
    );
    let ledger = Ledger::open(&good.ledger().unwrap().into()).await.unwrap();
    ledger.ready().await.unwrap();
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'lookup-gitlab-sync ledger'";
    let encrypted: bool = sqlx::query_scalar(encrypted)
        .fetch_one(&database.pool().await)
        .await
        .unwrap();
    assert!(encrypted, "the ledger speaks in plain text");

    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let strangers = server.folder.join("strangers.pem");
    fs::write(&strangers, other.cert.pem()).unwrap();
    let bad = configured("verify-full", &strangers);
    let refused = Ledger::open(&bad.ledger().unwrap().into()).await;
    assert!(refused.is_err(), "the ledger believes any certificate");
}
