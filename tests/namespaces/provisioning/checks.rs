//! The checks before the service, in their order, and the service's two answers.

use reqwest::StatusCode;
use serde_json::json;

use super::fixture::{HEADER, ProvisioningFixture, document};

const EMPTY: &str = r#"{"provision":{}}"#;

#[tokio::test]
async fn a_whole_document_is_applied_and_answered_part_by_part() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    let success = json!({ "status": "success" });
    let (status, answer) = fixture.post(id, document(3)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        answer,
        json!({ "status": "success", "message": null, "payload": { "base_product": success, "storage": success,
            "compute_minutes": success, "add_on_purchases": success } })
    );
    fixture.assert_settled(id, document(3)).await;
}

#[tokio::test]
async fn parts_that_are_absent_null_or_empty_are_skipped() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    let before = fixture.everything().await;
    let skipped = json!({ "status": "success", "message": null, "payload": { "base_product": null, "storage": null,
        "compute_minutes": null, "add_on_purchases": null } });
    for provision in [
        json!({}),
        json!({ "base_product": null, "storage": {}, "compute_minutes": { "colour": "red" }, "add_on_purchases": {}, "extra": 1 }),
    ] {
        assert_eq!(
            fixture.post(id, provision).await,
            (StatusCode::OK, skipped.clone())
        );
    }
    assert_eq!(before, fixture.everything().await);
}

#[tokio::test]
async fn a_failed_step_keeps_no_other_from_running_and_all_failures_are_gathered() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    let mut parts = document(4);
    parts["base_product"]["seats"] = json!(null);
    parts["compute_minutes"]["shared_runners_minutes_limit"] = json!(-1);
    parts["add_on_purchases"] = json!({ "duo_max": [{}], "duo_ultra": [{}] });
    let (status, answer) = fixture.post(id, parts).await;
    let seats = "Gitlab subscription seats can't be blank";
    let minutes = "Shared runners minutes limit must be greater than or equal to 0";
    let add_ons = "'duo_max' is not a valid name 'duo_ultra' is not a valid name";
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        answer,
        json!({ "status": "error", "message": format!("{seats}, {minutes}, {add_ons}"), "payload": {
            "base_product": { "status": "error", "message": seats }, "storage": { "status": "success" },
            "compute_minutes": { "status": "error", "message": minutes },
            "add_on_purchases": { "status": "error", "message": add_ons } } })
    );
    assert_eq!(
        fixture.rows("SELECT * FROM gitlab_subscriptions").await,
        json!([])
    );
    assert_eq!(
        fixture
            .rows("SELECT * FROM namespace_limits")
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_namespace_is_found_by_id_or_by_full_path_in_any_case() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("Acme.Inc").await;
    fixture.group("acme").await;
    fixture.namespace("alice", "User", None).await;
    for found in [
        id.to_string(),
        "acme.inc".to_owned(),
        "ACME%2EINC".to_owned(),
        "Alice".to_owned(),
    ] {
        assert_eq!(
            fixture.post_bytes(&found, EMPTY).await.0,
            StatusCode::OK,
            "{found}"
        );
    }
}

#[tokio::test]
async fn a_namespace_that_is_not_there_or_a_projects_own_is_not_found() {
    let fixture = ProvisioningFixture::new().await;
    let group = fixture.group("acme").await;
    let child = fixture.namespace("team", "Group", Some(group)).await;
    let project = fixture.namespace("code", "Project", Some(child)).await;
    let deep = vec!["acme"; 40].join("%2F");
    for missing in [
        "0",
        "999999",
        "9223372036854775808",
        "99999999999999999999999999",
        "-1",
        "nobody",
        "acme%2F",
        "%2Facme",
        "acme%2Fcode",
        "acme%2Fteam%2Fcode",
        "team",
        "%00",
        "%FF",
        "acme%00",
        "+1",
        "1e3",
        "%D9%A1",
        &project.to_string(),
        &deep,
    ] {
        let answer = fixture.post_bytes(missing, "no document").await;
        assert_eq!(
            answer,
            (
                StatusCode::NOT_FOUND,
                json!({ "message": "404 Namespace Not Found" })
            ),
            "{missing}"
        );
    }
}

#[tokio::test]
async fn only_a_root_is_provisioned() {
    let fixture = ProvisioningFixture::new().await;
    let group = fixture.group("acme").await;
    let child = fixture.namespace("team", "Group", Some(group)).await;
    let grandchild = fixture.namespace("sub", "Group", Some(child)).await;
    for below in [
        child.to_string(),
        grandchild.to_string(),
        "acme%2FTeam".to_owned(),
        "ACME%2fteam%2Fsub".to_owned(),
    ] {
        let answer = fixture.post_bytes(&below, "no document").await;
        let expected = json!({ "message": "400 Bad request - Must be root namespace" });
        assert_eq!(answer, (StatusCode::BAD_REQUEST, expected), "{below}");
    }
}

#[tokio::test]
async fn a_group_named_with_digits_is_found_by_its_id_alone() {
    let fixture = ProvisioningFixture::new().await;
    fixture.group("4711").await;
    assert_eq!(
        fixture.post_bytes("4711", EMPTY).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_token_is_judged_before_anything_else() {
    let fixture = ProvisioningFixture::new().await;
    for id in ["999999", "acme%2Fteam"] {
        let request = fixture
            .client
            .post(fixture.endpoint(id))
            .body("no document");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            response.text().await.unwrap(),
            r#"{"message":"401 Unauthorized"}"#
        );
    }
}

#[tokio::test]
async fn other_methods_and_paths_are_answered_in_json() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    let response = fixture
        .client
        .get(fixture.endpoint(id))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "POST");
    assert_eq!(
        response.text().await.unwrap(),
        r#"{"error":"405 Not Allowed"}"#
    );
    let nowhere = format!("{}/api/v4/users", fixture.address);
    let response = fixture
        .client
        .post(nowhere)
        .header(HEADER, fixture.portal.token())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        response.text().await.unwrap(),
        r#"{"error":"404 Not Found"}"#
    );
}

#[tokio::test]
async fn the_service_stops_when_asked_to() {
    let fixture = ProvisioningFixture::new().await;
    let id = fixture.group("acme").await;
    fixture.apply(id, document(1)).await;
    fixture.stop().await.unwrap();
}
