//! The tables that provisioning writes: whose they are, and whether they are all there.

use sqlx::{
    PgConnection,
    migrate::{MigrateError, Migrator},
};

pub use crate::namespaces::database::{DatabaseSettings, MigrationMode, TlsMode};
use crate::namespaces::{
    database::{DatabasePool, may_pass, migration_may_pass},
    pooler::{SessionCheckError, refuse_shared_sessions},
};

static MIGRATIONS: Migrator = Migrator {
    // The ledger may live in the same database and keeps its own list.
    table_name: std::borrow::Cow::Borrowed("provisioning_migrations"),
    ..sqlx::migrate!("migrations/provisioning")
};

/// What the address is called.
const SETTING: &str = "namespaces.provisioning_database_url";

/// A database that cannot be used. No text holds the address, which holds the password.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseOpenError {
    /// The address or the certificate.
    #[error("the provisioning database's settings cannot be used")]
    Settings(#[source] sqlx::Error),
    /// The connections are no sessions.
    #[error(transparent)]
    Sessions(#[from] SessionCheckError),
    /// No connection.
    #[error("the provisioning database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// The tables of a GitLab are there already.
    #[error("this is a GitLab database, whose tables are GitLab's alone: set migrations to off")]
    GitLabs,
    /// Our tables could not be brought up to date.
    #[error("the provisioning tables cannot be created or updated")]
    Migration(#[source] MigrateError),
    /// Columns that provisioning needs.
    #[error("the provisioning database lacks {}", .0.join(", "))]
    Columns(Vec<String>),
}

impl DatabaseOpenError {
    /// Whether opening the database again may succeed where nobody does anything about it.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Sessions(SessionCheckError::Unknown(error)) | Self::Unreachable(error) => {
                may_pass(error)
            }
            Self::Migration(error) => migration_may_pass(error),
            Self::Settings(_)
            | Self::Sessions(SessionCheckError::Shared)
            | Self::GitLabs
            | Self::Columns(_) => false,
        }
    }
}

/// Opens the pool and sees to the tables as `settings.migrations` says.
///
/// # Errors
/// [`DatabaseOpenError`]; with [`MigrationMode::Off`] only for settings that cannot be used.
pub async fn open(settings: &DatabaseSettings) -> Result<DatabasePool, DatabaseOpenError> {
    let pool = DatabasePool::new(settings, "provisioning", SETTING)
        .map_err(DatabaseOpenError::Settings)?;
    match refuse_shared_sessions(&pool).await {
        // A database that does not answer is met again below, where it has to be there at the
        // start.
        Ok(()) | Err(SessionCheckError::Unknown(_)) => {}
        Err(shared @ SessionCheckError::Shared) => return Err(shared.into()),
    }
    let connect = async || pool.acquire().await.map_err(DatabaseOpenError::Unreachable);
    match settings.migrations {
        MigrationMode::On => migrate(&mut *connect().await?).await?,
        MigrationMode::Off => {}
        MigrationMode::Verify => verify(&mut *connect().await?).await?,
    }
    Ok(pool)
}

async fn migrate(connection: &mut PgConnection) -> Result<(), DatabaseOpenError> {
    // `schema_migrations` is the list of GitLab's own migrations; ours is named otherwise.
    let gitlabs =
        sqlx::query_scalar::<_, bool>("SELECT to_regclass('schema_migrations') IS NOT NULL")
            .fetch_one(&mut *connection)
            .await
            .map_err(DatabaseOpenError::Unreachable)?;
    if gitlabs {
        return Err(DatabaseOpenError::GitLabs);
    }
    MIGRATIONS
        .run(connection)
        .await
        .map_err(DatabaseOpenError::Migration)
}

/// Every column that a statement of this module names, except the ones that are looked for when
/// needed.
const COLUMNS: [(&str, &[&str]); 7] = [
    ("plans", &["id", "name", "plan_name_uid"]),
    (
        "namespaces",
        &[
            "id",
            "path",
            "type",
            "parent_id",
            "organization_id",
            "shared_runners_minutes_limit",
            "extra_shared_runners_minutes_limit",
            "last_ci_minutes_notification_at",
            "last_ci_minutes_usage_notification_level",
            "updated_at",
        ],
    ),
    (
        "namespace_limits",
        &[
            "namespace_id",
            "additional_purchased_storage_size",
            "additional_purchased_storage_ends_on",
        ],
    ),
    (
        "gitlab_subscriptions",
        &[
            "id",
            "namespace_id",
            "hosted_plan_id",
            "hosted_plan_name_uid",
            "start_date",
            "end_date",
            "trial_starts_on",
            "trial_ends_on",
            "max_seats_used",
            "seats",
            "trial",
            "auto_renew",
            "seats_in_use",
            "seats_owed",
            "max_seats_used_changed_at",
            "created_at",
            "updated_at",
        ],
    ),
    (
        "gitlab_subscription_histories",
        &[
            "id",
            "gitlab_subscription_id",
            "hosted_plan_id",
            "start_date",
            "end_date",
            "change_type",
            "gitlab_subscription_created_at",
            "gitlab_subscription_updated_at",
            "created_at",
        ],
    ),
    (
        "subscription_add_ons",
        &["id", "name", "description", "created_at", "updated_at"],
    ),
    (
        "subscription_add_on_purchases",
        &[
            "id",
            "subscription_add_on_id",
            "namespace_id",
            "organization_id",
            "quantity",
            "started_at",
            "expires_on",
            "purchase_xid",
            "trial",
            "created_at",
            "updated_at",
        ],
    ),
];

async fn verify(connection: &mut PgConnection) -> Result<(), DatabaseOpenError> {
    let (tables, columns): (Vec<&str>, Vec<&str>) = COLUMNS
        .iter()
        .flat_map(|(table, columns)| columns.iter().map(move |column| (*table, *column)))
        .unzip();
    let missing: Vec<String> = sqlx::query_scalar(
        "SELECT wanted.table_name || '.' || wanted.column_name
         FROM unnest($1::text[], $2::text[]) AS wanted (table_name, column_name)
         WHERE NOT EXISTS (
             SELECT FROM pg_attribute
             WHERE attrelid = to_regclass(wanted.table_name) AND attname = wanted.column_name AND NOT attisdropped)",
    )
    .bind(tables)
    .bind(columns)
    .fetch_all(connection)
    .await
    .map_err(DatabaseOpenError::Unreachable)?;
    if missing.is_empty() {
        Ok(())
    } else {
        Err(DatabaseOpenError::Columns(missing))
    }
}
