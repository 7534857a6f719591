//! What GitLab would not carry out is refused where it would be recorded, and never sent.

use rstest::rstest;
use serde_json::{Value, json};
use testkit::postgres::TestDatabase;

use crate::{
    stages::NamespaceStages,
    worker_fixture::{NAMESPACE, WorkerFixture, bought, word},
};

fn with(part: &str, field: &str, value: &Value) -> Value {
    let mut document = bought(30);
    document["provision"][part][field] = value.clone();
    document
}

fn add_on(name: &str, purchase: &Value) -> Value {
    let mut document = bought(30);
    document["provision"]["add_on_purchases"] = json!({ name: [purchase] });
    document
}

/// Each with what is said of the value, and a word of what is allowed.
fn mistakes() -> Vec<(Value, &'static str, &'static str)> {
    let whole = json!({ "started_on": "2026-01-01", "expires_on": "2027-01-01", "quantity": 1, "purchase_xid": "A-1" });
    let purchase = |field: &str, value: Value| {
        let mut purchase = whole.clone();
        purchase[field] = value;
        add_on("duo_core", &purchase)
    };
    vec![
        (
            with("base_product", "plan_code", &json!("ultimat")),
            "provision[base_product][plan_code] is \"ultimat\"",
            "ultimate_trial",
        ),
        (
            with("base_product", "seats", &json!(-5)),
            "provision[base_product][seats] is -5",
            "from 0",
        ),
        (
            with("base_product", "seats", &json!(null)),
            "provision[base_product][seats] is null",
            "from 0",
        ),
        (
            with("base_product", "seats", &json!("30")),
            "provision[base_product][seats] is \"30\"",
            "without quotes",
        ),
        (
            with("base_product", "seats", &json!(30.7)),
            "provision[base_product][seats] is 30.7",
            "a whole number",
        ),
        (
            with("base_product", "seats", &json!(3_000_000_000_i64)),
            "provision[base_product][seats] is 3000000000",
            "2147483647",
        ),
        (
            with("base_product", "end_date", &json!("2026/02/03")),
            "provision[base_product][end_date] is \"2026/02/03\"",
            "YYYY-MM-DD",
        ),
        (
            with("base_product", "start_date", &json!(null)),
            "provision[base_product][start_date] is null",
            "a date",
        ),
        (
            with("storage", "additional_purchased_storage_size", &json!(-1)),
            "[additional_purchased_storage_size] is -1",
            "from 0",
        ),
        (
            with(
                "compute_minutes",
                "shared_runners_minutes_limit",
                &json!(-1),
            ),
            "[shared_runners_minutes_limit] is -1",
            "from 0",
        ),
        (
            add_on("duo_por", &whole),
            "provision[add_on_purchases] is for \"duo_por\"",
            "duo_pro",
        ),
        (
            add_on("gitlab_credits", &whole),
            "provision[add_on_purchases] is for \"gitlab_credits\"",
            "namespaces.add_ons",
        ),
        (
            purchase("quantity", json!(-1)),
            "[duo_core][0][quantity] is -1",
            "from 0",
        ),
        (
            purchase("quantity", json!(2_147_483_648_i64)),
            "[duo_core][0][quantity] is 2147483648",
            "2147483647",
        ),
        (
            purchase("purchase_xid", json!("x".repeat(256))),
            "[duo_core][0][purchase_xid] is 256 characters long",
            "255",
        ),
        (
            purchase("purchase_xid", json!("a\u{0}b")),
            "[duo_core][0][purchase_xid] is \"a\\u0000b\"",
            "without NUL",
        ),
        (
            purchase("expires_on", json!("2025-12-31")),
            "[duo_core][0][expires_on] is 2025-12-31",
            "from started_on, 2026-01-01",
        ),
    ]
}

#[tokio::test]
async fn every_mistake_is_refused_with_its_field_its_value_and_what_is_allowed() {
    let fixture = WorkerFixture::new().await;
    for (document, said, allowed) in mistakes() {
        let refused = fixture.try_to_record(&document).await.unwrap_err();
        assert!(refused.contains(said), "{said}\n{refused}");
        let (_, told) = refused.split_once("; allowed: ").unwrap();
        assert!(told.contains(allowed), "{allowed}\n{refused}");
    }
    assert!(fixture.history().await.is_empty(), "nothing is on record");
}

