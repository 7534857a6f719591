//! The step `base_product`, rule by rule, with the rows before and after.

mod terms;

use serde_json::{Value, json};

use super::fixture::ProvisioningFixture;

const SUBSCRIPTION: &str = "SELECT p.name AS plan, s.hosted_plan_name_uid AS uid, s.start_date, s.end_date, s.seats, \
    s.max_seats_used AS max, s.seats_in_use AS in_use, s.seats_owed AS owed, s.trial, s.trial_starts_on AS trial_from, \
    s.trial_ends_on AS trial_to, s.auto_renew, s.max_seats_used_changed_at IS NOT NULL AS max_dated \
    FROM gitlab_subscriptions s LEFT JOIN plans p ON p.id = s.hosted_plan_id ORDER BY s.id";

const HISTORY: &str = "SELECT p.name AS plan, h.start_date, h.end_date, h.seats, h.max_seats_used AS max, h.trial, \
    h.trial_starts_on AS trial_from, h.trial_ends_on AS trial_to, h.auto_renew, h.change_type, \
    h.namespace_id = s.namespace_id AND h.gitlab_subscription_id = s.id \
        AND h.gitlab_subscription_created_at = s.created_at AS of_the_row \
    FROM gitlab_subscription_histories h JOIN gitlab_subscriptions s ON s.id = h.gitlab_subscription_id \
    LEFT JOIN plans p ON p.id = h.hosted_plan_id ORDER BY h.id";

/// The whole row, from what differs from a paid term of Ultimate.
fn row(differs: Value) -> Value {
    let row = json!({
        "plan": "ultimate", "uid": 7, "start_date": "2026-01-01", "end_date": "2027-01-01", "seats": 30, "max": 10,
        "in_use": 0, "owed": 0, "trial": false, "trial_from": null, "trial_to": null, "auto_renew": true,
        "max_dated": false,
    });
    with(row, differs)
}

fn with(mut base: Value, differs: Value) -> Value {
    let Value::Object(differs) = differs else {
        panic!("an object")
    };
    base.as_object_mut().unwrap().extend(differs);
    base
}

/// The document that makes [`row`].
fn paid() -> Value {
    json!({ "plan_code": "ultimate", "start_date": "2026-01-01", "end_date": "2027-01-01", "seats": 30,
        "max_seats_used": 10, "auto_renew": true, "trial": false, "trial_starts_on": null, "trial_ends_on": null })
}

struct Case {
    fixture: ProvisioningFixture,
    id: i64,
}

impl Case {
    /// A group that has `document` already, 12 seats in use and no history.
    async fn having(document: Value) -> Self {
        let fixture = ProvisioningFixture::new().await;
        let id = fixture.group("acme").await;
        fixture.apply(id, json!({ "base_product": document })).await;
        fixture
            .execute("UPDATE gitlab_subscriptions SET seats_in_use = 12")
            .await;
        let case = Self { fixture, id };
        assert_eq!(case.history().await, json!([]));
        case
    }

    async fn apply(&self, document: Value) {
        self.fixture
            .apply(self.id, json!({ "base_product": document }))
            .await;
        self.fixture
            .assert_settled(self.id, json!({ "base_product": document }))
            .await;
    }

    async fn rows(&self) -> Value {
        self.fixture.rows(SUBSCRIPTION).await
    }

    async fn history(&self) -> Value {
        self.fixture.rows(HISTORY).await
    }

    async fn refused(&self, document: Value) -> String {
        self.fixture
            .refused(self.id, "base_product", document)
            .await
    }
}

#[tokio::test]
async fn the_first_document_makes_a_row_and_no_history() {
    let case = Case::having(paid()).await;
    assert_eq!(case.rows().await, json!([row(json!({ "in_use": 12 }))]));
}

#[tokio::test]
async fn what_the_first_document_leaves_out_is_today_0_or_empty() {
    let case = Case::having(json!({ "auto_renew": false })).await;
    let today = case
        .fixture
        .rows("SELECT (now() AT TIME ZONE 'UTC')::date AS today")
        .await;
    let today = &today[0]["today"];
    let expected = row(
        json!({ "plan": null, "uid": null, "start_date": today, "end_date": null, "seats": 0, "max": 0,
        "in_use": 12, "auto_renew": false }),
    );
    assert_eq!(case.rows().await, json!([expected]));
}

