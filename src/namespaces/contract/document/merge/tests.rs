//! What a newer document takes over from the recorded one.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected has failed"
)]

use jiff::civil::date;
use proptest::{collection, prelude::*};
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const TODAY: Date = date(2026, 6, 15);

fn document(provision: &Value) -> Document {
    let text = json!({ "provision": provision }).to_string();
    Document::parse(text.as_bytes()).unwrap()
}

/// What is on record after these documents, the oldest first.
fn recorded(documents: &[Value]) -> Value {
    let folded = documents.iter().fold(Document::default(), |older, newer| {
        document(newer).after(&older, TODAY).unwrap()
    });
    serde_json::to_value(folded.provision).unwrap()
}

fn duo(quantity: &Value, expires_on: &str) -> Value {
    json!([{ "started_on": "2026-01-01", "expires_on": expires_on, "quantity": quantity, "purchase_xid": "A-1" }])
}

#[test]
fn a_part_that_is_left_out_is_taken_over_and_a_null_is_a_value() {
    let base = json!({ "plan_code": "premium", "seats": 30, "end_date": "2027-01-01" });
    let storage = json!({ "additional_purchased_storage_size": 100 });
    let both = [
        json!({ "base_product": base }),
        json!({ "storage": storage }),
    ];
    assert_eq!(
        recorded(&both),
        json!({ "base_product": base, "storage": storage })
    );
    let cleared = json!({ "base_product": { "end_date": null } });
    let [first, second] = both;
    assert_eq!(
        recorded(&[first, second, cleared])["base_product"],
        json!({ "plan_code": "premium", "seats": 30, "end_date": null })
    );
}

#[rstest]
#[case::nothing(json!({}))]
#[case::null_parts(json!({ "storage": null, "add_on_purchases": null }))]
#[case::empty_parts(json!({ "base_product": {}, "add_on_purchases": {} }))]
#[case::unknown_fields(json!({ "storage": { "colour": 1 } }))]
#[case::an_empty_list(json!({ "add_on_purchases": { "duo_core": [], "duo_pro": null } }))]
fn a_document_that_says_nothing_changes_nothing(#[case] nothing: Value) {
    assert!(document(&nothing).is_empty());
    let something = json!({ "add_on_purchases": { "duo_core": duo(&json!(3), "2027-01-01") } });
    assert!(!document(&something).is_empty());
    assert_eq!(
        recorded(&[something.clone(), nothing]),
        recorded(&[something])
    );
}

#[rstest]
#[case::a_number_alone(json!({ "quantity": 5 }), json!({ "quantity": 5, "expires_on": "2027-01-01" }))]
#[case::a_day_alone(json!({ "expires_on": "2028-01-01" }), json!({ "quantity": 3, "expires_on": "2028-01-01" }))]
#[case::ended_some_day(json!({ "expires_on": "2026-12-31", "quantity": 0 }), json!({ "quantity": 3, "expires_on": "2026-12-31" }))]
#[case::ended(json!({ "expires_on": "2026-02-01", "quantity": 0 }), json!({ "quantity": 0, "expires_on": "2026-02-01" }))]
#[case::ended_with_null(json!({ "expires_on": "2026-02-01", "quantity": null }), json!({ "quantity": null, "expires_on": "2026-02-01" }))]
fn a_purchase_keeps_what_gitlabs_row_would_keep(#[case] newer: Value, #[case] differs: Value) {
    let older = json!({ "add_on_purchases": { "duo_core": duo(&json!(3), "2027-01-01") } });
    let newer = json!({ "add_on_purchases": { "duo_core": [newer] } });
    let mut expected = duo(&json!(3), "2027-01-01")[0].clone();
    for (key, value) in differs.as_object().unwrap() {
        expected[key] = value.clone();
    }
    assert_eq!(
        recorded(&[older, newer])["add_on_purchases"]["duo_core"][0],
        expected
    );
}

