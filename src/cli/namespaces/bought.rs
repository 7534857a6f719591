//! What a document says that a namespace has, in words.

use jiff::civil::Date;
use serde_json::Value;

use crate::namespaces::contract::document::{
    AddOnPurchase, BaseProduct, ComputeMinutes, Document, DocumentField, Storage,
};

/// Such as `premium, 25 seats, until 2027-08-31; 10240 MiB of storage`. A document that this version
/// cannot read is shown as it is.
pub(super) fn in_words(document: &Value) -> String {
    let text = document.to_string();
    let Ok(Document { provision }) = Document::parse(text.as_bytes()) else {
        return text;
    };
    let add_ons = provision.add_on_purchases.iter().flatten();
    let add_ons = add_ons.filter_map(|(name, purchases)| Some(add_on(name, purchases.first()?)));
    let parts = [
        provision.base_product.as_ref().map(product),
        provision.storage.as_ref().map(storage),
        provision.compute_minutes.as_ref().map(minutes),
    ];
    let parts = parts.into_iter().flatten().chain(add_ons);
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}

fn product(product: &BaseProduct) -> String {
    let plan = match &product.plan_code {
        DocumentField::Value(plan) => Some(plan.clone()),
        DocumentField::Null => Some("free".to_owned()),
        DocumentField::Absent => None,
    };
    let seats = product.seats.value().map(|seats| format!("{seats} seats"));
    let trial = (product.trial.value() == Some(true)).then(|| "trial".to_owned());
    joined([plan, seats, trial, until(&product.end_date)])
}

fn storage(storage: &Storage) -> String {
    let size = storage.additional_purchased_storage_size.value();
    let size = size.map(|size| format!("{size} MiB of storage"));
    joined([size, until(&storage.additional_purchased_storage_ends_on)])
}

fn minutes(minutes: &ComputeMinutes) -> String {
    let monthly = minutes.shared_runners_minutes_limit.value();
    let extra = minutes.extra_shared_runners_minutes_limit.value();
    joined([
        monthly.map(|minutes| format!("{minutes} minutes a month")),
        extra.map(|minutes| format!("{minutes} extra minutes")),
    ])
}

fn add_on(name: &str, purchase: &AddOnPurchase) -> String {
    let bought = match purchase.quantity.value() {
        Some(quantity) if quantity > 0 => format!("{name} for {quantity}"),
        Some(_) | None => format!("{name} ends"),
    };
    let trial = (purchase.trial.value() == Some(true)).then(|| "trial".to_owned());
    joined([Some(bought), trial, until(&purchase.expires_on)])
}

fn until(day: &DocumentField<Date>) -> Option<String> {
    day.value().map(|day| format!("until {day}"))
}

fn joined<const N: usize>(words: [Option<String>; N]) -> String {
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::cli::namespaces::EXAMPLE;

    #[rstest]
    #[case(
        serde_json::from_str(EXAMPLE).unwrap(),
        "premium, 25 seats, until 2027-08-31; 10240 MiB of storage, until 2027-08-31; 50000 extra minutes; \
         duo_enterprise for 10, until 2027-08-31"
    )]
    #[case(
        json!({"provision": {"base_product": {"plan_code": null, "trial": true}, "storage":
            {"additional_purchased_storage_ends_on": null}, "add_on_purchases": {"duo_pro": [{"quantity": 0}]}}}),
        "free, trial; duo_pro ends"
    )]
    #[case(json!({"provision": {"storage": 7}}), r#"{"provision":{"storage":7}}"#)]
    fn what_was_bought_is_said(#[case] document: Value, #[case] expected: &str) {
        assert_eq!(in_words(&document), expected);
    }
}
