//! The database fails half way: the call is a 503, no step is half written, and sending it again
//! makes it right.

use std::time::Duration;

use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::postgres::{PostgresServer, TestDatabase};

use super::fixture::{ProvisioningFixture, document};

fn unavailable() -> (StatusCode, Value) {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        json!({ "message": "503 Service Unavailable" }),
    )
}

/// A second document, with one add-on more.
pub fn next() -> Value {
    let mut next = document(2);
    next["add_on_purchases"]["duo_core"] = next["add_on_purchases"]["duo_enterprise"].clone();
    next
}

/// What is left out is what differs between two runs of the same: times and numbers from sequences.
pub async fn content(fixture: &ProvisioningFixture) -> Value {
    let mut tables = fixture.everything().await;
    for rows in tables.as_object_mut().unwrap().values_mut() {
        for row in rows.as_array_mut().unwrap() {
            let row = row.as_object_mut().unwrap();
            row.retain(|column, _| {
                column != "id" && column != "subscription_add_on_id" && !column.ends_with("_at")
            });
        }
    }
    tables
}

pub fn changed(before: &Value, after: &Value) -> Vec<String> {
    let tables = before.as_object().unwrap().iter();
    tables
        .filter(|(table, rows)| after[*table] != **rows)
        .map(|(table, _)| table.clone())
        .collect()
}

pub const BASE: [&str; 2] = ["gitlab_subscription_histories", "gitlab_subscriptions"];
pub const STORAGE: [&str; 3] = [
    "gitlab_subscription_histories",
    "gitlab_subscriptions",
    "namespace_limits",
];
pub const MINUTES: [&str; 4] = [
    "gitlab_subscription_histories",
    "gitlab_subscriptions",
    "namespace_limits",
    "namespaces",
];

/// A namespace to which the first document and then the next one were applied without any failure.
pub async fn undisturbed() -> Value {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture.apply(id, document(1)).await;
    fixture.apply(id, next()).await;
    content(&fixture).await
}

/// In each step, after its first write: what the steps before it wrote stays, what it wrote itself
/// does not.
#[rstest]
#[case::history("AFTER INSERT ON gitlab_subscription_histories", &[])]
#[case::subscription("AFTER UPDATE ON gitlab_subscriptions", &[])]
#[case::storage("AFTER UPDATE ON namespace_limits", &BASE)]
#[case::minutes("AFTER UPDATE ON namespaces", &STORAGE)]
#[case::first_add_on("AFTER UPDATE ON subscription_add_on_purchases", &MINUTES)]
#[case::second_add_on("AFTER INSERT ON subscription_add_on_purchases", &MINUTES)]
#[tokio::test]
async fn a_connection_cut_within_a_step_leaves_none_of_it(
    #[case] place: &'static str,
    #[case] written: &[&str],
) {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture.apply(id, document(1)).await;
    let before = fixture.everything().await;
    let gate = fixture.gate(place, "true").await;
    let cut = async {
        gate.reached().await;
        gate.cut_those_waiting().await;
    };
    let (answer, ()) = tokio::join!(fixture.post(id, next()), cut);
    assert_eq!(answer, unavailable());
    assert_eq!(changed(&before, &fixture.everything().await), written);

    gate.open().await;
    fixture.apply(id, next()).await;
    assert_eq!(content(&fixture).await, undisturbed().await);
}

#[tokio::test]
async fn a_connection_cut_while_it_waits_for_the_namespaces_lock_writes_nothing() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    let second = fixture.twin().await;
    let gate = fixture
        .gate("AFTER INSERT ON gitlab_subscriptions", "true")
        .await;
    let before = fixture.everything().await;
    let first = fixture.post(id, document(1));
    let rest = async {
        gate.reached().await;
        let cut = async {
            // The first one waits at the gate, the second one for the first one's lock.
            second
                .wait_for(
                    "SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                )
                .await;
            second
                .execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks
                     WHERE locktype = 'advisory' AND NOT granted AND objid <> 4711
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                )
                .await;
        };
        let (answer, ()) = tokio::join!(second.post(id, document(2)), cut);
        assert_eq!(answer, unavailable());
        assert_eq!(before, fixture.everything().await);
        gate.open().await;
    };
    let ((status, _), ()) = tokio::join!(first, rest);
    assert_eq!(status, StatusCode::OK);
    second.apply(id, document(2)).await;
}

