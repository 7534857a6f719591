//! The step `compute_minutes`: minutes of shared runners in `namespaces`, and what hangs on them.

use sqlx::{AssertSqlSafe, PgConnection};

use super::tables::TableColumns;
use crate::namespaces::contract::document::{ComputeMinutes, DocumentField};

/// Writes what was sent, if it differs. Minutes bought on top also forget that the namespace was
/// warned about running out, so that it is warned again. The answer is the rules broken.
///
/// Whatever was sent, this month's count forgets its warnings and waiting builds are looked at
/// again, as GitLab does (`Ci::Minutes::RefreshCachedDataService`): otherwise pipelines that wait
/// for minutes go on waiting after minutes were bought.
///
/// # Errors
/// Only those of the database.
pub(super) async fn apply(
    connection: &mut PgConnection,
    tables: &TableColumns,
    namespace_id: i64,
    part: &ComputeMinutes,
) -> Result<Vec<String>, sqlx::Error> {
    let broken = broken_rules(part);
    if !broken.is_empty() {
        return Ok(broken);
    }
    write(connection, namespace_id, part).await?;
    if tables.usages {
        forget_warnings(connection, namespace_id).await?;
    }
    if tables.pending_builds {
        let recount = AssertSqlSafe(recount(tables));
        let recount = sqlx::query(recount).bind(namespace_id);
        recount.execute(connection).await?;
    }
    Ok(Vec::new())
}

fn broken_rules(part: &ComputeMinutes) -> Vec<String> {
    [
        ("Shared runners", &part.shared_runners_minutes_limit),
        (
            "Extra shared runners",
            &part.extra_shared_runners_minutes_limit,
        ),
    ]
    .into_iter()
    .filter(|(_, field)| matches!(field, DocumentField::Value(..0)))
    .map(|(name, _)| format!("{name} minutes limit must be greater than or equal to 0"))
    .collect()
}

async fn write(
    connection: &mut PgConnection,
    namespace_id: i64,
    part: &ComputeMinutes,
) -> Result<(), sqlx::Error> {
    let monthly = &part.shared_runners_minutes_limit;
    let extra = &part.extra_shared_runners_minutes_limit;
    sqlx::query(
        "UPDATE namespaces SET
             shared_runners_minutes_limit = CASE WHEN $2 THEN $3 ELSE shared_runners_minutes_limit END,
             extra_shared_runners_minutes_limit = CASE WHEN $4 THEN $5 ELSE extra_shared_runners_minutes_limit END,
             last_ci_minutes_notification_at =
                 CASE WHEN $5 IS NULL THEN last_ci_minutes_notification_at END,
             last_ci_minutes_usage_notification_level =
                 CASE WHEN $5 IS NULL THEN last_ci_minutes_usage_notification_level END,
             updated_at = now()
         WHERE id = $1 AND (
             ($2 AND shared_runners_minutes_limit IS DISTINCT FROM $3)
             OR ($4 AND extra_shared_runners_minutes_limit IS DISTINCT FROM $5)
             OR ($5 IS NOT NULL AND (last_ci_minutes_notification_at IS NOT NULL
                 OR last_ci_minutes_usage_notification_level IS NOT NULL)))",
    )
    .bind(namespace_id)
    .bind(!monthly.is_absent())
    .bind(monthly.value())
    .bind(!extra.is_absent())
    .bind(extra.value())
    .execute(connection)
    .await?;
    Ok(())
}

/// `notification_level` 100 is that nobody was warned this month. No conflict target: the index is
/// GitLab's affair.
async fn forget_warnings(
    connection: &mut PgConnection,
    namespace_id: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE ci_namespace_monthly_usages SET notification_level = 100
         WHERE namespace_id = $1 AND date = date_trunc('month', now())::date AND notification_level <> 100",
    )
    .bind(namespace_id)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO ci_namespace_monthly_usages (namespace_id, date, notification_level, created_at)
         SELECT $1, date_trunc('month', now())::date, 100, now()
         WHERE NOT EXISTS (SELECT FROM ci_namespace_monthly_usages
             WHERE namespace_id = $1 AND date = date_trunc('month', now())::date)
         ON CONFLICT DO NOTHING",
    )
    .bind(namespace_id)
    .execute(connection)
    .await?;
    Ok(())
}

/// A namespace without a monthly number of its own has the instance's. No minutes at all means that
/// they are not limited (`Ci::Minutes::Quota`).
fn recount(tables: &TableColumns) -> String {
    let used = if tables.usages {
        "COALESCE((SELECT amount_used FROM ci_namespace_monthly_usages
             WHERE namespace_id = $1 AND date = date_trunc('month', now())::date), 0)"
    } else {
        "0"
    };
    let instance = if tables.instance_minutes {
        "(SELECT shared_runners_minutes FROM application_settings ORDER BY id DESC LIMIT 1)"
    } else {
        "0"
    };
    format!(
        "WITH RECURSIVE below AS (
             SELECT id FROM namespaces WHERE id = $1
             UNION ALL
             SELECT child.id FROM below JOIN namespaces child ON child.parent_id = below.id
         ), quota AS (
             SELECT COALESCE(shared_runners_minutes_limit, {instance}, 0)::bigint
                 + COALESCE(extra_shared_runners_minutes_limit, 0) AS minutes
             FROM namespaces WHERE id = $1
         ), exceeded AS (
             SELECT minutes > 0 AND trunc({used}) >= minutes AS value FROM quota
         )
         UPDATE ci_pending_builds SET minutes_exceeded = exceeded.value FROM exceeded
         WHERE namespace_id IN (SELECT id FROM below) AND minutes_exceeded <> exceeded.value"
    )
}
