//! How a document is read, written in its canonical form and hashed.

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
    assert_eq!(storage(""), DocumentField::Absent);
    assert_eq!(
        storage(r#""additional_purchased_storage_ends_on":null,"#),
        DocumentField::Null
    );
    let day = DocumentField::Value(jiff::civil::date(2027, 1, 1));
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
        r#"{"provision":{"add_on_purchases":{"duo_pro":[{"quantity":1,"trial":null}],"other":[]},"base_product":{"plan_code":"gold","trial":false},"storage":{"additional_purchased_storage_ends_on":null,"additional_purchased_storage_size":100}}}"#
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
        "{\"provision\":{\"base_product\":{\"seats\" : 1 ,\n\"trial\":null},\"compute_minutes\":{}}}",
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

fn told(read: &Result<Document, InvalidDocument>) -> Option<String> {
    read.as_ref().err().map(ToString::to_string)
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
    let invalid = |path: &str| Some(format!("{path} is invalid"));
    let lists = |names, elements| told(&lists(names, elements));
    assert_eq!(lists(65, 1), invalid("provision[add_on_purchases]"));
    assert_eq!(lists(1, 65), invalid("provision[add_on_purchases][n0]"));
    let name = "n".repeat(256);
    let long = format!(r#"{{"provision":{{"add_on_purchases":{{"{name}":[]}}}}}}"#);
    assert_eq!(
        told(&Document::parse(long.as_bytes())),
        invalid("provision[add_on_purchases]")
    );
    let plan = format!(r#"{{"provision":{{"base_product":{{"plan_code":"{name}"}}}}}}"#);
    assert_eq!(
        told(&Document::parse(plan.as_bytes())),
        invalid("provision[base_product][plan_code]")
    );
}

#[test]
fn a_key_that_is_given_twice_is_a_mistake_at_every_level_that_is_read() {
    for (text, path) in [
        (r#"{"provision":{},"provision":{}}"#, "provision"),
        (r#"{"x":1,"x":1,"provision":{}}"#, "x"),
        (
            r#"{"provision":{"storage":{},"storage":null}}"#,
            "provision[storage]",
        ),
        (
            r#"{"provision":{"base_product":{"seats":1,"trial":true,"seats":1}}}"#,
            "provision[base_product][seats]",
        ),
        (
            r#"{"provision":{"base_product":{"seats":1,"\u0073eats":1}}}"#,
            "provision[base_product][seats]",
        ),
        (
            r#"{"provision":{"add_on_purchases":{"duo_pro":[],"duo_pro":[]}}}"#,
            "provision[add_on_purchases][duo_pro]",
        ),
        (
            r#"{"provision":{"add_on_purchases":{"duo_pro":[{},{"quantity":1,"quantity":2}]}}}"#,
            "provision[add_on_purchases][duo_pro][1][quantity]",
        ),
    ] {
        let mistake = Document::parse(text.as_bytes()).unwrap_err();
        assert_eq!(mistake, InvalidDocument::Twice(path.to_owned()), "{text}");
        assert_eq!(
            mistake.explained(),
            format!("{path} is given twice; allowed: each key once")
        );
    }
}

#[test]
fn a_mistake_is_explained_with_its_value_and_what_is_allowed() {
    for (part, said) in [
        (
            r#""base_product":{"seats":3000000000}"#,
            "provision[base_product][seats] is 3000000000; allowed: a whole number up to 2147483647, without quotes, or null",
        ),
        (
            r#""base_product":{"seats":"30"}"#,
            "provision[base_product][seats] is \"30\"; allowed: a whole number up to 2147483647, without quotes, or null",
        ),
        (
            r#""storage":{"additional_purchased_storage_size":99999999999999999999}"#,
            "provision[storage][additional_purchased_storage_size] is 99999999999999999999; allowed: a whole number up to 9223372036854775807, without quotes, or null",
        ),
        (
            r#""base_product":{"end_date":"2026-02-30"}"#,
            "provision[base_product][end_date] is \"2026-02-30\"; allowed: a date, \"YYYY-MM-DD\", or null",
        ),
        (
            r#""base_product":{"trial":"maybe"}"#,
            "provision[base_product][trial] is \"maybe\"; allowed: true, false or null",
        ),
        (
            r#""base_product":[]"#,
            "provision[base_product] is []; allowed: an object",
        ),
        (
            r#""add_on_purchases":{"duo_core":{}}"#,
            "provision[add_on_purchases][duo_core] is {}; allowed: a list of at most 64 objects",
        ),
    ] {
        let text = format!(r#"{{"provision":{{{part}}}}}"#);
        let mistake = Document::parse(text.as_bytes()).unwrap_err();
        assert_eq!(mistake.explained(), said);
    }
}

#[test]
fn what_is_sent_has_every_key_that_gitlab_asks_for() {
    let sent = |purchases: &str| {
        let text = format!(r#"{{"provision":{{"add_on_purchases":{purchases}}}}}"#);
        let sent: Value = serde_json::from_str(&parse(&text).sent_json()).unwrap();
        sent["provision"]["add_on_purchases"].to_string()
    };
    assert_eq!(
        sent(r#"{"duo_core":[{"quantity":0}],"duo_pro":[]}"#),
        r#"{"duo_core":[{"expires_on":null,"purchase_xid":null,"quantity":null,"started_on":null,"trial":false}],"duo_pro":[]}"#
    );
    assert_eq!(
        sent(
            r#"{"duo_core":[{"quantity":3,"trial":true,"new_subscription":true,"expires_on":"2027-01-01"}]}"#
        ),
        r#"{"duo_core":[{"expires_on":"2027-01-01","new_subscription":true,"purchase_xid":null,"quantity":3,"started_on":null,"trial":true}]}"#
    );
    let rest = r#"{"provision":{"base_product":{"end_date":null,"seats":2}}}"#;
    assert_eq!(parse(rest).sent_json(), rest);
}

#[test]
fn the_keys_that_gitlab_insists_on_are_told_where_they_are_absent() {
    let lacking = |purchases: &str| {
        let text = format!(r#"{{"provision":{{"add_on_purchases":{purchases}}}}}"#);
        let lacking = parse(&text).has_required_keys();
        lacking.map_err(|invalid| invalid.to_string())
    };
    let at = "provision[add_on_purchases][duo_core]";
    assert_eq!(
        lacking(r#"{"duo_core":[{"quantity":0}]}"#),
        Err(format!(
            "{at}[0][started_on] is missing, {at}[0][expires_on] is missing"
        ))
    );
    assert_eq!(
        lacking(r#"{"duo_core":[{"started_on":null,"expires_on":null},{"started_on":null}]}"#),
        Err(format!("{at}[1][expires_on] is missing"))
    );
    assert_eq!(lacking(r#"{"duo_core":[{}],"duo_pro":[]}"#), Ok(()));
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
) -> impl Strategy<Value = DocumentField<T>> {
    option::of(option::of(value)).prop_map(|field| match field {
        None => DocumentField::Absent,
        Some(None) => DocumentField::Null,
        Some(Some(value)) => DocumentField::Value(value),
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
        expires_on in field(day()), purchase_xid in field(text()), quantity in field(any::<i32>()),
        started_on in field(day()), trial in field(any::<bool>()), new_subscription in field(any::<bool>()),
    ) -> AddOnPurchase {
        AddOnPurchase { expires_on, new_subscription, purchase_xid, quantity, started_on, trial }
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
            prop_assert!(mistake == InvalidDocument::NotJson || mistake.to_string().starts_with("provision"));
        }
    }

    #[test]
    fn a_document_cut_anywhere_is_a_mistake(document in document(), at in any::<prop::sample::Index>()) {
        let text = document.canonical_json();
        let cut = at.index(text.len());
        prop_assert!(Document::parse(&text.as_bytes()[..cut]).is_err());
    }
}
