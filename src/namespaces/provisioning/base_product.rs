//! The step `base_product`: the subscription in `gitlab_subscriptions`, and the history of its
//! changes.

use jiff::civil::Date;
use sqlx::{
    PgConnection, Postgres, Row,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::{
    seats::{self, SeatCounts},
    service::StepContext,
    subscription::{PREMIUM, PlanRow, SubscriptionRow, SubscriptionTerm, TRIAL_OF_PAID},
    tables::TableColumns,
};
use crate::namespaces::{
    contract::document::{BaseProduct, DocumentField},
    sql_time::SqlDate,
};

/// `change_type` of an updated row.
const UPDATED: i16 = 1;

/// Makes or changes the namespace's one row; unchanged fields are not written. The answer is the
/// rules broken, in which case nothing is written at all.
///
/// # Errors
/// Only those of the database.
pub(super) async fn apply(
    connection: &mut PgConnection,
    scene: &StepContext<'_>,
    part: &BaseProduct,
    today: Date,
) -> Result<Vec<String>, sqlx::Error> {
    let plan = match plan_code(part) {
        None => None,
        Some(code) => match find_plan(connection, code).await? {
            Some(plan) if scene.rules.knows_plan(code) => Some(plan),
            Some(_) | None => {
                return Ok(vec![format!(
                    "Gitlab subscription plan code '{code}' is not a known plan"
                )]);
            }
        },
    };
    let row = find(connection, scene.namespace.id).await?;
    let before = match &row {
        None => SubscriptionRow::new(today),
        Some((_, row)) => row.clone(),
    };
    let after = before.with(part, plan);
    let broken = after.broken_rules(part);
    if !broken.is_empty() {
        return Ok(broken);
    }
    match row {
        None => create(connection, scene.namespace.id, &after).await?,
        Some(_) if before == after => {}
        Some((id, _)) => change(connection, scene.tables, id, &before, after, today).await?,
    }
    Ok(Vec::new())
}

/// In GitLab's order: the old values go into the history first, so that it is copied from the row
/// itself.
async fn change(
    connection: &mut PgConnection,
    tables: &TableColumns,
    id: i64,
    before: &SubscriptionRow,
    after: SubscriptionRow,
    today: Date,
) -> Result<(), sqlx::Error> {
    let comes_back = before.on(TRIAL_OF_PAID) && after.on(PREMIUM);
    let last_premium = if comes_back {
        last_term_on(connection, id, PREMIUM).await?
    } else {
        None
    };
    if before.differs_in_history(&after) {
        let copy = sqlx::AssertSqlSafe(tables.history.clone());
        let copy = sqlx::query(copy).bind(id).bind(UPDATED);
        copy.execute(&mut *connection).await?;
    }
    let seats = seats::after_change(before, &after, last_premium, today);
    update(connection, id, &after.with_seats(seats), seats).await
}

fn plan_code(part: &BaseProduct) -> Option<&str> {
    match &part.plan_code {
        DocumentField::Absent => None,
        DocumentField::Null => Some("free"),
        DocumentField::Value(code) => Some(code),
    }
}

async fn find_plan(
    connection: &mut PgConnection,
    code: &str,
) -> Result<Option<PlanRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id::bigint, name, plan_name_uid::smallint AS uid FROM plans WHERE name = $1",
    )
    .bind(code)
    .fetch_optional(connection)
    .await
}

async fn find(
    connection: &mut PgConnection,
    namespace_id: i64,
) -> Result<Option<(i64, SubscriptionRow)>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT s.id::bigint, p.id::bigint AS plan_id, p.name AS plan_name, p.plan_name_uid::smallint,
             s.hosted_plan_name_uid::smallint, s.start_date, s.end_date, s.trial_starts_on, s.trial_ends_on,
             s.max_seats_used, s.seats, s.trial, s.auto_renew, s.seats_in_use, s.seats_owed,
             s.max_seats_used_changed_at::date AS max_seats_used_changed_on
         FROM gitlab_subscriptions s LEFT JOIN plans p ON p.id = s.hosted_plan_id
         WHERE s.namespace_id = $1 FOR UPDATE OF s",
    )
    .bind(namespace_id)
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok((row.try_get("id")?, read(&row)?)))
        .transpose()
}

