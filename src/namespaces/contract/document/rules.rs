//! What may be recorded and sent: what GitLab would carry out.
//!
//! Seen on GitLab 18.9: an unknown plan code is answered 200 and takes the plan away, negative
//! numbers are stored, an add-on that its endpoint does not know is dropped with 200. So all of it
//! is refused before it is on record, and again before it is sent. What depends on GitLab's rows (a
//! trial whose dates stand there, the first purchase of an add-on, a personal namespace) is for the
//! step to judge.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;

use super::{
    AddOnPurchase, BaseProduct, ComputeMinutes, Document, DocumentField, Storage, read::told,
};
use crate::config::{ADD_ONS, PLAN_CODES};

/// The longest `purchase_xid`, in characters.
const MAX_XID: usize = 255;

const FROM_ZERO: &str = "a whole number from 0";
const NOT_NULL: &str = "a date, \"YYYY-MM-DD\"; GitLab keeps its own where the field is absent";

/// A value that GitLab would not carry out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleViolation {
    /// Where, such as `provision[base_product][seats]`.
    pub field: String,
    /// What stands there.
    pub value: String,
    /// What is allowed there.
    pub allowed: String,
}

impl fmt::Display for RuleViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            value,
            allowed,
        } = self;
        write!(f, "{field} is {value}; allowed: {allowed}")
    }
}

/// Every violation on one line.
pub fn joined(violations: &[RuleViolation]) -> String {
    let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
    texts.join(". ")
}

/// The names that GitLab knows, and with them the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRules {
    plan_codes: BTreeSet<String>,
    add_ons: BTreeSet<String>,
}

impl Default for DocumentRules {
    fn default() -> Self {
        Self::new(PLAN_CODES, ADD_ONS)
    }
}

impl DocumentRules {
    /// For a GitLab that has these plans, and whose endpoint carries out these add-ons.
    pub fn new(
        plan_codes: impl IntoIterator<Item = impl Into<String>>,
        add_ons: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            plan_codes: plan_codes.into_iter().map(Into::into).collect(),
            add_ons: add_ons.into_iter().map(Into::into).collect(),
        }
    }

    /// Whether this GitLab has a plan of this code.
    pub fn knows_plan(&self, code: &str) -> bool {
        self.plan_codes.contains(code)
    }

    /// Whether this GitLab's endpoint carries out an add-on of this name.
    pub fn knows_add_on(&self, name: &str) -> bool {
        self.add_ons.contains(name)
    }

    /// Every value of `document` that breaks a rule, in the order of the parts.
    pub fn check(&self, document: &Document) -> Vec<RuleViolation> {
        let parts = &document.provision;
        let mut found = RuleViolations::default();
        if let Some(base) = &parts.base_product {
            self.base_product(base, &mut found);
        }
        if let Some(storage) = &parts.storage {
            check_storage(storage, &mut found);
        }
        if let Some(minutes) = &parts.compute_minutes {
            check_minutes(minutes, &mut found);
        }
        for (name, purchases) in parts.add_on_purchases.iter().flatten() {
            self.add_on(name, purchases, &mut found);
        }
        found.0
    }

    fn base_product(&self, part: &BaseProduct, found: &mut RuleViolations) {
        let path = |field: &str| format!("provision[base_product][{field}]");
        if let DocumentField::Value(code) = &part.plan_code
            && !self.knows_plan(code)
        {
            let allowed = format!("{} or null, which is free", list(&self.plan_codes));
            found.add(path("plan_code"), quoted(code), allowed);
        }
        if part.seats == DocumentField::Null {
            found.add(path("seats"), "null", FROM_ZERO);
        }
        if part.start_date == DocumentField::Null {
            found.add(path("start_date"), "null", NOT_NULL);
        }
        found.negative(path("seats"), part.seats.value());
        found.negative(path("max_seats_used"), part.max_seats_used.value());
        if part.trial == DocumentField::Value(true) {
            check_trial(part, found);
        }
    }

    fn add_on(&self, name: &str, purchases: &[AddOnPurchase], found: &mut RuleViolations) {
        if !purchases.is_empty() && !self.knows_add_on(name) {
            let allowed = format!(
                "{}; a newer GitLab's are added to namespaces.add_ons",
                list(&self.add_ons)
            );
            let field = "provision[add_on_purchases]".to_owned();
            found.add(field, format!("for {}", quoted(name)), allowed);
        }
        for (index, purchase) in purchases.iter().enumerate() {
            check_purchase(name, index, purchase, found);
        }
    }
}

