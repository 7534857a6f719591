//! The step `compute_minutes`: minutes of shared runners in `namespaces`.

use sqlx::PgConnection;

use crate::namespaces::document::{ComputeMinutes, Field};

/// Writes what was sent, if it differs. Minutes bought on top also forget that the namespace was warned about running
/// out, so that it is warned again. The answer is the rules broken.
///
/// # Errors
/// Only those of the database.
pub async fn apply(
    connection: &mut PgConnection,
    namespace_id: i64,
    part: &ComputeMinutes,
) -> Result<Vec<String>, sqlx::Error> {
    let monthly = &part.shared_runners_minutes_limit;
    let extra = &part.extra_shared_runners_minutes_limit;
    let broken: Vec<String> = [("Shared runners", monthly), ("Extra shared runners", extra)]
        .into_iter()
        .filter(|(_, field)| matches!(field, Field::Value(..0)))
        .map(|(name, _)| format!("{name} minutes limit must be greater than or equal to 0"))
        .collect();
    if !broken.is_empty() {
        return Ok(broken);
    }
    sqlx::query(
        "UPDATE namespaces SET
             shared_runners_minutes_limit = CASE WHEN $2 THEN $3 ELSE shared_runners_minutes_limit END,
             extra_shared_runners_minutes_limit = CASE WHEN $4 THEN $5 ELSE extra_shared_runners_minutes_limit END,
             last_ci_minutes_notification_at =
                 CASE WHEN $5 IS NULL THEN last_ci_minutes_notification_at END,
             last_ci_minutes_usage_notification_level =
                 CASE WHEN $5 IS NULL THEN last_ci_minutes_usage_notification_level END
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
    Ok(Vec::new())
}
