//! Which namespace `:id` means.

use sqlx::{PgConnection, Row, postgres::PgRow};

/// GitLab nests groups 20 deep; a path with more segments names nothing.
const MAX_SEGMENTS: usize = 21;

/// A namespace as far as provisioning has to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Id.
    pub id: i64,
    /// What it belongs to; each purchase carries it.
    pub organization_id: i64,
    /// Whether it is one person's own, which cannot have add-ons.
    pub personal: bool,
    /// Whether nothing is above it. Only a root buys.
    pub root: bool,
}

/// The namespace with this id or full path, ignoring case in the path. Project namespaces, which
/// belong to a project alone, count as none.
///
/// # Errors
/// Only those of the database.
pub async fn find(
    connection: &mut PgConnection,
    id_or_path: &str,
) -> Result<Option<Namespace>, sqlx::Error> {
    let row = if !id_or_path.is_empty() && id_or_path.bytes().all(|byte| byte.is_ascii_digit()) {
        match id_or_path.parse::<i64>() {
            Ok(id) => by_id(connection, id).await?,
            Err(_) => None,
        }
    } else {
        let segments: Vec<&str> = id_or_path.split('/').collect();
        let possible = segments.len() <= MAX_SEGMENTS && !id_or_path.contains('\0');
        if possible {
            by_path(connection, &segments).await?
        } else {
            None
        }
    };
    row.map(|row| read(&row)).transpose().map(Option::flatten)
}

async fn by_id(connection: &mut PgConnection, id: i64) -> Result<Option<PgRow>, sqlx::Error> {
    sqlx::query(
        "SELECT id::bigint, organization_id::bigint, type, parent_id IS NULL AS root FROM namespaces WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await
}

async fn by_path(
    connection: &mut PgConnection,
    segments: &[&str],
) -> Result<Option<PgRow>, sqlx::Error> {
    sqlx::query(
        "WITH RECURSIVE walk AS (
             SELECT id, 1 AS depth FROM namespaces WHERE parent_id IS NULL AND lower(path) = lower($1[1])
             UNION ALL
             SELECT child.id, depth + 1
             FROM walk JOIN namespaces child ON child.parent_id = walk.id AND lower(child.path) = lower($1[depth + 1])
         )
         SELECT id::bigint, organization_id::bigint, type, parent_id IS NULL AS root
         FROM walk JOIN namespaces USING (id) WHERE depth = cardinality($1) ORDER BY id LIMIT 1",
    )
    .bind(segments)
    .fetch_optional(connection)
    .await
}

fn read(row: &PgRow) -> Result<Option<Namespace>, sqlx::Error> {
    // Before GitLab 14.2 a person's own namespace had no type.
    let personal = match row.try_get::<Option<&str>, _>("type")? {
        Some("Group") => false,
        Some("User") | None => true,
        Some(_) => return Ok(None),
    };
    Ok(Some(Namespace {
        id: row.try_get("id")?,
        organization_id: row.try_get("organization_id")?,
        personal,
        root: row.try_get("root")?,
    }))
}
