//! Duo Pro and Duo Enterprise take turns: two rows of them never stand in force together, whatever
//! a GitLab's tables look like.

use rstest::rstest;
use serde_json::{Value, json};

use super::fixture::ProvisioningFixture;

const ROWS: &str = "SELECT id, quantity, started_at AS from, expires_on AS to, purchase_xid AS xid \
    FROM subscription_add_on_purchases ORDER BY id";

/// Pairs of live rows of a namespace.
const TOGETHER: &str = "SELECT a.id FROM subscription_add_on_purchases a JOIN subscription_add_on_purchases b \
    ON a.id < b.id AND a.namespace_id = b.namespace_id AND a.started_at < b.expires_on AND b.started_at < a.expires_on";

fn bought(quantity: i32) -> Value {
    json!([{ "quantity": quantity, "started_on": "2026-01-01", "expires_on": "2027-01-01", "purchase_xid": "new" }])
}

fn ended() -> Value {
    json!([{ "quantity": null, "started_on": "2025-12-31", "expires_on": "2025-12-31", "purchase_xid": null }])
}

fn row(id: i64, quantity: i32, from: &str, to: &str, xid: &str) -> Value {
    json!({ "id": id, "quantity": quantity, "from": from, "to": to, "xid": xid })
}

/// A group with a Pro row, 1, and an Enterprise row, 2, both in force until 2028.
async fn both() -> (ProvisioningFixture, i64) {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture
        .execute(
            "INSERT INTO subscription_add_ons (id, name, description, created_at, updated_at)
             VALUES (81, 1, '', now(), now()), (83, 3, '', now(), now());
             INSERT INTO subscription_add_on_purchases (subscription_add_on_id, namespace_id, organization_id, quantity,
                 started_at, expires_on, purchase_xid, created_at, updated_at)
             SELECT 80 + number, id, 7, 5, '2025-01-01', '2028-01-01', 'old', now(), now()
             FROM namespaces, unnest(ARRAY[1, 3]) AS number ORDER BY number",
        )
        .await;
    (fixture, id)
}

#[rstest]
#[case::pro_bought_and_enterprise_ended(json!({ "duo_enterprise": ended(), "duo_pro": bought(4) }),
    [row(1, 4, "2026-01-01", "2027-01-01", "new"), row(2, 5, "2025-12-31", "2025-12-31", "old")])]
#[case::enterprise_bought_and_pro_ended(json!({ "duo_pro": ended(), "duo_enterprise": bought(4) }),
    [row(1, 5, "2025-12-31", "2025-12-31", "old"), row(2, 4, "2026-01-01", "2027-01-01", "new")])]
#[case::pro_bought_alone(json!({ "duo_pro": bought(4) }),
    [row(1, 4, "2026-01-01", "2027-01-01", "new"), row(2, 5, "2025-01-01", "2025-12-31", "old")])]
#[case::enterprise_bought_alone(json!({ "duo_enterprise": bought(4) }),
    [row(1, 5, "2025-01-01", "2025-12-31", "old"), row(2, 4, "2026-01-01", "2027-01-01", "new")])]
#[case::both_bought(json!({ "duo_pro": bought(9), "duo_enterprise": bought(4) }),
    [row(1, 5, "2025-01-01", "2025-12-31", "old"), row(2, 4, "2026-01-01", "2027-01-01", "new")])]
#[case::pro_bought_and_enterprise_0(json!({ "duo_pro": bought(4), "duo_enterprise": bought(0) }),
    [row(1, 4, "2026-01-01", "2027-01-01", "new"), row(2, 5, "2025-12-31", "2025-12-31", "new")])]
#[tokio::test]
async fn of_two_duo_rows_the_one_that_loses_is_ended(
    #[case] add_ons: Value,
    #[case] rows: [Value; 2],
) {
    for by_uid_alone in [false, true] {
        let (fixture, id) = both().await;
        if by_uid_alone {
            // As from 19.4 on.
            fixture
                .execute(
                    "ALTER TABLE subscription_add_on_purchases ADD COLUMN subscription_add_on_uid smallint;
                     UPDATE subscription_add_on_purchases SET subscription_add_on_uid = subscription_add_on_id - 80;
                     ALTER TABLE subscription_add_on_purchases ALTER COLUMN subscription_add_on_uid SET NOT NULL,
                         ALTER COLUMN subscription_add_on_id DROP NOT NULL;
                     UPDATE subscription_add_on_purchases SET subscription_add_on_id = NULL",
                )
                .await;
        }
        let document = json!({ "add_on_purchases": add_ons });
        fixture.apply(id, document.clone()).await;
        assert_eq!(
            fixture.rows(ROWS).await,
            json!(rows),
            "by uid: {by_uid_alone}"
        );
        assert_eq!(fixture.rows(TOGETHER).await, json!([]));
        fixture.assert_settled(id, document).await;
    }
}

#[tokio::test]
async fn where_nothing_is_bought_both_stay_as_they_are() {
    let (fixture, id) = both().await;
    let ended = json!({ "duo_pro": ended(), "duo_core": [] });
    fixture
        .apply(id, json!({ "add_on_purchases": ended }))
        .await;
    let rows = [
        row(1, 5, "2025-12-31", "2025-12-31", "old"),
        row(2, 5, "2025-01-01", "2028-01-01", "old"),
    ];
    assert_eq!(fixture.rows(ROWS).await, json!(rows));
}

