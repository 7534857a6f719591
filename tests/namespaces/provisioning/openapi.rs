//! `schemas/provisioning.openapi.yaml` says what the code does: path, statuses, bodies, names and
//! limits.

use std::{collections::BTreeSet, time::Duration};

use jiff::civil::date;
use lookup_gitlab_sync::namespaces::{
    contract::{
        claims,
        document::{
            AddOnPurchase, BaseProduct, ComputeMinutes, Document, DocumentField, Provision, Storage,
        },
        response::{PartResult, PartResults, ProvisionResponse},
    },
    provisioning::api,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::fixture::{HEADER, ProvisioningFixture, document};

fn openapi() -> Value {
    serde_saphyr::from_str(include_str!("../../../schemas/provisioning.openapi.yaml")).unwrap()
}

fn responses() -> Value {
    openapi()["paths"][api::PATH]["post"]["responses"].clone()
}

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

/// The body is one of the examples of its status, word for word.
fn assert_documented((status, body): (StatusCode, Value)) {
    let examples = &responses()[status.as_str()]["content"]["application/json"]["examples"];
    let examples = examples
        .as_object()
        .unwrap_or_else(|| panic!("{status} is not documented"));
    assert!(
        examples.values().any(|example| example["value"] == body),
        "{status} {body} is no example"
    );
}

/// A document in which nothing is absent; a new field of the structures does not compile here until
/// it is added.
fn whole() -> Document {
    let day = date(2026, 1, 1);
    Document {
        provision: Provision {
            add_on_purchases: Some(
                [(
                    "duo_core".to_owned(),
                    vec![AddOnPurchase {
                        expires_on: DocumentField::Value(day),
                        new_subscription: DocumentField::Value(false),
                        purchase_xid: DocumentField::Value(String::new()),
                        quantity: DocumentField::Value(1),
                        started_on: DocumentField::Value(day),
                        trial: DocumentField::Value(false),
                    }],
                )]
                .into(),
            ),
            base_product: Some(BaseProduct {
                auto_renew: DocumentField::Null,
                end_date: DocumentField::Null,
                max_seats_used: DocumentField::Null,
                plan_code: DocumentField::Null,
                seats: DocumentField::Null,
                start_date: DocumentField::Value(day),
                trial: DocumentField::Null,
                trial_ends_on: DocumentField::Null,
                trial_starts_on: DocumentField::Null,
            }),
            compute_minutes: Some(ComputeMinutes {
                extra_shared_runners_minutes_limit: DocumentField::Null,
                shared_runners_minutes_limit: DocumentField::Null,
            }),
            storage: Some(Storage {
                additional_purchased_storage_ends_on: DocumentField::Null,
                additional_purchased_storage_size: DocumentField::Null,
            }),
        },
    }
}

#[test]
fn the_document_has_exactly_the_documented_fields() {
    let schemas = openapi()["components"]["schemas"].clone();
    let whole: Value = serde_json::from_str(&whole().canonical_json()).unwrap();
    let parts = &whole["provision"];
    for (schema, fields) in [
        ("Document", &whole),
        ("Provision", parts),
        ("BaseProduct", &parts["base_product"]),
        ("Storage", &parts["storage"]),
        ("ComputeMinutes", &parts["compute_minutes"]),
        ("AddOnPurchase", &parts["add_on_purchases"]["duo_core"][0]),
    ] {
        assert_eq!(
            keys(&schemas[schema]["properties"]),
            keys(fields),
            "{schema}"
        );
    }
}

#[test]
fn the_answer_has_exactly_the_documented_fields() {
    let schemas = openapi()["components"]["schemas"].clone();
    let part = || Some(PartResult::new(Some(String::new())));
    let answer = serde_json::to_value(ProvisionResponse::from(PartResults {
        base_product: part(),
        storage: part(),
        compute_minutes: part(),
        add_on_purchases: part(),
    }))
    .unwrap();
    let schema = &schemas["Answer"];
    let payload = &schema["properties"]["payload"];
    for (properties, fields) in [
        (&schema["properties"], &answer),
        (&payload["properties"], &answer["payload"]),
        (
            &schemas["PartAnswer"]["properties"],
            &answer["payload"]["storage"],
        ),
    ] {
        assert_eq!(keys(properties), keys(fields));
    }
    assert_eq!(
        keys(&payload["properties"]).len(),
        payload["required"].as_array().unwrap().len()
    );
}

#[test]
fn the_documented_names_of_add_ons_are_the_ones_taken() {
    let schemas = openapi()["components"]["schemas"].clone();
    let text = schemas["Provision"]["properties"]["add_on_purchases"]["description"]
        .as_str()
        .unwrap()
        .to_owned();
    for name in [
        "duo_pro",
        "product_analytics",
        "duo_enterprise",
        "duo_amazon_q",
        "duo_core",
        "self_hosted_dap",
        "gitlab_credits",
        "secrets_manager",
        "flex_offline",
    ] {
        assert!(text.contains(name), "{name}");
    }
}

#[test]
fn the_documented_header_is_the_one_read() {
    let scheme = openapi()["components"]["securitySchemes"]["portalToken"].clone();
    assert_eq!(
        scheme["name"].as_str().unwrap().to_lowercase(),
        claims::HEADER
    );
    let description = scheme["description"].as_str().unwrap();
    assert!(description.contains(claims::AUDIENCE) && description.contains(claims::SUBJECT));
}

#[test]
fn limits_of_numbers_are_those_of_the_columns() {
    let schemas = openapi()["components"]["schemas"].clone();
    let size = &schemas["Storage"]["properties"]["additional_purchased_storage_size"];
    assert_eq!(
        (&size["minimum"], &size["maximum"]),
        (&json!(i64::MIN), &json!(i64::MAX))
    );
    let number = &schemas["Int32"];
    assert_eq!(
        (&number["minimum"], &number["maximum"]),
        (&json!(i32::MIN), &json!(i32::MAX))
    );
}

/// Each documented status is brought about, and each of its bodies is as documented.
#[tokio::test]
async fn every_status_is_documented_with_its_body() {
    let fixture =
        ProvisioningFixture::with(|settings| settings.body_deadline = Duration::from_secs(2)).await;
    let id = fixture.group("acme").await;
    let child = fixture.namespace("team", "Group", Some(id)).await;
    assert_eq!(keys(&openapi()["paths"]), [api::PATH.to_owned()].into());
    assert_eq!(
        keys(&responses()),
        ["200", "400", "401", "404", "408", "422", "500", "503"]
            .map(str::to_owned)
            .into()
    );

    let storage = document(1)["storage"].clone();
    assert_documented(fixture.post(id, json!({ "storage": storage })).await);
    assert_documented(
        fixture
            .post(
                id,
                json!({ "storage": storage, "base_product": { "seats": null } }),
            )
            .await,
    );
    assert_documented(fixture.post(child, json!({})).await);
    assert_documented(fixture.post_bytes(id, "{}").await);
    assert_documented(fixture.post_bytes(id, " ".repeat(2_000_000)).await);
    assert_documented(
        fixture
            .post(id, json!({ "base_product": { "start_date": "1.1.2026" } }))
            .await,
    );
    assert_documented(fixture.post("nobody", json!({})).await);
    let anonymous = fixture
        .client
        .post(fixture.endpoint(id))
        .send()
        .await
        .unwrap();
    assert_documented((anonymous.status(), anonymous.json().await.unwrap()));
    assert_documented(unfinished(&fixture, id).await);
    fixture
        .execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '53300'; END $$;
             CREATE TRIGGER fail BEFORE UPDATE ON namespace_limits FOR EACH ROW EXECUTE FUNCTION fail()",
        )
        .await;
    assert_documented(
        fixture
            .post(
                id,
                json!({ "storage": { "additional_purchased_storage_size": 2 } }),
            )
            .await,
    );
    fixture
        .execute(
            "DROP TRIGGER fail ON namespace_limits;
             ALTER TABLE namespace_limits ADD CHECK (additional_purchased_storage_size <> 2)",
        )
        .await;
    assert_documented(
        fixture
            .post(
                id,
                json!({ "storage": { "additional_purchased_storage_size": 2 } }),
            )
            .await,
    );
}

/// A request whose body does not come to its end.
async fn unfinished(fixture: &ProvisioningFixture, id: i64) -> (StatusCode, Value) {
    let (host, path) = (
        fixture.address.trim_start_matches("http://"),
        fixture.endpoint(id),
    );
    let path = path.trim_start_matches(&fixture.address);
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\n{HEADER}: {}\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{{",
        fixture.portal.token()
    );
    let mut connection = TcpStream::connect(host).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}