#[test]
fn a_purchase_is_not_ended_without_a_day() {
    let older = json!({ "add_on_purchases": { "duo_core": duo(&json!(3), "2027-01-01") } });
    let newer = json!({ "add_on_purchases": { "duo_core": [{ "quantity": 0 }] } });
    let refused = document(&newer)
        .after(&document(&older), TODAY)
        .unwrap_err();
    assert_eq!(
        refused[0].field,
        "provision[add_on_purchases][duo_core][0][expires_on]"
    );
    assert!(document(&newer).after(&Document::default(), TODAY).is_ok());
    let over = json!({ "add_on_purchases": { "duo_core": duo(&json!(3), "2026-06-14") } });
    assert!(document(&newer).after(&document(&over), TODAY).is_ok());
}

/// Rows as GitLab keeps them: recorded of its endpoint, less what it makes by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct GitLabRows {
    columns: BTreeMap<String, Value>,
    add_ons: BTreeMap<String, GitLabRow>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct GitLabRow {
    name: String,
    quantity: i64,
    started_on: Value,
    expires_on: Value,
    xid: Value,
    trial: bool,
    /// It was ended, and the day is over. A later end does not bring it back, which GitLab's would.
    ended: bool,
}

impl GitLabRows {
    fn apply(&mut self, document: &Document) {
        let sent: Value = serde_json::from_str(&document.sent_json()).unwrap();
        for part in ["base_product", "storage", "compute_minutes"] {
            for (field, value) in sent["provision"][part].as_object().into_iter().flatten() {
                self.columns
                    .insert(format!("{part}.{field}"), value.clone());
            }
        }
        let add_ons = sent["provision"]["add_on_purchases"].as_object();
        let sent: BTreeMap<String, Value> = add_ons
            .into_iter()
            .flatten()
            .filter_map(|(name, list)| Some((name.clone(), list.get(0)?.clone())))
            .collect();
        let bought = |name: &str| {
            sent.get(name)
                .is_some_and(|sent| sent["quantity"].is_number())
        };
        for (name, purchase) in &sent {
            let gives_way = name == "duo_pro" && bought("duo_enterprise")
                || name == "duo_enterprise" && bought("duo_pro") && !bought("duo_enterprise");
            if !gives_way {
                self.purchase(name, purchase);
            }
        }
    }

    fn purchase(&mut self, name: &str, sent: &Value) {
        let slot = if other_duo(name).is_some() {
            "duo"
        } else {
            name
        };
        let wanted = sent["quantity"].as_i64();
        let or = |sent: &Value, kept: &Value| {
            if sent.is_null() {
                kept.clone()
            } else {
                sent.clone()
            }
        };
        match (self.add_ons.get_mut(slot), wanted) {
            (None, Some(quantity)) => {
                let row = GitLabRow {
                    name: name.to_owned(),
                    quantity,
                    started_on: sent["started_on"].clone(),
                    expires_on: sent["expires_on"].clone(),
                    xid: sent["purchase_xid"].clone(),
                    trial: sent["trial"].as_bool().unwrap(),
                    ended: false,
                };
                self.add_ons.insert(slot.to_owned(), row);
            }
            (Some(row), wanted) if wanted.is_some() || (row.name == name && !row.ended) => {
                row.name = name.to_owned();
                row.quantity = wanted.unwrap_or(row.quantity);
                row.started_on = or(&sent["started_on"], &row.started_on);
                row.expires_on = or(&sent["expires_on"], &row.expires_on);
                row.xid = or(&sent["purchase_xid"], &row.xid);
                row.trial = sent["trial"].as_bool().unwrap();
                row.ended = wanted.is_none() && !row.is_in_force();
            }
            (None | Some(_), _) => {}
        }
    }

    /// Without the add-ons that are over.
    fn in_force(mut self) -> Self {
        self.add_ons.retain(|_, row| row.is_in_force());
        self
    }
}

impl GitLabRow {
    fn is_in_force(&self) -> bool {
        let today = TODAY.to_string();
        self.expires_on.as_str().is_some_and(|last| last >= &*today)
    }
}

