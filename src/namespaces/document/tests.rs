#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected has failed"
)]

use proptest::{collection, option, prelude::*};
use serde_json::Value;

use super::*;

fn parse(text: &str) -> Document {
    Document::parse(text.as_bytes()).unwrap()
}

#[test]
fn absent_null_and_value_are_three_things() {
    let storage = |fields: &str| {
        let text = format!(
            r#"{{"provision":{{"storage":{{{fields}"additional_purchased_storage_size":1}}}}}}"#
        );
        parse(&text)
            .provision
            .storage
            .unwrap()
            .additional_purchased_storage_ends_on
    };
    assert_eq!(storage(""), Field::Absent);
    assert_eq!(
        storage(r#""additional_purchased_storage_ends_on":null,"#),
        Field::Null
    );
    let day = Field::Value(jiff::civil::date(2027, 1, 1));
    assert_eq!(
        storage(r#""additional_purchased_storage_ends_on":"2027-01-01","#),
        day
    );
}

#[test]
fn the_canonical_text_is_sorted_bare_and_complete() {
    let text = r#" { "ignored" : 1, "provision" : { "storage" : { "additional_purchased_storage_size" : 100,
        "additional_purchased_storage_ends_on" : null, "colour" : "red" }, "base_product" : { "trial" : false, "plan_code" :
        "gold" }, "add_on_purchases" : { "other" : [], "duo_pro" : [ { "quantity" : 1, "trial" : null } ] },
        "compute_minutes" : {} } } "#;
    assert_eq!(
        parse(text).canonical_json(),
        r#"{"provision":{"add_on_purchases":{"duo_pro":[{"quantity":1}],"other":[]},"base_product":{"plan_code":"gold","trial":false},"storage":{"additional_purchased_storage_ends_on":null,"additional_purchased_storage_size":100}}}"#
    );
}