#[tokio::test]
async fn the_command_and_the_portal_refuse_alike() {
    let database = TestDatabase::create().await;
    let stages = NamespaceStages::without_worker(&database.url, None).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("document.json");
    for (document, said, allowed) in mistakes().into_iter().step_by(3) {
        std::fs::write(&path, document.to_string()).unwrap();
        let file = path.to_str().unwrap();
        let recorded = stages
            .run(&["namespaces", "record", "42", "--file", file])
            .await;
        let told = String::from_utf8(recorded.stderr).unwrap();
        assert_eq!(recorded.status.code(), Some(2), "{told}");
        assert!(
            told.contains(said) && told.contains(allowed),
            "{said}\n{told}"
        );
        let (status, answer) = stages.posted(42, &document).await;
        assert!([400, 422].contains(&status), "{status} {answer}");
        let text = answer["message"]
            .as_str()
            .or(answer["error"].as_str())
            .unwrap();
        assert!(
            text.contains(said) && text.contains(allowed),
            "{said}\n{answer}"
        );
    }
    let (status, answer) = stages
        .posted(42, &with("base_product", "plan_code", &json!("ultimat")))
        .await;
    assert_eq!(status, 422);
    assert_eq!(
        answer["errors"][0]["field"],
        "provision[base_product][plan_code]"
    );
    assert_eq!(answer["errors"][0]["value"], "\"ultimat\"");
    let twice = r#"{"provision":{"storage":{"additional_purchased_storage_size":1,"additional_purchased_storage_size":2}}}"#;
    let (status, answer) = stages.posted_text(42, twice).await;
    assert_eq!(
        (status, &answer["error"]),
        (
            400,
            &json!(
                "provision[storage][additional_purchased_storage_size] is given twice; allowed: each key once"
            )
        )
    );
    let (status, answer) = stages.posted(42, &json!({ "provision": {} })).await;
    assert_eq!((status, &answer["changed"]), (200, &json!(false)));
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("nothing is recorded"),
        "{answer}"
    );
    std::fs::write(&path, r#"{"provision":{}}"#).unwrap();
    let nothing = stages
        .run(&[
            "namespaces",
            "record",
            "42",
            "--file",
            path.to_str().unwrap(),
        ])
        .await;
    assert!(nothing.status.success());
    let told = [nothing.stdout, nothing.stderr].concat();
    assert!(
        String::from_utf8(told)
            .unwrap()
            .contains("nothing is recorded")
    );
    let shown = stages.run(&["namespaces", "history", "42"]).await;
    let told = [shown.stdout, shown.stderr].concat();
    assert!(
        String::from_utf8(told)
            .unwrap()
            .contains("has no recorded sync")
    );
}

#[rstest]
#[case(json!({ "plan_code": "platinum", "seats": 1 }), "provision[base_product][plan_code] is \"platinum\"")]
#[case(json!({ "seats": -1 }), "provision[base_product][seats] is -1; allowed: a whole number from 0")]
#[tokio::test]
async fn what_is_on_record_and_breaks_a_rule_fails_when_its_turn_comes_and_is_never_sent(
    #[case] base: Value,
    #[case] said: &str,
) {
    let fixture = WorkerFixture::new().await;
    sqlx::query(
        "INSERT INTO namespace_syncs (namespace_id, attrs_sha256, attrs) VALUES ($1, repeat('0', 64), $2)",
    )
    .bind(NAMESPACE)
    .bind(json!({ "provision": { "base_product": base } }))
    .execute(&fixture.pool)
    .await
    .unwrap();
    let end = word(&fixture.deliver().await);
    assert!(end.starts_with(&format!("dead: refused: {said}")), "{end}");
    let attempt = fixture.history().await[0].attempts[0].clone();
    assert_eq!(attempt.state.as_str(), "failed");
    assert!(attempt.detail.unwrap().starts_with(said));
    assert!(fixture.receiver.calls().is_empty());
    // A document that leaves it as it is does not make it better; one that mends it does.
    let storage = json!({ "provision": { "storage": { "additional_purchased_storage_size": 1 } } });
    let refused = fixture.try_to_record(&storage).await.unwrap_err();
    assert!(refused.contains("This is recorded already"), "{refused}");
    fixture.record(5).await;
    assert_eq!(word(&fixture.deliver().await), "done: completed");
}

#[tokio::test]
async fn an_add_on_without_dates_and_quantity_0_are_recorded_and_sent_as_gitlab_understands_them() {
    let fixture = WorkerFixture::new().await;
    fixture
        .try_to_record(&add_on("duo_core", &json!({ "quantity": 0 })))
        .await
        .unwrap();
    assert_eq!(word(&fixture.deliver().await), "done: completed");
    assert_eq!(
        fixture.receiver.calls()[0].body["provision"]["add_on_purchases"]["duo_core"],
        json!([{ "started_on": null, "expires_on": null, "quantity": null, "purchase_xid": null, "trial": false }])
    );
}
