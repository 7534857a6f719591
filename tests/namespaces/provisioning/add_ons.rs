//! The step `add_on_purchases`, rule by rule, with the rows before and after.

use lookup_gitlab_sync::{
    config::PLAN_CODES, namespaces::contract::document::rules::DocumentRules,
};
use serde_json::{Value, json};

use super::fixture::ProvisioningFixture;

const PURCHASES: &str = "SELECT a.name AS uid, p.quantity, p.started_at AS from, p.expires_on AS to, \
    p.purchase_xid AS xid, p.trial FROM subscription_add_on_purchases p \
    JOIN subscription_add_ons a ON a.id = p.subscription_add_on_id ORDER BY a.name, p.id";

/// A purchase, as far as it does not differ from this one.
fn purchase(differs: Value) -> Value {
    let mut purchase = json!({ "started_on": "2026-01-01", "expires_on": "2027-01-01", "quantity": 5,
        "purchase_xid": "A-S00001", "trial": false });
    let Value::Object(differs) = differs else {
        panic!("an object")
    };
    purchase.as_object_mut().unwrap().extend(differs);
    purchase
}

/// The row of such a purchase.
fn row(uid: i16, quantity: i32) -> Value {
    json!({ "uid": uid, "quantity": quantity, "from": "2026-01-01", "to": "2027-01-01", "xid": "A-S00001", "trial": false })
}

const EVERY: [&str; 9] = [
    "duo_pro",
    "product_analytics",
    "duo_enterprise",
    "duo_amazon_q",
    "duo_core",
    "self_hosted_dap",
    "gitlab_credits",
    "secrets_manager",
    "flex_offline",
];

/// What ends an add-on.
fn end() -> Value {
    json!({ "quantity": null, "started_on": "2026-02-01", "expires_on": "2026-02-02" })
}

struct Case {
    fixture: ProvisioningFixture,
    id: i64,
}

impl Case {
    /// For a newer GitLab, which carries out every add-on there is.
    async fn new() -> Self {
        let fixture = ProvisioningFixture::with(|settings| {
            settings.rules = DocumentRules::new(PLAN_CODES, EVERY);
        })
        .await;
        let id = fixture.group("acme").await;
        Self { fixture, id }
    }

    /// A group with this already.
    async fn having(add_ons: Value) -> Self {
        let case = Self::new().await;
        case.apply(add_ons).await;
        case
    }

    async fn apply(&self, add_ons: Value) {
        self.fixture
            .apply(self.id, json!({ "add_on_purchases": add_ons }))
            .await;
        self.fixture
            .assert_settled(self.id, json!({ "add_on_purchases": add_ons }))
            .await;
    }

    async fn refused(&self, add_ons: Value) -> String {
        self.fixture
            .refused(self.id, "add_on_purchases", add_ons)
            .await
    }

    async fn rows(&self) -> Value {
        self.fixture.rows(PURCHASES).await
    }
}

#[tokio::test]
async fn every_add_on_is_stored_under_its_own_number() {
    let names = [
        ("product_analytics", 2),
        ("duo_enterprise", 3),
        ("duo_amazon_q", 4),
        ("duo_core", 5),
        ("self_hosted_dap", 6),
        ("gitlab_credits", 7),
        ("secrets_manager", 8),
        ("flex_offline", 9),
    ];
    let case = Case::new().await;
    let document: Value = names
        .iter()
        .map(|(name, _)| ((*name).to_owned(), json!([purchase(json!({}))])))
        .collect();
    case.apply(document).await;
    let expected: Vec<Value> = names.iter().map(|(_, uid)| row(*uid, 5)).collect();
    assert_eq!(case.rows().await, json!(expected));
    let owners = "SELECT DISTINCT organization_id, namespace_id FROM subscription_add_on_purchases";
    assert_eq!(
        case.fixture.rows(owners).await,
        json!([{ "organization_id": 7, "namespace_id": case.id }])
    );
}

#[tokio::test]
async fn duo_pro_is_stored_as_code_suggestions() {
    let case = Case::having(json!({ "duo_pro": [purchase(json!({ "trial": true }))] })).await;
    let mut expected = row(1, 5);
    expected["trial"] = json!(true);
    assert_eq!(case.rows().await, json!([expected]));
}

#[tokio::test]
async fn only_the_first_of_a_list_counts_and_an_empty_list_is_nothing() {
    let case = Case::having(json!({
        "duo_core": [purchase(json!({ "quantity": 1 })), purchase(json!({ "quantity": 2 }))],
        "secrets_manager": [], "gitlab_credits": null,
    }))
    .await;
    assert_eq!(case.rows().await, json!([row(5, 1)]));
}

#[tokio::test]
async fn null_dates_and_a_null_name_keep_those_of_the_row_and_an_absent_trial_is_false() {
    let case = Case::having(json!({ "duo_core": [purchase(json!({ "trial": true }))] })).await;
    let sent =
        json!({ "quantity": 6, "started_on": null, "expires_on": null, "purchase_xid": null });
    case.apply(json!({ "duo_core": [sent] })).await;
    assert_eq!(case.rows().await, json!([row(5, 6)]));
}