async fn fail_with(fixture: &ProvisioningFixture, code: &str) {
    let raise = format!(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$;
         CREATE TRIGGER fail AFTER INSERT ON namespace_limits FOR EACH ROW EXECUTE FUNCTION fail()"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(raise))
        .execute(&fixture.pool)
        .await
        .unwrap();
}

/// Connections, deadlock, serialization, resources, locks, shutdown, the server's own faults: none
/// of them is the document's.
#[rstest]
#[case("08006")]
#[case("40P01")]
#[case("40001")]
#[case("53200")]
#[case("55P03")]
#[case("57P01")]
#[case("25006")]
#[case("XX000")]
#[tokio::test]
async fn an_error_that_passes_rolls_the_step_back_and_is_a_503(#[case] code: &str) {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fail_with(&fixture, code).await;
    let before = fixture.everything().await;
    assert_eq!(fixture.post(id, document(1)).await, unavailable());
    assert_eq!(
        changed(&before, &fixture.everything().await),
        ["gitlab_subscriptions"]
    );
    fixture
        .execute("DROP TRIGGER fail ON namespace_limits")
        .await;
    fixture.apply(id, document(1)).await;
}

/// The same call would meet them again: whoever sends it is told so, and does not take the service
/// for down.
#[rstest]
#[case("22003", "data exception")]
#[case("23514", "integrity constraint violation")]
#[case("42501", "access rule violation, or the tables are not as expected")]
#[case("P0001", "raised by a trigger")]
#[tokio::test]
async fn an_error_that_lasts_rolls_the_step_back_and_is_a_500_with_its_class(
    #[case] code: &str,
    #[case] meaning: &str,
) {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fail_with(&fixture, code).await;
    let before = fixture.everything().await;
    let class = &code[..2];
    let message = format!(
        "500 Internal Server Error - the database refuses storage: SQLSTATE class {class} ({meaning})"
    );
    assert_eq!(
        fixture.post(id, document(1)).await,
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({ "message": message, "sqlstate_class": class })
        )
    );
    assert_eq!(
        changed(&before, &fixture.everything().await),
        ["gitlab_subscriptions"]
    );
    fixture
        .execute("DROP TRIGGER fail ON namespace_limits")
        .await;
    fixture.apply(id, document(1)).await;
}

#[tokio::test]
async fn a_constraint_added_later_refuses_its_own_namespace_alone_and_no_value_is_told() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    let other = fixture.group("globex").await;
    fixture
        .execute("ALTER TABLE namespace_limits ADD CONSTRAINT small CHECK (additional_purchased_storage_size < 4242)")
        .await;
    let logs = testkit::logs::CapturedLogs::errors();
    let storage = json!({ "storage": { "additional_purchased_storage_size": 424_242 } });
    let (status, answer) = fixture.post(id, storage).await;
    assert_eq!(
        (status.as_u16(), &answer["sqlstate_class"]),
        (500, &json!("23"))
    );
    fixture.apply(other, document(1)).await;
    let told = format!("{answer}{}", logs.text());
    assert!(
        told.contains("namespace_limits.small") && !told.contains("424242"),
        "{told}"
    );
}

#[tokio::test]
async fn tables_that_are_not_as_expected_are_a_500_and_are_looked_at_again() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture.apply(id, document(1)).await;
    fixture
        .execute(
            "ALTER TABLE subscription_add_on_purchases ADD COLUMN subscription_add_on_uid smallint;
             UPDATE subscription_add_on_purchases SET subscription_add_on_uid = 3;
             ALTER TABLE subscription_add_on_purchases ALTER COLUMN subscription_add_on_uid SET NOT NULL",
        )
        .await;
    let (status, answer) = fixture.post(id, next()).await;
    assert_eq!(
        (status.as_u16(), &answer["sqlstate_class"]),
        (500, &json!("23"))
    );
    fixture.apply(id, next()).await;
}

