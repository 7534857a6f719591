//! The rows of `subscription_add_on_purchases` and of `subscription_add_ons`, which they point to.

use jiff::civil::Date;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, QueryBuilder, Row, postgres::PgRow};

use super::{catalogue::AddOn, namespace::Namespace, tables::TableColumns};
use crate::namespaces::sql_time::SqlDate;

/// What a namespace has of one add-on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PurchaseValues {
    pub add_on: AddOn,
    pub quantity: Option<i32>,
    pub started_on: Date,
    pub expires_on: Date,
    pub xid: Option<String>,
    pub trial: bool,
}

impl PurchaseValues {
    /// The same, not lasting beyond `day`.
    pub(super) fn until(self, day: Date) -> Self {
        let expires_on = self.expires_on.min(day);
        Self {
            started_on: self.started_on.min(expires_on),
            expires_on,
            ..self
        }
    }
}

/// A purchase and the id of its row.
pub(super) type PurchaseRow = (i64, PurchaseValues);

/// The namespace's rows of `add_on`, locked. There is one, but for a GitLab from 19.4 on, which
/// allows several: then the one named `xid` comes first, and then the one that lasts longest.
pub(super) async fn of(
    connection: &mut PgConnection,
    tables: &TableColumns,
    namespace_id: i64,
    add_on: AddOn,
    xid: Option<&str>,
) -> Result<Vec<PurchaseRow>, sqlx::Error> {
    let (join, uid) = uid(tables);
    let select = format!(
        "SELECT p.id::bigint, p.quantity, p.started_at, p.expires_on, p.purchase_xid, p.trial
         FROM subscription_add_on_purchases p {join}
         WHERE p.namespace_id = $1 AND {uid} = $2
         ORDER BY p.purchase_xid IS NOT DISTINCT FROM $3 DESC, p.expires_on DESC, p.id DESC FOR UPDATE OF p"
    );
    let rows = sqlx::query(AssertSqlSafe(select))
        .bind(namespace_id)
        .bind(add_on.uid())
        .bind(xid)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| read(row, add_on)).collect()
}

/// How to come from a purchase `p` to the number of its add-on. From 19.4 on the row of the add-on
/// may be missing, and the number that the purchase itself carries is the only one.
fn uid(tables: &TableColumns) -> (&'static str, &'static str) {
    const JOIN: &str = "LEFT JOIN subscription_add_ons a ON a.id = p.subscription_add_on_id";
    match (tables.add_on_uid, tables.add_ons) {
        (true, true) => (JOIN, "COALESCE(p.subscription_add_on_uid, a.name)"),
        (true, false) => ("", "p.subscription_add_on_uid"),
        (false, _) => (JOIN, "a.name"),
    }
}

fn read(row: &PgRow, add_on: AddOn) -> Result<PurchaseRow, sqlx::Error> {
    let purchase = PurchaseValues {
        add_on,
        quantity: row.try_get("quantity")?,
        started_on: row.try_get::<SqlDate, _>("started_at")?.0,
        expires_on: row.try_get::<SqlDate, _>("expires_on")?.0,
        xid: row.try_get("purchase_xid")?,
        trial: row.try_get("trial")?,
    };
    Ok((row.try_get("id")?, purchase))
}

/// A new row.
pub(super) async fn insert(
    connection: &mut PgConnection,
    tables: &TableColumns,
    namespace: &Namespace,
    purchase: &PurchaseValues,
) -> Result<(), sqlx::Error> {
    let add_on = add_on_columns(connection, tables, purchase.add_on).await?;
    let mut insert = QueryBuilder::<Postgres>::new(
        "INSERT INTO subscription_add_on_purchases (namespace_id, organization_id, quantity, started_at, expires_on,
             purchase_xid, trial, created_at, updated_at",
    );
    for (column, _) in &add_on {
        insert.push(", ").push(column);
    }
    insert.push(") VALUES (");
    let mut values = insert.separated(", ");
    values
        .push_bind(namespace.id)
        .push_bind(namespace.organization_id)
        .push_bind(purchase.quantity)
        .push_bind(SqlDate(purchase.started_on))
        .push_bind(SqlDate(purchase.expires_on))
        .push_bind(purchase.xid.clone())
        .push_bind(purchase.trial)
        .push("now()")
        .push("now()");
    for (_, value) in add_on {
        values.push_bind(value);
    }
    insert.push(")");
    insert.build().execute(connection).await?;
    Ok(())
}

/// Makes row `id`, which says `before`, say `after`: the same add-on or another that shares the
/// row. Unchanged fields are not written.
pub(super) async fn update(
    connection: &mut PgConnection,
    tables: &TableColumns,
    (id, before): &PurchaseRow,
    after: &PurchaseValues,
) -> Result<(), sqlx::Error> {
    if before == after {
        return Ok(());
    }
    let add_on = if before.add_on == after.add_on {
        Vec::new()
    } else {
        add_on_columns(connection, tables, after.add_on).await?
    };
    let mut update = QueryBuilder::<Postgres>::new(
        "UPDATE subscription_add_on_purchases SET updated_at = now(), quantity = ",
    );
    update
        .push_bind(after.quantity)
        .push(", started_at = ")
        .push_bind(SqlDate(after.started_on))
        .push(", expires_on = ")
        .push_bind(SqlDate(after.expires_on))
        .push(", purchase_xid = ")
        .push_bind(after.xid.clone())
        .push(", trial = ")
        .push_bind(after.trial);
    for (column, value) in add_on {
        update.push(", ").push(column).push(" = ").push_bind(value);
    }
    update.push(" WHERE id = ").push_bind(*id);
    update.build().execute(connection).await?;
    Ok(())
}

/// The columns that say which add-on a purchase is of, as far as this GitLab has them.
async fn add_on_columns(
    connection: &mut PgConnection,
    tables: &TableColumns,
    add_on: AddOn,
) -> Result<Vec<(&'static str, i64)>, sqlx::Error> {
    let mut columns = Vec::with_capacity(2);
    if tables.add_ons {
        let id = ensure_add_on(connection, add_on).await?;
        columns.push(("subscription_add_on_id", id));
    }
    if tables.add_on_uid {
        columns.push(("subscription_add_on_uid", add_on.uid().into()));
    }
    Ok(columns)
}

/// The id of the add-on's row, made if there is none. Only add-ons on the list of those that this
/// GitLab knows come here.
async fn ensure_add_on(connection: &mut PgConnection, add_on: AddOn) -> Result<i64, sqlx::Error> {
    const ID: &str = "SELECT id::bigint FROM subscription_add_ons WHERE name = $1";
    let found = sqlx::query_scalar(ID)
        .bind(add_on.uid())
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(id) = found {
        return Ok(id);
    }
    // These rows belong to no namespace, so its lock does not keep another call from making the
    // same one.
    sqlx::query(
        "INSERT INTO subscription_add_ons (name, description, created_at, updated_at) VALUES ($1, $2, now(), now())
         ON CONFLICT DO NOTHING",
    )
    .bind(add_on.uid())
    .bind(add_on.description())
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar(ID)
        .bind(add_on.uid())
        .fetch_one(connection)
        .await
}