fn read(row: &PgRow) -> Result<SubscriptionRow, sqlx::Error> {
    let plan = match row.try_get("plan_id")? {
        None => None,
        Some(id) => Some(PlanRow {
            id,
            name: row.try_get("plan_name")?,
            uid: row.try_get("plan_name_uid")?,
        }),
    };
    Ok(SubscriptionRow {
        plan,
        hosted_plan_name_uid: row.try_get("hosted_plan_name_uid")?,
        start_date: date(row, "start_date")?,
        end_date: date(row, "end_date")?,
        trial_starts_on: date(row, "trial_starts_on")?,
        trial_ends_on: date(row, "trial_ends_on")?,
        max_seats_used: row.try_get("max_seats_used")?,
        seats: row.try_get("seats")?,
        trial: row.try_get("trial")?,
        auto_renew: row.try_get("auto_renew")?,
        seats_in_use: row.try_get("seats_in_use")?,
        seats_owed: row.try_get("seats_owed")?,
        max_seats_used_changed_on: date(row, "max_seats_used_changed_on")?,
    })
}

fn date(row: &PgRow, column: &str) -> Result<Option<Date>, sqlx::Error> {
    Ok(row
        .try_get::<Option<SqlDate>, _>(column)?
        .map(|date| date.0))
}

async fn last_term_on(
    connection: &mut PgConnection,
    id: i64,
    plan: &str,
) -> Result<Option<SubscriptionTerm>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT h.start_date, h.end_date FROM gitlab_subscription_histories h JOIN plans p ON p.id = h.hosted_plan_id
         WHERE h.gitlab_subscription_id = $1 AND p.name = $2 ORDER BY h.id DESC LIMIT 1",
    )
    .bind(id)
    .bind(plan)
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok((date(&row, "start_date")?, date(&row, "end_date")?)))
        .transpose()
}

async fn create(
    connection: &mut PgConnection,
    namespace_id: i64,
    row: &SubscriptionRow,
) -> Result<(), sqlx::Error> {
    let insert = sqlx::query(
        "INSERT INTO gitlab_subscriptions
             (namespace_id, hosted_plan_id, hosted_plan_name_uid, start_date, end_date, trial_starts_on, trial_ends_on,
              max_seats_used, seats, trial, auto_renew, seats_owed, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now(), now())",
    );
    bind(insert.bind(namespace_id), row)
        .execute(connection)
        .await?;
    Ok(())
}

async fn update(
    connection: &mut PgConnection,
    id: i64,
    row: &SubscriptionRow,
    seats: SeatCounts,
) -> Result<(), sqlx::Error> {
    let update = sqlx::query(
        "UPDATE gitlab_subscriptions SET
             hosted_plan_id = $2, hosted_plan_name_uid = $3, start_date = $4, end_date = $5, trial_starts_on = $6,
             trial_ends_on = $7, max_seats_used = $8, seats = $9, trial = $10, auto_renew = $11, seats_owed = $12,
             max_seats_used_changed_at = CASE WHEN $13 THEN now() ELSE max_seats_used_changed_at END, updated_at = now()
         WHERE id = $1",
    );
    let update = bind(update.bind(id), row).bind(seats.dated);
    update.execute(connection).await?;
    Ok(())
}

/// Parameters `$2` to `$12` of both statements above.
fn bind<'q>(
    query: Query<'q, Postgres, PgArguments>,
    row: &SubscriptionRow,
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(row.plan.as_ref().map(|plan| plan.id))
        .bind(row.hosted_plan_name_uid)
        .bind(row.start_date.map(SqlDate))
        .bind(row.end_date.map(SqlDate))
        .bind(row.trial_starts_on.map(SqlDate))
        .bind(row.trial_ends_on.map(SqlDate))
        .bind(row.max_seats_used)
        .bind(row.seats)
        .bind(row.trial)
        .bind(row.auto_renew)
        .bind(row.seats_owed)
}
