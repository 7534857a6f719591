//! Which documents break a rule, and how the error names it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that meets the unexpected has failed"
)]

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn check(provision: &Value) -> Vec<String> {
    let text = json!({ "provision": provision }).to_string();
    let document = Document::parse(text.as_bytes()).unwrap();
    let violations = DocumentRules::default().check(&document);
    violations.iter().map(ToString::to_string).collect()
}

#[rstest]
#[case::the_documents_of_the_design(json!({
    "base_product": { "plan_code": "ultimate", "start_date": "2026-01-01", "end_date": "2027-01-01", "seats": 30,
        "max_seats_used": 10, "auto_renew": true, "trial": false, "trial_starts_on": null, "trial_ends_on": null },
    "storage": { "additional_purchased_storage_size": 100, "additional_purchased_storage_ends_on": "2027-01-01" },
    "compute_minutes": { "shared_runners_minutes_limit": 100, "extra_shared_runners_minutes_limit": 90 },
    "add_on_purchases": { "duo_enterprise": [{ "started_on": "2026-01-01", "expires_on": "2027-01-01", "quantity": 1,
        "purchase_xid": "A-S00001", "trial": false }] } }))]
#[case::nulls_that_clear(json!({
    "base_product": { "plan_code": null, "end_date": null, "auto_renew": null },
    "storage": { "additional_purchased_storage_ends_on": null },
    "compute_minutes": { "shared_runners_minutes_limit": null, "extra_shared_runners_minutes_limit": null } }))]
#[case::zeros(json!({
    "base_product": { "seats": 0, "max_seats_used": 0 }, "storage": { "additional_purchased_storage_size": 0 },
    "compute_minutes": { "shared_runners_minutes_limit": 0 }, "add_on_purchases": { "duo_core": [{ "quantity": 0 }] } }))]
#[case::an_end_without_dates(json!({ "add_on_purchases": { "duo_pro": [{ "quantity": null, "purchase_xid": null }] } }))]
#[case::nothing_under_an_unknown_name(json!({ "add_on_purchases": { "future_feature": [] } }))]
#[case::a_trial_whose_dates_stand_in_gitlab(json!({ "base_product": { "trial": true } }))]
#[case::no_trial_with_any_dates(json!({ "base_product":
    { "trial": false, "trial_starts_on": "2026-02-01", "trial_ends_on": "2026-01-01" } }))]
#[case::beyond_32_bits(json!({ "storage": { "additional_purchased_storage_size": 5_000_000_000_i64 } }))]
fn what_gitlab_carries_out_breaks_no_rule(#[case] provision: Value) {
    assert_eq!(check(&provision), Vec::<String>::new());
}

const PLANS: &str = "bronze, default, early_adopter, free, gold, opensource, premium, premium_trial, silver, ultimate, \
                     ultimate_trial, ultimate_trial_paid_customer or null, which is free";
const ADD_ONS_ALLOWED: &str = "duo_core, duo_enterprise, duo_pro, product_analytics; a newer GitLab's are added to \
                               namespaces.add_ons";
const ZERO: &str = "a whole number from 0";

#[rstest]
#[case("base_product", json!({ "plan_code": "ultimat" }), "[plan_code]", "\"ultimat\"", PLANS)]
#[case("base_product", json!({ "plan_code": "Ultimate" }), "[plan_code]", "\"Ultimate\"", PLANS)]
#[case("base_product", json!({ "plan_code": "" }), "[plan_code]", "\"\"", PLANS)]
#[case("base_product", json!({ "plan_code": "free\n" }), "[plan_code]", "\"free\\n\"", PLANS)]
#[case("base_product", json!({ "seats": -1 }), "[seats]", "-1", ZERO)]
#[case("base_product", json!({ "seats": null }), "[seats]", "null", ZERO)]
#[case("base_product", json!({ "max_seats_used": -2 }), "[max_seats_used]", "-2", ZERO)]
#[case("base_product", json!({ "start_date": null }), "[start_date]", "null", NOT_NULL)]
#[case("base_product", json!({ "trial": true, "trial_ends_on": null }), "[trial_ends_on]", "null",
    "a date, \"YYYY-MM-DD\", for a trial")]
