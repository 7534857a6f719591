//! The step `compute_minutes`, rule by rule, with the rows before and after.

use serde_json::{Value, json};

use super::fixture::ProvisioningFixture;

const MONTHLY: &str = "shared_runners_minutes_limit";
const EXTRA: &str = "extra_shared_runners_minutes_limit";

async fn minutes(fixture: &ProvisioningFixture) -> Value {
    let columns = "shared_runners_minutes_limit, extra_shared_runners_minutes_limit, \
        last_ci_minutes_notification_at IS NOT NULL AS warned, last_ci_minutes_usage_notification_level AS level";
    fixture
        .rows(&format!("SELECT {columns} FROM namespaces ORDER BY id"))
        .await
}

async fn warned_group(fixture: &ProvisioningFixture) -> i64 {
    let id = fixture.group("acme").await;
    fixture
        .execute(
            "UPDATE namespaces SET shared_runners_minutes_limit = 10, extra_shared_runners_minutes_limit = 20,
                 last_ci_minutes_notification_at = now(), last_ci_minutes_usage_notification_level = 30",
        )
        .await;
    id
}

#[tokio::test]
async fn both_limits_are_written_to_the_namespace() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture
        .apply(
            id,
            json!({ "compute_minutes": { MONTHLY: 100, EXTRA: 90 } }),
        )
        .await;
    assert_eq!(
        minutes(&fixture).await,
        json!([{ MONTHLY: 100, EXTRA: 90, "warned": false, "level": null }])
    );
}

#[tokio::test]
async fn extra_minutes_forget_that_the_namespace_was_warned() {
    let fixture = ProvisioningFixture::new().await;
    let id = warned_group(&fixture).await;
    fixture
        .apply(id, json!({ "compute_minutes": { EXTRA: 20 } }))
        .await;
    assert_eq!(
        minutes(&fixture).await,
        json!([{ MONTHLY: 10, EXTRA: 20, "warned": false, "level": null }])
    );
}

#[tokio::test]
async fn monthly_minutes_alone_keep_the_warning_and_the_extra_ones() {
    let fixture = ProvisioningFixture::new().await;
    let id = warned_group(&fixture).await;
    fixture
        .apply(id, json!({ "compute_minutes": { MONTHLY: 11 } }))
        .await;
    assert_eq!(
        minutes(&fixture).await,
        json!([{ MONTHLY: 11, EXTRA: 20, "warned": true, "level": 30 }])
    );
}

#[tokio::test]
async fn null_clears_a_limit_and_keeps_the_warning() {
    let fixture = ProvisioningFixture::new().await;
    let id = warned_group(&fixture).await;
    fixture
        .apply(
            id,
            json!({ "compute_minutes": { MONTHLY: null, EXTRA: null } }),
        )
        .await;
    assert_eq!(
        minutes(&fixture).await,
        json!([{ MONTHLY: null, EXTRA: null, "warned": true, "level": 30 }])
    );
}

#[tokio::test]
async fn limits_below_0_are_refused_together() {
    let fixture = ProvisioningFixture::new().await;
    let id = warned_group(&fixture).await;
    assert_eq!(
        fixture
            .refused(id, "compute_minutes", json!({ MONTHLY: -1, EXTRA: -2 }))
            .await,
        "Shared runners minutes limit must be greater than or equal to 0, \
         Extra shared runners minutes limit must be greater than or equal to 0"
    );
    assert_eq!(
        fixture
            .refused(id, "compute_minutes", json!({ MONTHLY: 5, EXTRA: -2 }))
            .await,
        "Extra shared runners minutes limit must be greater than or equal to 0"
    );
}

#[tokio::test]
async fn a_change_of_minutes_moves_the_namespaces_time_and_nothing_else_does() {
    let fixture = ProvisioningFixture::new().await;
    let id = warned_group(&fixture).await;
    fixture
        .execute("UPDATE namespaces SET updated_at = '2025-01-01'")
        .await;
    let moved = "SELECT updated_at > '2025-01-02' AS moved FROM namespaces";
    let mut others = super::fixture::document(5);
    others.as_object_mut().unwrap().remove("compute_minutes");
    fixture.apply(id, others).await;
    fixture
        .apply(id, json!({ "compute_minutes": { MONTHLY: 10 } }))
        .await;
    assert_eq!(fixture.rows(moved).await, json!([{ "moved": false }]));
    fixture
        .apply(id, json!({ "compute_minutes": { MONTHLY: 11 } }))
        .await;
    assert_eq!(fixture.rows(moved).await, json!([{ "moved": true }]));
}