#[tokio::test]
async fn a_purchase_that_a_rule_forbids_leaves_the_other_row_alone() {
    let (fixture, id) = both().await;
    let mut forbidden = bought(4);
    forbidden[0]["expires_on"] = json!("2025-01-01");
    fixture
        .refused(id, "add_on_purchases", json!({ "duo_pro": forbidden }))
        .await;
}

/// From 19.4 on the number alone names the add-on: such a row is found when it is bought, ended,
/// and changed into its rival.
#[tokio::test]
async fn a_purchase_without_an_add_on_row_is_found_by_its_number() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture
        .execute(
            "ALTER TABLE subscription_add_on_purchases ADD COLUMN subscription_add_on_uid smallint NOT NULL,
                 ALTER COLUMN subscription_add_on_id DROP NOT NULL;
             INSERT INTO subscription_add_on_purchases (subscription_add_on_uid, namespace_id, organization_id, quantity,
                 started_at, expires_on, purchase_xid, created_at, updated_at)
             SELECT 1, id, 7, 5, '2025-01-01', '2028-01-01', 'old', now(), now() FROM namespaces",
        )
        .await;
    let steps = [
        (
            json!({ "duo_pro": bought(6) }),
            1,
            row(1, 6, "2026-01-01", "2027-01-01", "new"),
        ),
        (
            json!({ "duo_enterprise": bought(7) }),
            3,
            row(1, 7, "2026-01-01", "2027-01-01", "new"),
        ),
        (
            json!({ "duo_enterprise": ended() }),
            3,
            row(1, 7, "2025-12-31", "2025-12-31", "new"),
        ),
    ];
    for (add_ons, uid, row) in steps {
        fixture
            .apply(id, json!({ "add_on_purchases": add_ons }))
            .await;
        assert_eq!(fixture.rows(ROWS).await, json!([row]));
        let uids = "SELECT subscription_add_on_uid AS uid FROM subscription_add_on_purchases";
        assert_eq!(fixture.rows(uids).await, json!([{ "uid": uid }]));
    }
}

#[tokio::test]
async fn several_rows_of_one_add_on_are_ended_together_and_the_named_one_is_changed() {
    let (fixture, id) = both().await;
    fixture
        .execute(
            "ALTER TABLE subscription_add_on_purchases
                 DROP CONSTRAINT subscription_add_on_purchases_subscription_add_on_id_namesp_key;
             UPDATE subscription_add_on_purchases SET subscription_add_on_id = 83;
             UPDATE subscription_add_on_purchases SET purchase_xid = 'new', expires_on = '2026-06-01' WHERE id = 1",
        )
        .await;
    let document = json!({ "add_on_purchases": { "duo_enterprise": bought(4) } });
    fixture.apply(id, document.clone()).await;
    let rows = [
        row(1, 4, "2026-01-01", "2027-01-01", "new"),
        row(2, 5, "2025-01-01", "2028-01-01", "old"),
    ];
    assert_eq!(fixture.rows(ROWS).await, json!(rows));
    fixture.assert_settled(id, document).await;
    let document = json!({ "add_on_purchases": { "duo_enterprise": ended() } });
    fixture.apply(id, document.clone()).await;
    let rows = [
        row(1, 4, "2025-12-31", "2025-12-31", "new"),
        row(2, 5, "2025-12-31", "2025-12-31", "old"),
    ];
    let ended = fixture.rows(ROWS).await;
    assert_eq!(
        (&ended[0]["to"], &ended[1]["to"]),
        (&rows[0]["to"], &rows[1]["to"])
    );
    fixture.assert_settled(id, document).await;
}

#[tokio::test]
async fn a_first_duo_core_switches_its_features_on_unless_somebody_has_said_yes_or_no() {
    let fixture = ProvisioningFixture::new().await;
    let [acme, globex, initech] = [
        fixture.group("acme").await,
        fixture.group("globex").await,
        fixture.group("initech").await,
    ];
    fixture
        .execute(
            "INSERT INTO namespace_settings (namespace_id, duo_nano_features_enabled)
             SELECT id, CASE WHEN path = 'globex' THEN false END FROM namespaces WHERE path <> 'initech'",
        )
        .await;
    let mut first = bought(1);
    first[0]["new_subscription"] = json!(true);
    let settings =
        "SELECT duo_nano_features_enabled AS on FROM namespace_settings ORDER BY namespace_id";
    for id in [acme, globex, initech] {
        fixture
            .apply(id, json!({ "add_on_purchases": { "duo_core": bought(1) } }))
            .await;
    }
    assert_eq!(
        fixture.rows(settings).await,
        json!([{ "on": null }, { "on": false }])
    );
    for id in [acme, globex, initech] {
        let document = json!({ "add_on_purchases": { "duo_core": first } });
        fixture.apply(id, document.clone()).await;
        fixture.assert_settled(id, document).await;
    }
    assert_eq!(
        fixture.rows(settings).await,
        json!([{ "on": true }, { "on": false }, { "on": true }])
    );
}
