//! The step `storage`: purchased storage in `namespace_limits`.

use sqlx::PgConnection;

use crate::namespaces::{
    contract::document::{DocumentField, Storage},
    sql_time::SqlDate,
};

/// Writes what was sent, on a row made if there is none, and only if it differs. The answer is the
/// rules broken.
///
/// # Errors
/// Only those of the database.
pub async fn apply(
    connection: &mut PgConnection,
    namespace_id: i64,
    part: &Storage,
) -> Result<Vec<String>, sqlx::Error> {
    let size = &part.additional_purchased_storage_size;
    let broken = match size {
        DocumentField::Null => Some("can't be blank"),
        DocumentField::Value(..0) => Some("must be greater than or equal to 0"),
        DocumentField::Value(_) | DocumentField::Absent => None,
    };
    if let Some(rule) = broken {
        return Ok(vec![format!(
            "Namespace limit additional purchased storage size {rule}"
        )]);
    }
    let ends_on = &part.additional_purchased_storage_ends_on;
    sqlx::query(
        "INSERT INTO namespace_limits AS row
             (namespace_id, additional_purchased_storage_size, additional_purchased_storage_ends_on)
         VALUES ($1, COALESCE($2, 0), $4)
         ON CONFLICT (namespace_id) DO UPDATE SET
             additional_purchased_storage_size = COALESCE($2, row.additional_purchased_storage_size),
             additional_purchased_storage_ends_on =
                 CASE WHEN $3 THEN $4 ELSE row.additional_purchased_storage_ends_on END
         WHERE row.additional_purchased_storage_size <> $2
             OR ($3 AND row.additional_purchased_storage_ends_on IS DISTINCT FROM $4)",
    )
    .bind(namespace_id)
    .bind(size.value())
    .bind(!ends_on.is_absent())
    .bind(ends_on.value().map(SqlDate))
    .execute(connection)
    .await?;
    Ok(Vec::new())
}
