//! Rows of the recorded tables: put there, and read back in the form of the recordings.

use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, PgPool};

use super::case::InjectedFault;

/// Ids from here on are of rows that were made by what is tested.
const NEW: i64 = 100_000;

/// Empties the tables, and fills them with the population, moved to `today`.
pub async fn populate(pool: &PgPool, today: jiff::civil::Date) {
    let population = super::case::moved(include_str!("population.sql"), today);
    execute(pool, population).await;
}

/// Puts the rows of a case there. Rows of `namespaces` are changed.
pub async fn put(pool: &PgPool, tables: &Value, namespace: i64) {
    for (table, rows) in tables.as_object().unwrap() {
        for row in rows.as_array().unwrap() {
            let row = stored(row, namespace);
            let text = sqlx::query_scalar::<_, String>("SELECT quote_literal($1)")
                .bind(Value::Object(row.clone()).to_string())
                .fetch_one(pool)
                .await
                .unwrap();
            let columns = row.keys().cloned().collect::<Vec<_>>().join(", ");
            let statement = match table.as_str() {
                "namespaces" => format!(
                    "UPDATE namespaces SET ({columns}) = (SELECT {columns} FROM jsonb_populate_record(NULL::namespaces, {text}))
                     WHERE id = {namespace}"
                ),
                "namespace_settings" => format!(
                    "UPDATE namespace_settings SET duo_nano_features_enabled = {} WHERE namespace_id = {namespace}",
                    row["duo_nano_features_enabled"]
                ),
                _ => format!(
                    "INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{table}, {text})"
                ),
            };
            execute(pool, statement).await;
        }
    }
}

/// A recorded row with ids in place of names and numbers, and times in place of marks.
fn stored(row: &Value, namespace: i64) -> Map<String, Value> {
    let mut stored = row.as_object().unwrap().clone();
    if let Some(plan) = stored.remove("plan") {
        let plans = [
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
        ];
        let number = plans.iter().position(|name| plan == *name).unwrap();
        stored.insert("hosted_plan_id".to_owned(), json!(41 + number));
    }
    if let Some(number) = stored.remove("add_on_number") {
        stored.insert(
            "subscription_add_on_id".to_owned(),
            json!(80 + number.as_i64().unwrap()),
        );
        stored.entry("organization_id").or_insert(json!(1));
    }
    for value in stored.values_mut() {
        if *value == "@new" {
            *value = json!(NEW);
        } else if *value == "@now" {
            *value = json!(jiff::Timestamp::now().to_string());
        }
    }
    if stored.contains_key("duo_nano_features_enabled") {
        stored.insert("namespace_id".to_owned(), json!(namespace));
    }
    stored
}

/// All rows by table, each table in an order of its own, with marks for what was made since
/// `start`.
pub async fn dump(pool: &PgPool, start: jiff::Timestamp) -> Map<String, Value> {
    let mut connection = pool.acquire().await.unwrap();
    sqlx::raw_sql("SET TimeZone = 'UTC'")
        .execute(&mut *connection)
        .await
        .unwrap();
    let mut tables: Value = sqlx::query_scalar(include_str!("dump.sql"))
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    for rows in tables.as_object_mut().unwrap().values_mut() {
        for row in rows.as_array_mut().unwrap() {
            for (column, value) in row.as_object_mut().unwrap() {
                mark(column, value, start);
            }
        }
        sort(rows);
    }
    let Value::Object(tables) = tables else {
        panic!("an object")
    };
    tables
}

fn mark(column: &str, value: &mut Value, start: jiff::Timestamp) {
    let made = value
        .as_str()
        .and_then(|text| text.parse::<jiff::Timestamp>().ok())
        .is_some_and(|time| time >= start);
    let ours = column == "id" || column == "gitlab_subscription_id";
    if made {
        *value = json!("@now");
    } else if ours && value.as_i64().is_some_and(|id| id >= NEW) {
        *value = json!("@new");
    }
}

pub fn sort(rows: &mut Value) {
    let rows = rows.as_array_mut().unwrap();
    rows.sort_by_cached_key(Value::to_string);
}

/// `before` with the rows of `namespace` in the tables of `after` replaced by those.
pub fn replaced(before: &Map<String, Value>, after: &Value, namespace: i64) -> Map<String, Value> {
    let mut expected = before.clone();
    let Some(after) = after.as_object() else {
        return expected;
    };
    for (table, rows) in after {
        let key = if table == "namespaces" {
            "id"
        } else {
            "namespace_id"
        };
        let others = before
            .get(table)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let others = others.filter(|row| row[key] != namespace).cloned();
        let mut rows: Value = others
            .chain(rows.as_array().unwrap().iter().cloned())
            .collect();
        sort(&mut rows);
        expected.insert(table.clone(), rows);
    }
    expected
}

/// Has the database fail as `fault` says, until [`heal`].
pub async fn break_down(pool: &PgPool, fault: &InjectedFault) {
    let InjectedFault {
        table, event, code, ..
    } = fault;
    let condition = fault.when.as_deref().unwrap_or("true");
    let kind = if fault.deferred {
        "CONSTRAINT TRIGGER"
    } else {
        "TRIGGER"
    };
    let deferred = if fault.deferred {
        "DEFERRABLE INITIALLY DEFERRED"
    } else {
        ""
    };
    execute(
        pool,
        format!(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$;
             CREATE {kind} fail AFTER {event} ON {table} {deferred} FOR EACH ROW WHEN ({condition})
                 EXECUTE FUNCTION fail()"
        ),
    )
    .await;
}

pub async fn heal(pool: &PgPool) {
    execute(pool, "DROP FUNCTION IF EXISTS fail CASCADE".to_owned()).await;
}

async fn execute(pool: &PgPool, statements: String) {
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(pool)
        .await
        .unwrap();
}