/// Where a field of a purchase stands.
pub(super) fn purchase_path(name: &str, index: usize, field: &str) -> String {
    format!("provision[add_on_purchases][{name}][{index}][{field}]")
}

#[derive(Default)]
struct RuleViolations(Vec<RuleViolation>);

impl RuleViolations {
    fn add(&mut self, field: String, value: impl Into<String>, allowed: impl Into<String>) {
        self.0.push(RuleViolation {
            field,
            value: value.into(),
            allowed: allowed.into(),
        });
    }

    fn negative(&mut self, field: String, number: Option<impl Into<i64>>) {
        if let Some(number) = number.map(Into::into).filter(|number| *number < 0) {
            self.add(field, number.to_string(), FROM_ZERO);
        }
    }
}

/// Dates that are absent may stand in GitLab's row.
fn check_trial(part: &BaseProduct, found: &mut RuleViolations) {
    let path = |field: &str| format!("provision[base_product][{field}]");
    let (starts, ends) = (&part.trial_starts_on, &part.trial_ends_on);
    for (field, date) in [("trial_starts_on", starts), ("trial_ends_on", ends)] {
        if *date == DocumentField::Null {
            found.add(path(field), "null", "a date, \"YYYY-MM-DD\", for a trial");
        }
    }
    if let (DocumentField::Value(starts), DocumentField::Value(ends)) = (starts, ends)
        && ends <= starts
    {
        let allowed = format!("a date after trial_starts_on, {starts}");
        found.add(path("trial_ends_on"), ends.to_string(), allowed);
    }
}

fn check_storage(part: &Storage, found: &mut RuleViolations) {
    let path = || "provision[storage][additional_purchased_storage_size]".to_owned();
    let size = &part.additional_purchased_storage_size;
    if *size == DocumentField::Null {
        found.add(path(), "null", FROM_ZERO);
    }
    found.negative(path(), size.value());
}

fn check_minutes(part: &ComputeMinutes, found: &mut RuleViolations) {
    let fields = [
        (
            "shared_runners_minutes_limit",
            &part.shared_runners_minutes_limit,
        ),
        (
            "extra_shared_runners_minutes_limit",
            &part.extra_shared_runners_minutes_limit,
        ),
    ];
    for (field, minutes) in fields {
        found.negative(
            format!("provision[compute_minutes][{field}]"),
            minutes.value(),
        );
    }
}

fn check_purchase(name: &str, index: usize, purchase: &AddOnPurchase, found: &mut RuleViolations) {
    let path = |field: &str| purchase_path(name, index, field);
    found.negative(path("quantity"), purchase.quantity.value());
    match purchase.purchase_xid.as_value() {
        Some(xid) if xid.is_empty() => {
            let allowed = "text of 1 to 255 characters, or null, which keeps the row's";
            found.add(path("purchase_xid"), "\"\"", allowed);
        }
        Some(xid) if xid.chars().count() > MAX_XID => {
            let value = format!("{} characters long", xid.chars().count());
            found.add(path("purchase_xid"), value, "text of 1 to 255 characters");
        }
        Some(_) | None => {}
    }
    if let (DocumentField::Value(started), DocumentField::Value(expires)) =
        (&purchase.started_on, &purchase.expires_on)
        && expires < started
    {
        let allowed = format!("a date from started_on, {started}");
        found.add(path("expires_on"), expires.to_string(), allowed);
    }
}

fn list(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.join(", ")
}

fn quoted(text: &str) -> String {
    told(&format!("{text:?}"))
}

#[cfg(test)]
mod tests;