#[tokio::test]
async fn the_months_count_forgets_its_warnings_whatever_was_sent() {
    let fixture = ProvisioningFixture::new().await;
    let id = warned_group(&fixture).await;
    let counts = "SELECT date = date_trunc('month', now())::date AS now, notification_level AS level, amount_used AS used \
        FROM ci_namespace_monthly_usages ORDER BY date";
    fixture
        .apply(id, json!({ "compute_minutes": { MONTHLY: null } }))
        .await;
    assert_eq!(
        fixture.rows(counts).await,
        json!([{ "now": true, "level": 100, "used": 0.0 }])
    );
    fixture
        .execute(
            "UPDATE ci_namespace_monthly_usages SET notification_level = 5, amount_used = 7;
             INSERT INTO ci_namespace_monthly_usages (namespace_id, date, notification_level)
             SELECT namespace_id, date - interval '1 month', 5 FROM ci_namespace_monthly_usages",
        )
        .await;
    fixture
        .apply(id, json!({ "compute_minutes": { EXTRA: 20 } }))
        .await;
    assert_eq!(
        fixture.rows(counts).await,
        json!([{ "now": false, "level": 5, "used": 0.0 }, { "now": true, "level": 100, "used": 7.0 }])
    );
    fixture
        .assert_settled(id, json!({ "compute_minutes": { EXTRA: 20 } }))
        .await;
}

/// Builds that wait in a namespace, in a group below it, and in another.
#[tokio::test]
async fn pipelines_that_wait_for_minutes_go_on_when_minutes_were_bought() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    let below = fixture.namespace("team", "Group", Some(id)).await;
    let other = fixture.group("globex").await;
    for namespace in [id, below, other] {
        let builds = format!(
            "INSERT INTO ci_pending_builds (build_id, project_id, namespace_id, minutes_exceeded)
             VALUES ({namespace}, 1, {namespace}, true);
             INSERT INTO ci_namespace_monthly_usages (namespace_id, date, amount_used)
             VALUES ({namespace}, date_trunc('month', now()), 100.9)"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(builds))
            .execute(&fixture.pool)
            .await
            .unwrap();
    }
    let waiting = async || {
        let rows = fixture
            .rows("SELECT minutes_exceeded AS w FROM ci_pending_builds ORDER BY build_id")
            .await;
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["w"].as_bool().unwrap())
            .collect::<Vec<_>>()
    };
    for (minutes, still) in [
        (json!({ MONTHLY: 60, EXTRA: 40 }), true),
        (json!({ MONTHLY: 60, EXTRA: 41 }), false),
        (json!({ MONTHLY: 1 }), true),
        // Without any minutes of its own and of the instance they are not limited.
        (json!({ MONTHLY: 0, EXTRA: 0 }), false),
    ] {
        fixture
            .apply(id, json!({ "compute_minutes": minutes }))
            .await;
        assert_eq!(waiting().await, [still, still, true], "{minutes}");
    }
}

#[tokio::test]
async fn a_namespace_without_a_number_of_its_own_has_the_instances() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture
        .execute(
            "CREATE TABLE application_settings (id int, shared_runners_minutes int);
             INSERT INTO application_settings VALUES (1, 5), (2, 400);
             INSERT INTO ci_pending_builds (build_id, project_id, namespace_id, minutes_exceeded)
             SELECT 1, 1, id, true FROM namespaces;
             INSERT INTO ci_namespace_monthly_usages (namespace_id, date, amount_used)
             SELECT id, date_trunc('month', now()), 399 FROM namespaces",
        )
        .await;
    let exceeded = "SELECT minutes_exceeded AS w FROM ci_pending_builds";
    fixture
        .apply(id, json!({ "compute_minutes": { MONTHLY: null } }))
        .await;
    assert_eq!(fixture.rows(exceeded).await, json!([{ "w": false }]));
    fixture
        .execute("UPDATE ci_namespace_monthly_usages SET amount_used = 400")
        .await;
    fixture
        .apply(id, json!({ "compute_minutes": { MONTHLY: null } }))
        .await;
    assert_eq!(fixture.rows(exceeded).await, json!([{ "w": true }]));
}

#[tokio::test]
async fn where_builds_are_counted_elsewhere_the_minutes_are_written_all_the_same() {
    let fixture = ProvisioningFixture::new().await;
    let id = warned_group(&fixture).await;
    fixture
        .execute("DROP TABLE ci_pending_builds, ci_namespace_monthly_usages")
        .await;
    let (status, _) = fixture
        .post(id, json!({ "compute_minutes": { MONTHLY: 11 } }))
        .await;
    assert_eq!(status.as_u16(), 200);
}
