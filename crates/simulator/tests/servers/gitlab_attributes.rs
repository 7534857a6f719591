//! Custom attributes, in every way they are sent.

use serde_json::json;
use simulator::gitlab::{REDUCED_TOKEN, SimulatedGitLab, SimulatedUser};

use crate::asking::{ask, ask_with, gitlab, request, send};

const PATH: &str = "/users/42/custom_attributes/lookup_gitlab_sync";

async fn one() -> SimulatedGitLab {
    gitlab(vec![SimulatedUser::new(42, "ab123")]).await
}

#[tokio::test]
async fn an_attribute_is_set_by_json_form_or_query() {
    let gitlab = one().await;
    let marker =
        r#"{"v":1,"reason":"cancelled_in_lookup","at":"2026-11-01T02:00:00Z","run":"7+7&7"}"#;
    let put = || request(&gitlab, "PUT", PATH);
    for request in [
        put().json(&json!({"value": marker})),
        put().form(&[("value", marker)]),
        put().query(&[("value", marker)]),
    ] {
        let answer = send(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.json(),
            json!({"key": "lookup_gitlab_sync", "value": marker})
        );
        assert_eq!(
            gitlab.account(42).unwrap().custom_attributes["lookup_gitlab_sync"],
            marker
        );
        assert_eq!(ask(&gitlab, "DELETE", PATH).await.status, 204);
    }
}

#[tokio::test]
async fn an_attribute_can_be_listed_shown_and_deleted_once() {
    let gitlab = one().await;
    send(request(&gitlab, "PUT", PATH).form(&[("value", "x")])).await;
    let entry = json!({"key": "lookup_gitlab_sync", "value": "x"});
    assert_eq!(
        ask(&gitlab, "GET", "/users/42/custom_attributes")
            .await
            .json(),
        json!([entry])
    );
    assert_eq!(ask(&gitlab, "GET", PATH).await.json(), entry);
    assert_eq!(ask(&gitlab, "DELETE", PATH).await.status, 204);
    assert_eq!(ask(&gitlab, "DELETE", PATH).await.status, 404);
    assert_eq!(ask(&gitlab, "GET", PATH).await.status, 404);
}

#[tokio::test]
async fn a_missing_or_blank_value_is_refused() {
    let gitlab = one().await;
    let missing = ask(&gitlab, "PUT", PATH).await;
    assert_eq!(
        (missing.status, missing.json()),
        (400, json!({"error": "value is missing"}))
    );
    let blank = send(request(&gitlab, "PUT", PATH).json(&json!({"value": " "}))).await;
    assert_eq!(
        (blank.status, blank.json()),
        (400, json!({"message": {"value": ["can't be blank"]}}))
    );
    assert!(gitlab.account(42).unwrap().custom_attributes.is_empty());
}

#[tokio::test]
async fn attributes_are_the_administrators_alone_and_need_an_account() {
    let gitlab = one().await;
    let reduced = ask_with(&gitlab, REDUCED_TOKEN, "/users/42/custom_attributes").await;
    assert_eq!(
        (reduced.status, reduced.json()),
        (403, json!({"message": "403 Forbidden"}))
    );
    let nobody = ask(&gitlab, "GET", "/users/43/custom_attributes").await;
    assert_eq!(
        (nobody.status, nobody.json()),
        (404, json!({"message": "404 Not Found"}))
    );
}