#[tokio::test]
async fn a_null_plan_is_free_and_an_unknown_one_is_refused() {
    let case = Case::having(paid()).await;
    case.apply(json!({ "plan_code": null })).await;
    assert_eq!(
        case.rows().await,
        json!([row(json!({ "plan": "free", "uid": 2, "in_use": 12 }))])
    );
    let message = case
        .refused(json!({ "plan_code": "platinum", "seats": 1 }))
        .await;
    assert_eq!(
        message,
        "Gitlab subscription plan code 'platinum' is not a known plan"
    );
}

#[tokio::test]
async fn fields_that_are_absent_stay_as_they_are() {
    let case = Case::having(paid()).await;
    case.apply(json!({ "seats": 31 })).await;
    assert_eq!(
        case.rows().await,
        json!([row(json!({ "seats": 31, "in_use": 12 }))])
    );
}

#[tokio::test]
async fn fields_that_are_null_are_cleared() {
    let case = Case::having(paid()).await;
    case.apply(json!({ "end_date": null, "auto_renew": null, "max_seats_used": null }))
        .await;
    let cleared = json!({ "end_date": null, "auto_renew": null, "max": null, "in_use": 12, "max_dated": true });
    assert_eq!(case.rows().await, json!([row(cleared.clone())]));
    // It counts as a trial that is over.
    case.apply(json!({ "trial": null })).await;
    let unknown = with(cleared, json!({ "trial": null, "max": 12 }));
    assert_eq!(case.rows().await, json!([row(unknown)]));
}

#[tokio::test]
async fn null_for_seats_or_start_and_numbers_below_0_are_refused() {
    let case = Case::having(paid()).await;
    assert_eq!(
        case.refused(json!({ "seats": null })).await,
        "Gitlab subscription seats can't be blank"
    );
    assert_eq!(
        case.refused(json!({ "start_date": null })).await,
        "Gitlab subscription start date can't be blank"
    );
    assert_eq!(
        case.refused(json!({ "seats": -1, "max_seats_used": -1 }))
            .await,
        "Gitlab subscription seats must be greater than or equal to 0, \
         Gitlab subscription max seats used must be greater than or equal to 0"
    );
}

#[tokio::test]
async fn a_refused_first_document_makes_no_row() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture
        .refused(
            id,
            "base_product",
            json!({ "plan_code": "ultimate", "seats": null }),
        )
        .await;
    assert_eq!(fixture.rows(SUBSCRIPTION).await, json!([]));
}

#[tokio::test]
async fn a_trial_needs_both_dates_with_the_end_after_the_start() {
    let case = Case::having(paid()).await;
    assert_eq!(
        case.refused(json!({ "trial": true })).await,
        "Gitlab subscription trial starts on can't be blank, Gitlab subscription trial ends on can't be blank, \
         Gitlab subscription trial ends on can't be blank"
    );
    let day =
        json!({ "trial": true, "trial_starts_on": "2026-03-01", "trial_ends_on": "2026-03-01" });
    assert_eq!(
        case.refused(day).await,
        "Gitlab subscription trial ends on must be greater than 2026-03-01"
    );
    case.apply(
        json!({ "trial": true, "trial_starts_on": "2026-03-01", "trial_ends_on": "2026-03-31" }),
    )
    .await;
    let trial = json!({ "trial": true, "trial_from": "2026-03-01", "trial_to": "2026-03-31", "in_use": 12 });
    assert_eq!(case.rows().await, json!([row(trial)]));
}

#[tokio::test]
async fn the_end_of_a_trial_is_judged_against_the_start_on_the_row() {
    let trial =
        json!({ "trial": true, "trial_starts_on": "2026-03-01", "trial_ends_on": "2026-03-31" });
    let case = Case::having(with(paid(), trial)).await;
    assert_eq!(
        case.refused(json!({ "trial_ends_on": "2026-02-01" })).await,
        "Gitlab subscription trial ends on must be greater than 2026-03-01"
    );
}

#[tokio::test]
async fn a_change_keeps_the_old_values_in_the_history() {
    let case = Case::having(paid()).await;
    let old = json!({ "plan": "ultimate", "start_date": "2026-01-01", "end_date": "2027-01-01", "seats": 30, "max": 10,
        "trial": false, "trial_from": null, "trial_to": null, "auto_renew": true, "change_type": 1, "of_the_row": true });
    case.apply(json!({ "plan_code": "premium", "seats": 40 }))
        .await;
    assert_eq!(case.history().await, json!([old]));
    case.apply(json!({ "auto_renew": false })).await;
    let second = with(old.clone(), json!({ "plan": "premium", "seats": 40 }));
    assert_eq!(case.history().await, json!([old, second]));
}

