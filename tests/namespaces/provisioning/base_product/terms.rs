//! When a new term restarts the seats in use.

use super::*;

#[tokio::test]
async fn a_new_term_restarts_the_seats_used_from_those_in_use() {
    let case = Case::having(paid()).await;
    case.apply(json!({ "start_date": "2027-01-01", "end_date": "2028-01-01", "seats": 5 }))
        .await;
    let term = json!({ "start_date": "2027-01-01", "end_date": "2028-01-01", "seats": 5, "max": 12, "in_use": 12,
        "owed": 7, "max_dated": true });
    assert_eq!(case.rows().await, json!([row(term)]));
    assert_eq!(case.history().await[0]["max"], json!(10));
}

#[tokio::test]
async fn a_restart_within_the_seats_owes_none() {
    let case = Case::having(paid()).await;
    case.fixture
        .execute("UPDATE gitlab_subscriptions SET seats_owed = 3")
        .await;
    case.apply(json!({ "start_date": "2027-06-01", "end_date": "2028-06-01" }))
        .await;
    let rows = case.rows().await;
    assert_eq!((&rows[0]["max"], &rows[0]["owed"]), (&json!(12), &json!(0)));
}

#[tokio::test]
async fn a_term_without_an_old_end_is_new() {
    let case = Case::having(with(paid(), json!({ "end_date": null }))).await;
    case.apply(json!({ "start_date": "2026-02-01", "end_date": "2027-02-01" }))
        .await;
    assert_eq!(case.rows().await[0]["max"], json!(12));
}

#[tokio::test]
async fn dates_that_move_within_the_term_restart_nothing() {
    let case = Case::having(paid()).await;
    for change in [
        json!({ "end_date": "2029-01-01" }),
        json!({ "start_date": "2026-02-01" }),
        json!({ "start_date": "2026-03-01", "end_date": "2027-03-01" }),
    ] {
        case.apply(change).await;
        assert_eq!(case.rows().await[0]["max"], json!(10));
    }
}

#[tokio::test]
async fn a_new_term_that_nobody_pays_for_restarts_nothing() {
    for unpaid in [
        json!({ "plan_code": "free" }),
        json!({ "plan_code": "default" }),
        json!({ "plan_code": "early_adopter" }),
        json!({ "seats": 0 }),
        json!({ "trial": true, "trial_starts_on": "2027-01-01", "trial_ends_on": "2027-02-01" }),
    ] {
        let case = Case::having(paid()).await;
        case.apply(with(
            json!({ "start_date": "2027-01-01", "end_date": "2028-01-01" }),
            unpaid,
        ))
        .await;
        let rows = case.rows().await;
        assert_eq!(
            (&rows[0]["max"], &rows[0]["max_dated"]),
            (&json!(10), &json!(false)),
            "{rows}"
        );
    }
}

fn trial(plan: &str) -> Value {
    with(
        paid(),
        json!({ "plan_code": plan, "trial": true, "trial_starts_on": "2026-01-01", "trial_ends_on": "2026-02-01" }),
    )
}

#[tokio::test]
async fn a_trial_that_is_paid_for_restarts_the_seats_used() {
    let case = Case::having(trial("ultimate")).await;
    case.apply(json!({ "trial": false })).await;
    let rows = case.rows().await;
    assert_eq!(
        (&rows[0]["max"], &rows[0]["max_dated"]),
        (&json!(12), &json!(true))
    );
}

#[tokio::test]
async fn the_trial_of_a_paying_customer_and_the_way_back_restart_nothing() {
    let premium = with(paid(), json!({ "plan_code": "premium" }));
    let case = Case::having(premium).await;
    case.apply(json!({ "plan_code": "ultimate_trial_paid_customer", "start_date": "2027-01-01", "end_date": "2027-02-01" }))
        .await;
    assert_eq!(case.rows().await[0]["max"], json!(10), "on the way there");
    case.apply(json!({ "start_date": "2027-03-01", "end_date": "2027-04-01" }))
        .await;
    assert_eq!(case.rows().await[0]["max"], json!(10), "while there");
    case.apply(
        json!({ "plan_code": "premium", "start_date": "2026-01-01", "end_date": "2027-01-01" }),
    )
    .await;
    assert_eq!(case.rows().await[0]["max"], json!(10), "on the way back");
}

#[tokio::test]
async fn a_renewed_premium_or_another_plan_after_the_trial_of_a_paying_customer_restarts() {
    for next in [
        json!({ "plan_code": "premium", "start_date": "2027-01-01", "end_date": "2028-01-01" }),
        json!({ "plan_code": "ultimate" }),
    ] {
        let case = Case::having(with(paid(), json!({ "plan_code": "premium" }))).await;
        case.apply(json!({ "plan_code": "ultimate_trial_paid_customer" }))
            .await;
        case.apply(next).await;
        assert_eq!(case.rows().await[0]["max"], json!(12));
    }
}