#[case("base_product", json!({ "trial": true, "trial_starts_on": "2026-02-01", "trial_ends_on": "2026-02-01" }),
    "[trial_ends_on]", "2026-02-01", "a date after trial_starts_on, 2026-02-01")]
#[case("storage", json!({ "additional_purchased_storage_size": -1 }), "[additional_purchased_storage_size]", "-1", ZERO)]
#[case("storage", json!({ "additional_purchased_storage_size": null }), "[additional_purchased_storage_size]", "null", ZERO)]
#[case("compute_minutes", json!({ "shared_runners_minutes_limit": -9 }), "[shared_runners_minutes_limit]", "-9", ZERO)]
#[case("compute_minutes", json!({ "extra_shared_runners_minutes_limit": -9 }), "[extra_shared_runners_minutes_limit]", "-9",
    ZERO)]
#[case("add_on_purchases", json!({ "duo_por": [{ "quantity": 1 }] }), "", "for \"duo_por\"", ADD_ONS_ALLOWED)]
#[case("add_on_purchases", json!({ "gitlab_credits": [{}] }), "", "for \"gitlab_credits\"", ADD_ONS_ALLOWED)]
#[case("add_on_purchases", json!({ "duo_pro": [{ "quantity": -1 }] }), "[duo_pro][0][quantity]", "-1", ZERO)]
#[case("add_on_purchases", json!({ "duo_pro": [{}, { "quantity": -1 }] }), "[duo_pro][1][quantity]", "-1", ZERO)]
#[case("add_on_purchases", json!({ "duo_pro": [{ "purchase_xid": "x".repeat(256) }] }), "[duo_pro][0][purchase_xid]",
    "256 characters long", "text of 1 to 255 characters")]
#[case("add_on_purchases", json!({ "duo_pro": [{ "quantity": 1, "purchase_xid": "" }] }), "[duo_pro][0][purchase_xid]",
    "\"\"", "text of 1 to 255 characters, or null, which keeps the row's")]
#[case("add_on_purchases", json!({ "duo_pro": [{ "started_on": "2026-02-01", "expires_on": "2026-01-31" }] }),
    "[duo_pro][0][expires_on]", "2026-01-31", "a date from started_on, 2026-02-01")]
fn what_gitlab_would_not_carry_out_is_named_with_its_value_and_what_is_allowed(
    #[case] part: &str,
    #[case] fields: Value,
    #[case] field: &str,
    #[case] value: &str,
    #[case] allowed: &str,
) {
    let said = format!("provision[{part}]{field} is {value}; allowed: {allowed}");
    assert_eq!(check(&json!({ part: fields })), [said]);
}

#[test]
fn every_mistake_is_told_at_once_and_in_the_order_of_the_parts() {
    let told = check(&json!({
        "add_on_purchases": { "x": [{ "quantity": -1 }] }, "storage": { "additional_purchased_storage_size": -1 },
        "base_product": { "plan_code": "x", "seats": -1 } }));
    let fields: Vec<&str> = told
        .iter()
        .filter_map(|text| text.split(" is ").next())
        .collect();
    assert_eq!(
        fields,
        [
            "provision[base_product][plan_code]",
            "provision[base_product][seats]",
            "provision[storage][additional_purchased_storage_size]",
            "provision[add_on_purchases]",
            "provision[add_on_purchases][x][0][quantity]"
        ]
    );
}

#[test]
fn newer_names_are_added_by_configuration() {
    let rules = DocumentRules::new(["ultimate_plus"], ["secrets_manager"]);
    let text = r#"{"provision":{"base_product":{"plan_code":"ultimate_plus"},"add_on_purchases":{"secrets_manager":[{}]}}}"#;
    assert!(
        rules
            .check(&Document::parse(text.as_bytes()).unwrap())
            .is_empty()
    );
}
