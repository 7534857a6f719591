//! The step `storage`, rule by rule, with the rows before and after.

use serde_json::{Value, json};

use super::fixture::ProvisioningFixture;

const SIZE: &str = "additional_purchased_storage_size";
const ENDS_ON: &str = "additional_purchased_storage_ends_on";

async fn rows(fixture: &ProvisioningFixture) -> Value {
    fixture
        .rows("SELECT * FROM namespace_limits ORDER BY 1")
        .await
}

#[tokio::test]
async fn storage_makes_the_row_of_limits_when_there_is_none() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    assert_eq!(rows(&fixture).await, json!([]));
    fixture
        .apply(
            id,
            json!({ "storage": { SIZE: 100, ENDS_ON: "2027-01-01" } }),
        )
        .await;
    assert_eq!(
        rows(&fixture).await,
        json!([{ "namespace_id": id, SIZE: 100, ENDS_ON: "2027-01-01" }])
    );
}

#[tokio::test]
async fn storage_without_a_size_makes_a_row_of_size_0() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture
        .apply(id, json!({ "storage": { ENDS_ON: "2027-01-01" } }))
        .await;
    assert_eq!(
        rows(&fixture).await,
        json!([{ "namespace_id": id, SIZE: 0, ENDS_ON: "2027-01-01" }])
    );
}

#[tokio::test]
async fn a_field_of_storage_that_is_absent_stays_and_a_null_end_is_cleared() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture
        .apply(
            id,
            json!({ "storage": { SIZE: 100, ENDS_ON: "2027-01-01" } }),
        )
        .await;
    fixture.apply(id, json!({ "storage": { SIZE: 200 } })).await;
    assert_eq!(
        rows(&fixture).await,
        json!([{ "namespace_id": id, SIZE: 200, ENDS_ON: "2027-01-01" }])
    );
    fixture
        .apply(id, json!({ "storage": { ENDS_ON: null } }))
        .await;
    assert_eq!(
        rows(&fixture).await,
        json!([{ "namespace_id": id, SIZE: 200, ENDS_ON: null }])
    );
}

#[tokio::test]
async fn a_size_of_null_or_below_0_is_refused() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture.apply(id, json!({ "storage": { SIZE: 100 } })).await;
    assert_eq!(
        fixture
            .refused(id, "storage", json!({ SIZE: null, ENDS_ON: "2027-01-01" }))
            .await,
        "Namespace limit additional purchased storage size can't be blank"
    );
    assert_eq!(
        fixture.refused(id, "storage", json!({ SIZE: -1 })).await,
        "Namespace limit additional purchased storage size must be greater than or equal to 0"
    );
}

#[tokio::test]
async fn a_size_as_large_as_the_column_is_taken() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture
        .apply(id, json!({ "storage": { SIZE: i64::MAX } }))
        .await;
    assert_eq!(
        rows(&fixture).await,
        json!([{ "namespace_id": id, SIZE: i64::MAX, ENDS_ON: null }])
    );
}