#[tokio::test]
async fn a_lock_that_somebody_else_keeps_is_waited_for_in_bounds() {
    let fixture = ProvisioningFixture::with(|settings| {
        settings.database.lock_timeout = Duration::from_millis(200);
    })
    .await;
    let id = fixture.group("acme").await;
    fixture.apply(id, document(1)).await;
    let mut transaction = fixture.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM gitlab_subscriptions FOR UPDATE")
        .execute(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(fixture.post(id, document(2)).await, unavailable());
    transaction.rollback().await.unwrap();
    fixture.apply(id, document(2)).await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let fixture = ProvisioningFixture::with(|settings| {
        settings.database.statement_timeout = Duration::from_millis(500);
    })
    .await;
    let id = fixture.group("acme").await;
    fixture
        .execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_sleep(600); RETURN NULL; END $$;
             CREATE TRIGGER dawdle AFTER INSERT ON namespace_limits FOR EACH ROW EXECUTE FUNCTION dawdle()",
        )
        .await;
    assert_eq!(fixture.post(id, document(1)).await, unavailable());
    fixture
        .execute("DROP TRIGGER dawdle ON namespace_limits")
        .await;
    fixture.apply(id, document(1)).await;
}

#[tokio::test]
async fn a_call_over_its_deadline_is_a_503_and_gives_the_lock_back() {
    let fixture =
        ProvisioningFixture::with(|settings| settings.call_deadline = Duration::from_millis(500))
            .await;
    let id = fixture.group("acme").await;
    fixture.apply(id, document(1)).await;
    let gate = fixture
        .gate("AFTER UPDATE ON namespace_limits", "true")
        .await;
    assert_eq!(fixture.post(id, document(2)).await, unavailable());
    gate.open().await;
    let free = "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    fixture.wait_for(free).await;
    fixture.apply(id, document(2)).await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_does_not_stop_the_call() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    let gate = fixture
        .gate("AFTER INSERT ON gitlab_subscriptions", "true")
        .await;
    tokio::select! {
        answer = fixture.post(id, document(1)) => panic!("{answer:?}"),
        () = gate.reached() => {}
    }
    gate.open().await;
    fixture
        .wait_for("SELECT EXISTS (SELECT FROM subscription_add_on_purchases)")
        .await;
    fixture.apply(id, document(1)).await;
}

#[tokio::test]
async fn a_server_stopped_within_a_step_leaves_none_of_it_and_its_return_heals() {
    let mut server = PostgresServer::start(|_| Vec::new());
    let mut fixture =
        ProvisioningFixture::on(TestDatabase::create_on(&server.url()).await, |settings| {
            settings.database.acquire_timeout = Duration::from_secs(2);
        })
        .await;
    let id = fixture.group("acme").await;
    fixture.apply(id, document(1)).await;
    let before = fixture.everything().await;
    let gate = fixture
        .gate("AFTER UPDATE ON namespace_limits", "true")
        .await;
    let stop = async {
        gate.reached().await;
        server.stop();
    };
    let (answer, ()) = tokio::join!(fixture.post(id, next()), stop);
    assert_eq!(answer, unavailable());
    // The gate was a lock, which is gone with the server.
    server.resume();
    fixture.connect_again().await;
    assert_eq!(changed(&before, &fixture.everything().await), BASE);
    let mut answers = Vec::new();
    while answers.last() != Some(&StatusCode::OK) {
        answers.push(fixture.post(id, next()).await.0);
        assert!(answers.len() < 20, "{answers:?}");
    }
    assert_eq!(content(&fixture).await, undisturbed().await);
}

#[tokio::test]
async fn without_a_database_every_valid_call_is_a_503_and_its_return_heals() {
    let mut server = PostgresServer::start(|_| Vec::new());
    let fixture =
        ProvisioningFixture::on(TestDatabase::create_on(&server.url()).await, |settings| {
            settings.database.acquire_timeout = Duration::from_secs(2);
        })
        .await;
    let id = fixture.group("acme").await;
    fixture.apply(id, document(1)).await;
    server.stop();
    assert_eq!(fixture.post(id, document(2)).await, unavailable());
    server.resume();
    let mut answers = Vec::new();
    while answers.last() != Some(&StatusCode::OK) {
        answers.push(fixture.post(id, document(2)).await.0);
        assert!(answers.len() < 20, "{answers:?}");
    }
}