#[test]
fn the_hash_follows_the_content_alone() {
    let hash = |text: &str| parse(text).sha256();
    let empty = "16682a9cfe52e1e220ba2fd8345364afb4bf9cac061926d9df01f6054b32c68d";
    assert_eq!(
        hash(r#" {"provision" : {"storage": null}} "#),
        empty,
        r#"SHA-256 of {{"provision":{{}}}}"#
    );
    let same = [
        r#"{"provision":{"base_product":{"seats":1,"trial":null}}}"#,
        r#"{"provision":{"storage":null,"base_product":{"trial":null,"unknown":[1],"seats":1}},"x":{}}"#,
        "{\"provision\":{\"base_product\":{\"seats\" : 2, \"seats\":1 ,\n\"trial\":null},\"compute_minutes\":{}}}",
    ];
    assert!(same.iter().all(|text| hash(text) == hash(same[0])));
    assert_ne!(
        hash(same[0]),
        hash(r#"{"provision":{"base_product":{"seats":1}}}"#),
        "null is not absent"
    );
    assert_ne!(
        hash(same[0]),
        hash(r#"{"provision":{"base_product":{"seats":2,"trial":null}}}"#)
    );
}

#[test]
fn dates_have_one_form() {
    let read = |text: &str| {
        Document::parse(format!(r#"{{"provision":{{"storage":{{"additional_purchased_storage_ends_on":"{text}"}}}}}}"#).as_bytes())
    };
    for good in ["2026-01-01", "2024-02-29", "9999-12-31", "0001-01-01"] {
        assert!(read(good).is_ok(), "{good}");
    }
    for bad in [
        "2026-1-1",
        "20260101",
        "2026-02-29",
        "2026-13-01",
        "2026-00-10",
        "0000-01-01",
        "2026-01-01T00:00:00Z",
        "+2026-01-1",
        "-026-01-01",
        "2026-01-01 ",
        "",
        "01/01/2026",
        "２０２６",
        "2026-001",
        "2026-W01-1",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn lists_and_names_are_bounded() {
    let lists = |names: usize, elements: usize| {
        let list = format!("[{}]", vec!["{}"; elements].join(","));
        let names: Vec<String> = (0..names)
            .map(|name| format!(r#""n{name}":{list}"#))
            .collect();
        Document::parse(
            format!(
                r#"{{"provision":{{"add_on_purchases":{{{}}}}}}}"#,
                names.join(",")
            )
            .as_bytes(),
        )
    };
    assert!(lists(64, 64).is_ok());
    let invalid = |path: &str| Err(Invalid::At(path.to_owned()));
    assert_eq!(lists(65, 1), invalid("provision[add_on_purchases]"));
    assert_eq!(lists(1, 65), invalid("provision[add_on_purchases][n0]"));
    let name = "n".repeat(256);
    let long = format!(r#"{{"provision":{{"add_on_purchases":{{"{name}":[]}}}}}}"#);
    assert_eq!(
        Document::parse(long.as_bytes()),
        invalid("provision[add_on_purchases]")
    );
    let plan = format!(r#"{{"provision":{{"base_product":{{"plan_code":"{name}"}}}}}}"#);
    assert_eq!(
        Document::parse(plan.as_bytes()),
        invalid("provision[base_product][plan_code]")
    );
}

fn sorted(value: &Value, text: &str) -> bool {
    // Without the library's map in between, whose order need not be the text's.
    match value {
        Value::Object(map) => {
            let places: Vec<Option<usize>> = map
                .keys()
                .map(|key| text.find(&format!("{key:?}:")))
                .collect();
            places.is_sorted() && map.values().all(|value| sorted(value, text))
        }
        _ => true,
    }
}

#[test]
fn every_field_stands_in_its_sorted_place() {
    let text = r#"{"provision":{"base_product":{"auto_renew":null,"end_date":null,"max_seats_used":null,"plan_code":null,
        "seats":null,"start_date":null,"trial":null,"trial_ends_on":null,"trial_starts_on":null},"compute_minutes":
        {"extra_shared_runners_minutes_limit":null,"shared_runners_minutes_limit":null},"storage":
        {"additional_purchased_storage_ends_on":null,"additional_purchased_storage_size":null},"add_on_purchases":{"x":[]}}}"#;
    let canonical = parse(text).canonical_json();
    assert!(
        sorted(&serde_json::from_str(&canonical).unwrap(), &canonical),
        "{canonical}"
    );
    let purchase = r#"{"provision":{"add_on_purchases":{"x":[{"trial":true,"started_on":"2026-01-01","quantity":1,"purchase_xid":"x","expires_on":"2026-01-01"}]}}}"#;
    assert_eq!(
        parse(purchase).canonical_json(),
        r#"{"provision":{"add_on_purchases":{"x":[{"expires_on":"2026-01-01","purchase_xid":"x","quantity":1,"started_on":"2026-01-01","trial":true}]}}}"#
    );
}

fn field<T: Clone + std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Field<T>> {
    option::of(option::of(value)).prop_map(|field| match field {
        None => Field::Absent,
        Some(None) => Field::Null,
        Some(Some(value)) => Field::Value(value),
    })
}

fn day() -> impl Strategy<Value = Date> {
    (1i16..=9999, 1i8..=12, 1i8..=28)
        .prop_map(|(year, month, day)| jiff::civil::date(year, month, day))
}

fn text() -> impl Strategy<Value = String> {
    "[^\u{0}]{0,20}"
}

prop_compose! {
    fn base_product()(
        auto_renew in field(any::<bool>()), end_date in field(day()), max_seats_used in field(any::<i32>()),
        plan_code in field(text()), seats in field(any::<i32>()), start_date in field(day()), trial in field(any::<bool>()),
        trial_ends_on in field(day()), trial_starts_on in field(day()),
    ) -> BaseProduct {
        BaseProduct { auto_renew, end_date, max_seats_used, plan_code, seats, start_date, trial, trial_ends_on, trial_starts_on }
    }
}

prop_compose! {
    fn purchase()(
        expires_on in option::of(day()), purchase_xid in option::of(text()), quantity in option::of(any::<i32>()),
        started_on in option::of(day()), trial in option::of(any::<bool>()),
    ) -> AddOnPurchase {
        AddOnPurchase { expires_on, purchase_xid, quantity, started_on, trial }
    }
}

prop_compose! {
    fn document()(
        add_ons in collection::btree_map(text(), collection::vec(purchase(), 0..3), 0..4),
        base in base_product(),
        size in field(any::<i64>()), ends in field(day()), monthly in field(any::<i32>()), extra in field(any::<i32>()),
    ) -> Document {
        let storage = Storage { additional_purchased_storage_ends_on: ends, additional_purchased_storage_size: size };
        let minutes = ComputeMinutes { extra_shared_runners_minutes_limit: extra, shared_runners_minutes_limit: monthly };
        Document { provision: Provision {
            add_on_purchases: Some(add_ons).filter(|part| !part.is_empty()),
            base_product: Some(base).filter(|part| *part != BaseProduct::default()),
            compute_minutes: Some(minutes).filter(|part| *part != ComputeMinutes::default()),
            storage: Some(storage).filter(|part| *part != Storage::default()),
        } }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(document in document()) {
        let text = document.canonical_json();
        let read = Document::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(&read, &document);
        prop_assert_eq!(read.sha256(), document.sha256());
    }

    #[test]
    fn any_bytes_are_a_document_or_a_mistake_with_a_path(body in collection::vec(any::<u8>(), 0..200)) {
        if let Err(mistake) = Document::parse(&body) {
            prop_assert!(mistake.to_string().starts_with("provision"));
        }
    }

    #[test]
    fn a_document_cut_anywhere_is_a_mistake(document in document(), at in any::<prop::sample::Index>()) {
        let text = document.canonical_json();
        let cut = at.index(text.len());
        prop_assert!(Document::parse(&text.as_bytes()[..cut]).is_err());
    }
}
