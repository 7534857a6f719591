//! Bodies that no portal sends. Each is a 400 that names the path, and writes nothing.

use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};

use super::fixture::ProvisioningFixture;

async fn refused(body: impl Into<Vec<u8>>) -> String {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    let before = fixture.everything().await;
    let (status, answer) = fixture.post_bytes(id, body.into()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    assert_eq!(before, fixture.everything().await);
    let Value::Object(answer) = answer else {
        panic!("{answer}")
    };
    assert_eq!(answer.len(), 1);
    answer["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_body_of_10_mb_is_too_large() {
    let document = json!({ "provision": { "storage": { "note": "x".repeat(10_000_000) } } });
    assert_eq!(
        refused(document.to_string()).await,
        "provision is too large"
    );
}

#[tokio::test]
async fn depth_is_a_wrong_type_at_a_known_path_and_no_danger_elsewhere() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let seats = format!(
        r#"{{"provision":{{"base_product":{{"seats":{}}}}}}}"#,
        deep(200_000)
    );
    assert_eq!(
        refused(seats).await,
        "provision[base_product][seats] is invalid"
    );
    let add_on = format!(
        r#"{{"provision":{{"add_on_purchases":{{"duo_core":{}}}}}}}"#,
        deep(200_000)
    );
    assert_eq!(
        refused(add_on).await,
        "provision[add_on_purchases][duo_core][0] is invalid"
    );
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    let unknown = format!(r#"{{"provision":{{"unknown":{}}}}}"#, deep(200_000));
    assert_eq!(fixture.post_bytes(id, unknown).await.0, StatusCode::OK);
}

#[tokio::test]
async fn invalid_utf_8_is_refused() {
    assert_eq!(
        refused(b"{\"provision\":{\"base_product\":{\"plan_code\":\"\xff\"}}}").await,
        "Invalid JSON format"
    );
}

#[rstest]
#[case("", "provision is missing")]
#[case("[]", "provision is missing")]
#[case("{}", "provision is missing")]
#[case(r#"{"provision":null}"#, "provision is invalid")]
#[case(r#"{"provision":[]}"#, "provision is invalid")]
#[case(r#"{"provision":"{}"}"#, "provision is invalid")]
#[case(r#"{"provision":{}"#, "Invalid JSON format")]
#[case(r#"{"provision":{}}}"#, "Invalid JSON format")]
#[case("provision[storage]=1", "Invalid JSON format")]
#[case(r#"{"provision":{"storage":[]}}"#, "provision[storage] is invalid")]
#[case(
    r#"{"provision":{"storage":{"additional_purchased_storage_size":"100"}}}"#,
    "provision[storage][additional_purchased_storage_size] is invalid"
)]
#[case(
    r#"{"provision":{"storage":{"additional_purchased_storage_size":1.5}}}"#,
    "provision[storage][additional_purchased_storage_size] is invalid"
)]
#[case(
    r#"{"provision":{"storage":{"additional_purchased_storage_size":9223372036854775808}}}"#,
    "provision[storage][additional_purchased_storage_size] is invalid"
)]
#[case(
    r#"{"provision":{"base_product":{"seats":2147483648}}}"#,
    "provision[base_product][seats] is invalid"
)]
#[case(
    r#"{"provision":{"base_product":{"max_seats_used":-2147483649}}}"#,
    "provision[base_product][max_seats_used] is invalid"
)]
#[case(
    r#"{"provision":{"compute_minutes":{"shared_runners_minutes_limit":1e300}}}"#,
    "provision[compute_minutes][shared_runners_minutes_limit] is invalid"
)]
#[case(
    r#"{"provision":{"add_on_purchases":{"duo_core":{}}}}"#,
    "provision[add_on_purchases][duo_core] is invalid"
)]
#[case(
    r#"{"provision":{"add_on_purchases":{"duo_core":[{},{"quantity":99999999999}]}}}"#,
    "provision[add_on_purchases][duo_core][1][quantity] is invalid"
)]
#[case(
    r#"{"provision":{"add_on_purchases":{"duo_core":[{"purchase_xid":"a\u0000b"}]}}}"#,
    "provision[add_on_purchases][duo_core][0][purchase_xid] is invalid"
)]
#[case(
    r#"{"provision":{"add_on_purchases":{"duo\u0000core":[]}}}"#,
    "provision[add_on_purchases] is invalid"
)]
#[case(
    r#"{"provision":{"base_product":{"plan_code":"\ud800"}}}"#,
    "provision[base_product][plan_code] is invalid"
)]
#[case(
    r#"{"provision":{"base_product":{"start_date":"2026-1-1"}}}"#,
    "provision[base_product][start_date] is invalid"
)]
#[tokio::test]
async fn a_wrong_body_names_the_path(#[case] body: &str, #[case] error: &str) {
    assert_eq!(refused(body).await, error);
}