#[tokio::test]
async fn each_tracked_field_alone_makes_history() {
    let changes = [
        json!({ "plan_code": "premium" }),
        json!({ "start_date": "2026-01-02" }),
        json!({ "end_date": "2027-01-02" }),
        json!({ "trial_starts_on": "2026-01-03" }),
        json!({ "trial_ends_on": "2026-01-04" }),
        json!({ "seats": 31 }),
        json!({ "max_seats_used": 11 }),
        json!({ "auto_renew": false }),
        json!({ "trial": true }),
    ];
    let case = Case::having(paid()).await;
    for (index, change) in changes.into_iter().enumerate() {
        case.apply(change.clone()).await;
        assert_eq!(
            case.history().await.as_array().unwrap().len(),
            index + 1,
            "{change}"
        );
    }
}

#[tokio::test]
async fn an_unchanged_document_writes_neither_row_nor_history() {
    let case = Case::having(paid()).await;
    case.fixture
        .assert_settled(case.id, json!({ "base_product": paid() }))
        .await;
}

#[tokio::test]
async fn a_plan_number_missing_from_an_old_row_is_filled_in_without_history() {
    let case = Case::having(paid()).await;
    case.fixture
        .execute("UPDATE gitlab_subscriptions SET hosted_plan_name_uid = NULL")
        .await;
    case.apply(paid()).await;
    assert_eq!(case.rows().await, json!([row(json!({ "in_use": 12 }))]));
    assert_eq!(case.history().await, json!([]));
}

#[tokio::test]
async fn a_restart_takes_the_seats_in_use_whatever_was_sent() {
    let case = Case::having(paid()).await;
    let renewal =
        json!({ "start_date": "2027-01-01", "end_date": "2028-01-01", "max_seats_used": 25 });
    case.fixture
        .apply(case.id, json!({ "base_product": renewal }))
        .await;
    let term = json!({ "start_date": "2027-01-01", "end_date": "2028-01-01", "max": 12, "in_use": 12, "max_dated": true });
    assert_eq!(case.rows().await, json!([row(term)]));
    assert_eq!(case.history().await[0]["max"], json!(10));
}

#[tokio::test]
async fn a_restart_whose_number_stays_is_dated() {
    let case = Case::having(with(paid(), json!({ "max_seats_used": 12 }))).await;
    case.apply(json!({ "start_date": "2027-01-01", "end_date": "2028-01-01" }))
        .await;
    let rows = case.rows().await;
    assert_eq!(
        (&rows[0]["max"], &rows[0]["max_dated"]),
        (&json!(12), &json!(true))
    );
}

#[tokio::test]
async fn leaving_the_trial_of_a_paying_customer_for_nothing_restarts_and_owes_nothing() {
    let case = Case::having(with(paid(), json!({ "plan_code": "premium", "seats": 5 }))).await;
    case.apply(json!({ "plan_code": "ultimate_trial_paid_customer" }))
        .await;
    case.apply(json!({ "plan_code": "free" })).await;
    let rows = case.rows().await;
    assert_eq!((&rows[0]["max"], &rows[0]["owed"]), (&json!(12), &json!(0)));
}

#[tokio::test]
async fn a_column_of_a_later_gitlab_goes_into_the_history_too() {
    let case = Case::having(paid()).await;
    case.fixture
        .execute(
            "ALTER TABLE gitlab_subscriptions ADD COLUMN contract_overages_allowed boolean DEFAULT true, ADD COLUMN \"Odd name\" int DEFAULT 4;
             ALTER TABLE gitlab_subscription_histories ADD COLUMN contract_overages_allowed boolean, ADD COLUMN \"Odd name\" int;
             UPDATE gitlab_subscriptions SET trial_extension_type = 2",
        )
        .await;
    let upgraded = case.fixture.twin().await;
    upgraded
        .apply(
            case.id,
            json!({ "base_product": { "plan_code": "premium" } }),
        )
        .await;
    let kept = "SELECT seats_in_use, hosted_plan_name_uid AS uid, trial_extension_type AS extension,
        contract_overages_allowed AS overages, \"Odd name\" AS odd FROM gitlab_subscription_histories";
    assert_eq!(
        case.fixture.rows(kept).await,
        json!([{ "seats_in_use": 12, "uid": 7, "extension": 2, "overages": true, "odd": 4 }])
    );
}