#[tokio::test]
async fn a_first_purchase_needs_dates_and_a_purchase_xid() {
    let case = Case::new().await;
    let sent = json!({ "quantity": 1, "started_on": null, "expires_on": null });
    assert_eq!(
        case.refused(json!({ "duo_core": [sent] })).await,
        "Started at can't be blank. Expires on can't be blank. Purchase xid can't be blank."
    );
    let missing = "SELECT * FROM subscription_add_ons";
    assert_eq!(case.fixture.rows(missing).await, json!([]));
}

#[tokio::test]
async fn quantity_0_null_or_absent_ends_an_add_on_and_keeps_its_quantity() {
    for quantity in [
        json!({ "quantity": 0 }),
        json!({ "quantity": null }),
        json!({}),
    ] {
        let case = Case::having(json!({ "duo_core": [purchase(json!({}))] })).await;
        let mut sent = json!({ "started_on": "2026-02-01", "expires_on": "2026-02-02", "purchase_xid": "other", "trial": true });
        sent.as_object_mut()
            .unwrap()
            .extend(quantity.as_object().unwrap().clone());
        case.apply(json!({ "duo_core": [sent] })).await;
        let expected = json!({ "uid": 5, "quantity": 5, "from": "2026-02-01", "to": "2026-02-02", "xid": "other", "trial": true });
        assert_eq!(case.rows().await, json!([expected]));
    }
}

#[tokio::test]
async fn an_end_without_a_date_keeps_that_of_the_row() {
    let case = Case::having(json!({ "duo_core": [purchase(json!({}))] })).await;
    let sent = json!({ "quantity": null, "started_on": null, "expires_on": "2026-02-02" });
    case.apply(json!({ "duo_core": [sent] })).await;
    let rows = case.rows().await;
    assert_eq!(
        (&rows[0]["from"], &rows[0]["to"]),
        (&json!("2026-01-01"), &json!("2026-02-02"))
    );
}

#[tokio::test]
async fn taking_away_what_is_not_there_is_a_success_and_makes_nothing() {
    let case = Case::new().await;
    let before = case.fixture.everything().await;
    case.apply(json!({ "duo_core": [end()], "duo_pro": [{}] }))
        .await;
    assert_eq!(before, case.fixture.everything().await);
}

#[tokio::test]
async fn enterprise_takes_over_the_row_of_pro_and_pro_takes_it_back() {
    let case = Case::having(json!({ "duo_pro": [purchase(json!({}))] })).await;
    case.apply(json!({ "duo_enterprise": [purchase(json!({ "quantity": 9 }))] }))
        .await;
    assert_eq!(case.rows().await, json!([row(3, 9)]));
    case.apply(json!({ "duo_pro": [purchase(json!({ "quantity": 4 }))] }))
        .await;
    assert_eq!(case.rows().await, json!([row(1, 4)]));
}

#[tokio::test]
async fn enterprise_wins_over_pro_when_its_quantity_is_above_0() {
    let pro = purchase(json!({ "quantity": 8 }));
    let case = Case::having(
        json!({ "duo_pro": [pro], "duo_enterprise": [purchase(json!({ "quantity": 2 }))] }),
    )
    .await;
    assert_eq!(case.rows().await, json!([row(3, 2)]));
    case.apply(json!({ "duo_pro": [pro], "duo_enterprise": [purchase(json!({ "quantity": 0 }))] }))
        .await;
    assert_eq!(case.rows().await, json!([row(1, 8)]));
}

#[tokio::test]
async fn one_kind_of_duo_does_not_take_the_other_away() {
    let case = Case::having(json!({ "duo_enterprise": [purchase(json!({}))] })).await;
    case.apply(json!({ "duo_pro": [end()] })).await;
    assert_eq!(case.rows().await, json!([row(3, 5)]));
    case.apply(json!({ "duo_enterprise": [end()] })).await;
    assert_eq!(case.rows().await[0]["to"], json!("2026-02-02"));
}

#[tokio::test]
async fn a_broken_purchase_spares_the_others() {
    let case = Case::having(json!({ "secrets_manager": [purchase(json!({}))] })).await;
    let long = "x".repeat(256);
    let (status, answer) = case
        .fixture
        .post(
            case.id,
            json!({ "add_on_purchases": {
                "duo_core": [purchase(json!({ "quantity": 1 }))],
                "duo_amazon_q": [purchase(json!({ "quantity": -1 }))],
                "self_hosted_dap": [purchase(json!({ "purchase_xid": long }))],
                "gitlab_credits": [purchase(json!({ "expires_on": "2025-12-31" }))],
                "flex_offline": [purchase(json!({})), purchase(json!({ "quantity": -1 }))],
                "secrets_manager": [{ "quantity": 5, "started_on": null, "expires_on": "2025-12-31" }],
                "duo_max": [purchase(json!({}))],
            } }),
        )
        .await;
    assert_eq!(status, 422);
    let message = "'duo_amazon_q' quantity must be greater than or equal to 0 \
        'duo_max' is not a valid name \
        'flex_offline' quantity must be greater than or equal to 0 \
        'gitlab_credits' expires_on must not be before started_on \
        Purchase xid is too long (maximum is 255 characters). \
        'secrets_manager' expires_on must not be before started_on";
    assert_eq!(answer["message"], json!(message));
    assert_eq!(
        answer["payload"]["add_on_purchases"],
        json!({ "status": "error", "message": message })
    );
    assert_eq!(case.rows().await, json!([row(5, 1), row(8, 5)]));
}