fn maybe(values: Vec<Value>) -> impl Strategy<Value = Option<Value>> {
    proptest::option::of(proptest::sample::select(values))
}

fn object(fields: Vec<(&'static str, Vec<Value>)>) -> impl Strategy<Value = Value> {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, values)| maybe(values).prop_map(move |value| value.map(|value| (name, value))))
        .collect();
    fields.prop_map(|fields| {
        let fields = fields.into_iter().flatten();
        Value::Object(
            fields
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    })
}

/// A first purchase has dates and a name, as GitLab asks for; what follows has what it has.
fn purchase() -> impl Strategy<Value = Value> {
    let days = || {
        vec![
            json!("2026-02-01"),
            json!("2026-12-01"),
            json!("2028-01-01"),
        ]
    };
    let whole = (1..9i64, proptest::sample::select(days()), any::<bool>()).prop_map(
        |(quantity, last, trial)| {
            json!([{ "started_on": "2026-01-01", "expires_on": last, "quantity": quantity,
                "purchase_xid": format!("A-{quantity}"), "trial": trial }])
        },
    );
    let end = (
        proptest::sample::select(vec![json!(0), json!(null)]),
        proptest::sample::select(days()),
    )
        .prop_map(|(quantity, last)| json!([{ "quantity": quantity, "expires_on": last }]));
    prop_oneof![whole, end, Just(json!([]))]
}

prop_compose! {
    fn step()(
        base in object(vec![
            ("seats", vec![json!(1), json!(2)]),
            ("plan_code", vec![json!("premium"), json!(null)]),
            ("end_date", vec![json!("2027-01-01"), json!(null)]),
        ]),
        storage in object(vec![
            ("additional_purchased_storage_size", vec![json!(1), json!(2)]),
            ("additional_purchased_storage_ends_on", vec![json!("2027-01-01"), json!(null)]),
        ]),
        minutes in object(vec![("extra_shared_runners_minutes_limit", vec![json!(5), json!(null)])]),
        pro in proptest::option::of(purchase()),
        enterprise in proptest::option::of(purchase()),
        core in proptest::option::of(purchase()),
        parts in 0..16u8,
    ) -> Value {
        let add_ons = [("duo_pro", pro), ("duo_enterprise", enterprise), ("duo_core", core)];
        let add_ons: serde_json::Map<String, Value> = add_ons
            .into_iter()
            .filter_map(|(name, list)| Some((name.to_owned(), list?)))
            .collect();
        let all = [("base_product", base), ("storage", storage), ("compute_minutes", minutes),
            ("add_on_purchases", add_ons.into())];
        let sent = all.into_iter().enumerate().filter(|(index, _)| parts & (1 << index) != 0);
        Value::Object(sent.map(|(_, (name, part))| (name.to_owned(), part)).collect())
    }
}

proptest! {
    /// However long the worker was away between two of them.
    #[test]
    fn sending_the_newest_now_and_then_is_sending_each_in_its_order(
        steps in collection::vec((step(), any::<bool>()), 1..9),
    ) {
        let (mut each, mut newest_alone) = (GitLabRows::default(), GitLabRows::default());
        let mut record = Document::default();
        for (provision, worker_is_up) in &steps {
            let document = document(provision);
            record = document.after(&record, TODAY).unwrap();
            each.apply(&document);
            if *worker_is_up {
                newest_alone.apply(&record);
            }
        }
        newest_alone.apply(&record);
        prop_assert_eq!(newest_alone.in_force(), each.in_force(), "{}", record.canonical_json());
    }

    #[test]
    fn the_same_document_again_is_the_same_record(steps in collection::vec(step(), 1..5)) {
        let mut record = Document::default();
        for provision in &steps {
            record = document(provision).after(&record, TODAY).unwrap();
        }
        let again = document(&steps[steps.len() - 1]).after(&record, TODAY).unwrap();
        prop_assert_eq!(again.canonical_json(), record.canonical_json());
    }
}
