//! The rows of `subscription_add_on_purchases` and of `subscription_add_ons`, which they point to.

use jiff::civil::Date;
use sqlx::{PgConnection, Row};

use super::{catalogue::AddOn, namespace::Namespace};
use crate::namespaces::sql_time::SqlDate;

/// What a namespace has of one add-on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Purchase {
    pub add_on: AddOn,
    pub quantity: Option<i32>,
    pub started_on: Date,
    pub expires_on: Date,
    pub xid: Option<String>,
    pub trial: bool,
}

/// The namespace's row of one of `candidates`, locked; of `add_on` itself rather than another, and of several (which
/// GitLab allows from 19.4) the one that lasts longest.
pub(super) async fn find(
    connection: &mut PgConnection,
    namespace_id: i64,
    add_on: AddOn,
    candidates: &[AddOn],
) -> Result<Option<(i64, Purchase)>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT p.id::bigint, a.name::smallint AS uid, p.quantity, p.started_at, p.expires_on, p.purchase_xid, p.trial
         FROM subscription_add_on_purchases p JOIN subscription_add_ons a ON a.id = p.subscription_add_on_id
         WHERE p.namespace_id = $1 AND a.name = ANY ($2)
         ORDER BY a.name = $3 DESC, p.expires_on DESC, p.id DESC LIMIT 1 FOR UPDATE OF p",
    )
    .bind(namespace_id)
    .bind(candidates.iter().map(|candidate| candidate.uid()).collect::<Vec<i16>>())
    .bind(add_on.uid())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let uid: i16 = row.try_get("uid")?;
    let found = candidates.iter().find(|candidate| candidate.uid() == uid);
    let purchase = Purchase {
        add_on: found.copied().unwrap_or(add_on),
        quantity: row.try_get("quantity")?,
        started_on: row.try_get::<SqlDate, _>("started_at")?.0,
        expires_on: row.try_get::<SqlDate, _>("expires_on")?.0,
        xid: row.try_get("purchase_xid")?,
        trial: row.try_get("trial")?,
    };
    Ok(Some((row.try_get("id")?, purchase)))
}

const INSERT: &str = "INSERT INTO subscription_add_on_purchases
         (subscription_add_on_id, namespace_id, organization_id, quantity, started_at, expires_on, purchase_xid, trial,
          created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now(), now())";

const INSERT_WITH_UID: &str = "INSERT INTO subscription_add_on_purchases
         (subscription_add_on_id, namespace_id, organization_id, quantity, started_at, expires_on, purchase_xid, trial,
          created_at, updated_at, subscription_add_on_uid)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now(), now(), $9)";

/// A new row.
pub(super) async fn insert(
    connection: &mut PgConnection,
    namespace: &Namespace,
    purchase: &Purchase,
) -> Result<(), sqlx::Error> {
    let add_on_id = ensure_add_on(connection, purchase.add_on).await?;
    let with_uid = has_uid_column(connection).await?;
    let insert = sqlx::query(if with_uid { INSERT_WITH_UID } else { INSERT })
        .bind(add_on_id)
        .bind(namespace.id)
        .bind(namespace.organization_id)
        .bind(purchase.quantity)
        .bind(SqlDate(purchase.started_on))
        .bind(SqlDate(purchase.expires_on))
        .bind(&purchase.xid)
        .bind(purchase.trial);
    let insert = if with_uid {
        insert.bind(purchase.add_on.uid())
    } else {
        insert
    };
    insert.execute(connection).await?;
    Ok(())
}

/// Makes row `id` say `purchase`, the same add-on or another that shares the row.
pub(super) async fn update(
    connection: &mut PgConnection,
    id: i64,
    before: &Purchase,
    purchase: &Purchase,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE subscription_add_on_purchases SET quantity = $2, started_at = $3, expires_on = $4, purchase_xid = $5,
             trial = $6, updated_at = now() WHERE id = $1",
    )
    .bind(id)
    .bind(purchase.quantity)
    .bind(SqlDate(purchase.started_on))
    .bind(SqlDate(purchase.expires_on))
    .bind(&purchase.xid)
    .bind(purchase.trial)
    .execute(&mut *connection)
    .await?;
    if before.add_on == purchase.add_on {
        Ok(())
    } else {
        switch(connection, id, purchase.add_on).await
    }
}

async fn switch(connection: &mut PgConnection, id: i64, add_on: AddOn) -> Result<(), sqlx::Error> {
    let add_on_id = ensure_add_on(connection, add_on).await?;
    sqlx::query(
        "UPDATE subscription_add_on_purchases SET subscription_add_on_id = $2 WHERE id = $1",
    )
    .bind(id)
    .bind(add_on_id)
    .execute(&mut *connection)
    .await?;
    if has_uid_column(connection).await? {
        sqlx::query(
            "UPDATE subscription_add_on_purchases SET subscription_add_on_uid = $2 WHERE id = $1",
        )
        .bind(id)
        .bind(add_on.uid())
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// The id of the add-on's row, made if there is none.
async fn ensure_add_on(connection: &mut PgConnection, add_on: AddOn) -> Result<i64, sqlx::Error> {
    const ID: &str = "SELECT id::bigint FROM subscription_add_ons WHERE name = $1";
    let found = sqlx::query_scalar(ID)
        .bind(add_on.uid())
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(id) = found {
        return Ok(id);
    }
    // These rows belong to no namespace, so its lock does not keep another call from making the same one.
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

/// GitLab has the column from 18 on and requires it from 19.3 on. It is looked for whenever it is to be written, which is
/// seldom, since GitLab may be upgraded while this runs.
async fn has_uid_column(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('subscription_add_on_purchases')
             AND attname = 'subscription_add_on_uid' AND NOT attisdropped)",
    )
    .fetch_one(connection)
    .await
}
