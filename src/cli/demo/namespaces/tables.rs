//! What GitLab's tables say a namespace has.

use std::fmt;

use serde::Serialize;
use sqlx::PgPool;

/// What a namespace has, as far as the demo's documents speak of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct NamespaceHoldings {
    /// The plan's name.
    pub plan: String,
    /// Of the plan.
    pub seats: i32,
    /// MiB.
    pub storage: i64,
    /// Bought on top.
    pub minutes: i32,
    /// For how many Duo Enterprise is.
    pub duo: i32,
    /// How often plan or seats have changed since they were first bought.
    pub changes: i64,
}

impl NamespaceHoldings {
    /// `None` unless the namespace has a row in every table.
    pub async fn by(namespace_id: i64, gitlab: &PgPool) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query_as(
            "SELECT plans.name AS plan, seats, additional_purchased_storage_size AS storage,
                 extra_shared_runners_minutes_limit AS minutes, quantity AS duo,
                 (SELECT count(*) FROM gitlab_subscription_histories WHERE namespace_id = namespaces.id) AS changes
             FROM namespaces
             JOIN gitlab_subscriptions subscriptions ON subscriptions.namespace_id = namespaces.id
             JOIN plans ON plans.id = hosted_plan_id
             JOIN namespace_limits limits ON limits.namespace_id = namespaces.id
             JOIN subscription_add_on_purchases purchases ON purchases.namespace_id = namespaces.id
             WHERE namespaces.id = $1",
        )
        .bind(namespace_id)
        .fetch_optional(gitlab)
        .await
    }
}

impl fmt::Display for NamespaceHoldings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            plan,
            seats,
            storage,
            minutes,
            duo,
            changes,
        } = self;
        write!(
            f,
            "{plan} with {seats} seats, {storage} MiB, {minutes} minutes, Duo Enterprise for {duo}; rows in history: {changes}"
        )
    }
}

/// All that provisioning has written, every column of every row.
pub async fn everything(gitlab: &PgPool) -> Result<String, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT string_agg(row, E'\n' ORDER BY row) FROM (
             SELECT 'namespaces ' || to_jsonb(t)::text FROM namespaces t
             UNION ALL SELECT 'limits ' || to_jsonb(t)::text FROM namespace_limits t
             UNION ALL SELECT 'subscriptions ' || to_jsonb(t)::text FROM gitlab_subscriptions t
             UNION ALL SELECT 'histories ' || to_jsonb(t)::text FROM gitlab_subscription_histories t
             UNION ALL SELECT 'purchases ' || to_jsonb(t)::text FROM subscription_add_on_purchases t
         ) AS tables (row)",
    )
    .fetch_one(gitlab)
    .await
}

/// A group that GitLab has from now on.
pub async fn make_group(id: i64, path: &str, gitlab: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO namespaces (id, name, path, type, organization_id) OVERRIDING SYSTEM VALUE
         VALUES ($1, $2, $2, 'Group', 1)",
    )
    .bind(id)
    .bind(path)
    .execute(gitlab)
    .await
    .map(drop)
}