#[tokio::test]
async fn a_purchase_xid_of_255_characters_is_stored() {
    let xid = "ü".repeat(255);
    let case =
        Case::having(json!({ "duo_core": [purchase(json!({ "purchase_xid": xid }))] })).await;
    assert_eq!(case.rows().await[0]["xid"], json!(xid));
}

#[tokio::test]
async fn a_broken_purchase_that_loses_to_the_other_duo_is_still_an_error() {
    let case = Case::new().await;
    let add_ons = json!({ "duo_pro": [purchase(json!({}))], "duo_enterprise": [purchase(json!({ "quantity": -2 }))] });
    let (status, answer) = case
        .fixture
        .post(case.id, json!({ "add_on_purchases": add_ons }))
        .await;
    assert_eq!(status, 422);
    assert_eq!(
        answer["message"],
        json!("'duo_enterprise' quantity must be greater than or equal to 0")
    );
    assert_eq!(case.rows().await, json!([row(1, 5)]));
}

#[tokio::test]
async fn an_unknown_name_is_refused_and_is_nothing_with_an_empty_list() {
    let case = Case::having(json!({ "duo_core": [purchase(json!({}))], "duo_max": [] })).await;
    assert_eq!(case.rows().await, json!([row(5, 5)]));
    for sent in [purchase(json!({})), json!({}), end()] {
        assert_eq!(
            case.refused(json!({ "duo_max": [sent] })).await,
            "'duo_max' is not a valid name"
        );
    }
    let (status, answer) = case
        .fixture
        .post(case.id, json!({ "add_on_purchases": { "duo_max": [] } }))
        .await;
    assert_eq!(
        (status.as_u16(), &answer["payload"]["add_on_purchases"]),
        (200, &Value::Null)
    );
}

#[tokio::test]
async fn an_add_on_that_this_gitlab_does_not_carry_out_is_refused_and_gets_no_number() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    for name in [
        "duo_amazon_q",
        "self_hosted_dap",
        "gitlab_credits",
        "secrets_manager",
        "flex_offline",
    ] {
        let add_ons = json!({ name: [purchase(json!({}))] });
        assert_eq!(
            fixture.refused(id, "add_on_purchases", add_ons).await,
            format!("'{name}' is not a valid name")
        );
    }
    let numbers = "SELECT name FROM subscription_add_ons";
    assert_eq!(fixture.rows(numbers).await, json!([]));
}

#[tokio::test]
async fn a_personal_namespace_cannot_buy_but_may_be_told_of_nothing() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.namespace("alice", "User", None).await;
    let add_ons = json!({ "duo_core": [purchase(json!({}))] });
    assert_eq!(
        fixture.refused(id, "add_on_purchases", add_ons).await,
        "Namespace is invalid."
    );
    fixture
        .apply(
            id,
            json!({ "add_on_purchases": { "duo_core": [purchase(json!({ "quantity": 0 }))] } }),
        )
        .await;
}

#[tokio::test]
async fn omitted_add_ons_stay_untouched() {
    let case = Case::having(json!({ "duo_core": [purchase(json!({}))] })).await;
    case.apply(json!({ "secrets_manager": [purchase(json!({ "quantity": 1 }))] }))
        .await;
    assert_eq!(case.rows().await, json!([row(5, 5), row(8, 1)]));
}

#[tokio::test]
async fn the_uid_column_of_newer_gitlabs_is_filled_and_follows_the_add_on() {
    let case = Case::new().await;
    case.fixture
        .execute("ALTER TABLE subscription_add_on_purchases ADD COLUMN subscription_add_on_uid smallint NOT NULL")
        .await;
    case.apply(json!({ "duo_pro": [purchase(json!({}))] }))
        .await;
    let uids = "SELECT subscription_add_on_uid AS uid FROM subscription_add_on_purchases";
    assert_eq!(case.fixture.rows(uids).await, json!([{ "uid": 1 }]));
    case.apply(json!({ "duo_enterprise": [purchase(json!({}))] }))
        .await;
    assert_eq!(case.fixture.rows(uids).await, json!([{ "uid": 3 }]));
}

#[tokio::test]
async fn without_any_unique_index_there_is_still_one_row() {
    let case = Case::new().await;
    case.fixture
        .execute(
            "ALTER TABLE subscription_add_on_purchases
                 DROP CONSTRAINT subscription_add_on_purchases_subscription_add_on_id_namesp_key",
        )
        .await;
    case.apply(json!({ "duo_core": [purchase(json!({}))] }))
        .await;
    case.apply(json!({ "duo_core": [purchase(json!({ "quantity": 6 }))] }))
        .await;
    assert_eq!(case.rows().await, json!([row(5, 6)]));
}
