//! Two documents, one after the other, as one: what the newer leaves out is as the older says.
//!
//! Sending the result leaves in GitLab what sending both in their order would have left, whether or
//! not the older one ever arrived. Only a purchase that is over before it arrived leaves no row
//! behind, where the two would have left an expired one.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{
    AddOnPurchase, BaseProduct, ComputeMinutes, Document, DocumentField, Provision, Storage,
    rules::{RuleViolation, purchase_path},
};

type AddOns = BTreeMap<String, Vec<AddOnPurchase>>;

/// Duo Pro and Duo Enterprise take turns on one row in GitLab: who buys one has no longer the
/// other, and of two that are bought at once Enterprise wins.
const DUO: [&str; 2] = ["duo_pro", "duo_enterprise"];

impl Document {
    /// This document after `older`: complete, if that was.
    ///
    /// # Errors
    /// Where a purchase is to be ended that `older` has beyond `today`, and no last day is given:
    /// GitLab ends an add-on by its last day alone, and would let it go on.
    pub fn after(&self, older: &Self, today: Date) -> Result<Self, Vec<RuleViolation>> {
        let endless = endless(
            self.provision.add_on_purchases.as_ref(),
            &older.provision,
            today,
        );
        if endless.is_empty() {
            Ok(self.over(older, today))
        } else {
            Err(endless)
        }
    }

    /// The same whatever it is: an add-on that is ended without a last day goes on, as it does in
    /// GitLab.
    #[must_use]
    pub fn over(&self, older: &Self, today: Date) -> Self {
        let (newer, older) = (&self.provision, &older.provision);
        let add_ons = match (&newer.add_on_purchases, &older.add_on_purchases) {
            (None, kept) => kept.clone(),
            (Some(newer), older) => {
                let none = BTreeMap::new();
                Some(add_ons_after(newer, older.as_ref().unwrap_or(&none), today))
            }
        };
        Self {
            provision: Provision {
                add_on_purchases: add_ons.filter(|add_ons| !add_ons.is_empty()),
                base_product: part(
                    newer.base_product.as_ref(),
                    older.base_product.as_ref(),
                    BaseProduct::after,
                ),
                compute_minutes: part(
                    newer.compute_minutes.as_ref(),
                    older.compute_minutes.as_ref(),
                    ComputeMinutes::after,
                ),
                storage: part(
                    newer.storage.as_ref(),
                    older.storage.as_ref(),
                    Storage::after,
                ),
            },
        }
    }

    /// Whether it says nothing that could change anything.
    pub fn is_empty(&self) -> bool {
        let Provision {
            add_on_purchases,
            base_product,
            compute_minutes,
            storage,
        } = &self.provision;
        let add_ons = add_on_purchases.iter().flatten();
        base_product.is_none()
            && compute_minutes.is_none()
            && storage.is_none()
            && add_ons.map(|(_, purchases)| purchases).all(Vec::is_empty)
    }
}

fn part<T: Clone>(newer: Option<&T>, older: Option<&T>, after: impl Fn(&T, &T) -> T) -> Option<T> {
    match (newer, older) {
        (Some(newer), Some(older)) => Some(after(newer, older)),
        (Some(only), None) | (None, Some(only)) => Some(only.clone()),
        (None, None) => None,
    }
}

impl BaseProduct {
    fn after(&self, older: &Self) -> Self {
        Self {
            auto_renew: self.auto_renew.after(&older.auto_renew),
            end_date: self.end_date.after(&older.end_date),
            max_seats_used: self.max_seats_used.after(&older.max_seats_used),
            plan_code: self.plan_code.after(&older.plan_code),
            seats: self.seats.after(&older.seats),
            start_date: self.start_date.after(&older.start_date),
            trial: self.trial.after(&older.trial),
            trial_ends_on: self.trial_ends_on.after(&older.trial_ends_on),
            trial_starts_on: self.trial_starts_on.after(&older.trial_starts_on),
        }
    }
}

impl Storage {
    fn after(&self, older: &Self) -> Self {
        Self {
            additional_purchased_storage_ends_on: self
                .additional_purchased_storage_ends_on
                .after(&older.additional_purchased_storage_ends_on),
            additional_purchased_storage_size: self
                .additional_purchased_storage_size
                .after(&older.additional_purchased_storage_size),
        }
    }
}

impl ComputeMinutes {
    fn after(&self, older: &Self) -> Self {
        Self {
            extra_shared_runners_minutes_limit: self
                .extra_shared_runners_minutes_limit
                .after(&older.extra_shared_runners_minutes_limit),
            shared_runners_minutes_limit: self
                .shared_runners_minutes_limit
                .after(&older.shared_runners_minutes_limit),
        }
    }
}

impl AddOnPurchase {
    /// The row as this purchase leaves it: GitLab keeps its dates and its name where none are sent,
    /// and its quantity where that is absent. An add-on that is ended on a day to come is held
    /// until then. One that has ended is not brought back by being ended later: GitLab does that,
    /// and only if it has seen the first end.
    fn after(&self, older: &Self, today: Date, gives_way: bool) -> Self {
        let buys = matches!(self.quantity, DocumentField::Value(1..));
        let expires_on = match (self.expires_on.value(), older.expires_on.value()) {
            (Some(later), Some(ended)) if !buys && !older.buys() && ended < later => {
                older.expires_on.clone()
            }
            _ => self.expires_on.value_after(&older.expires_on),
        };
        let goes_on = expires_on.value().is_none_or(|last| last >= today);
        let quantity = match self.quantity {
            DocumentField::Value(1..) => self.quantity.clone(),
            DocumentField::Absent | DocumentField::Null | DocumentField::Value(_)
                if gives_way || !older.buys() =>
            {
                self.quantity.clone()
            }
            DocumentField::Absent => older.quantity.clone(),
            DocumentField::Null | DocumentField::Value(_) if goes_on => older.quantity.clone(),
            DocumentField::Null | DocumentField::Value(_) => self.quantity.clone(),
        };
        Self {
            expires_on,
            new_subscription: self.new_subscription.after(&older.new_subscription),
            purchase_xid: self.purchase_xid.value_after(&older.purchase_xid),
            quantity,
            started_on: self.started_on.value_after(&older.started_on),
            trial: self.trial.clone(),
        }
    }
}

/// What is sent under each name: only the first of a list counts, and an empty list says nothing.
fn first<'a>(add_ons: &'a AddOns, name: &str) -> Option<&'a AddOnPurchase> {
    add_ons.get(name)?.first()
}

/// The other Duo, for a name that is one.
fn other_duo(name: &str) -> Option<&'static str> {
    let [pro, enterprise] = DUO;
    match name {
        name if name == pro => Some(enterprise),
        name if name == enterprise => Some(pro),
        _ => None,
    }
}

fn buys_other_duo(add_ons: &AddOns, name: &str) -> bool {
    other_duo(name)
        .and_then(|other| first(add_ons, other))
        .is_some_and(AddOnPurchase::buys)
}

fn add_ons_after(newer: &AddOns, older: &AddOns, today: Date) -> AddOns {
    let mut all = older.clone();
    for (name, purchases) in newer {
        let (Some(sent), Some(rest)) = (purchases.first(), purchases.get(1..)) else {
            continue;
        };
        let gives_way = buys_other_duo(newer, name);
        let whole = match first(older, name) {
            Some(before) => sent.after(before, today, gives_way),
            None => sent.clone(),
        };
        let whole = std::iter::once(whole).chain(rest.iter().cloned());
        all.insert(name.clone(), whole.collect());
    }
    all.retain(|_, purchases| !purchases.is_empty());
    for name in DUO {
        take_turns(&mut all, newer, older, name);
    }
    let [pro, enterprise] = DUO;
    if first(&all, enterprise).is_some_and(AddOnPurchase::buys) {
        give_way(&mut all, pro);
    }
    all
}

fn give_way(all: &mut AddOns, name: &str) {
    let own = all
        .get_mut(name)
        .and_then(|purchases| purchases.first_mut());
    if let Some(own) = own.filter(|own| own.buys()) {
        own.quantity = DocumentField::Null;
    }
}

/// What was said of the Duo `name` when the newer document speaks of the other and buys not this
/// one: it gives way to a purchase of the other, and where it has given way before, an end of the
/// other is its end too, since its row may never have changed hands. An end of what was never
/// bought ends nothing.
fn take_turns(all: &mut AddOns, newer: &AddOns, older: &AddOns, name: &str) {
    let buys_itself = first(newer, name).is_some_and(AddOnPurchase::buys);
    let Some(other) = other_duo(name).filter(|_| !buys_itself) else {
        return;
    };
    if first(newer, other).is_none() {
        return;
    }
    let Some(said) = first(all, other).cloned() else {
        return;
    };
    let Some(own) = all
        .get_mut(name)
        .and_then(|purchases| purchases.first_mut())
    else {
        return;
    };
    if said.buys() {
        give_way(all, name);
    } else if !own.buys() && first(older, other).is_some_and(AddOnPurchase::buys) {
        own.started_on = said.started_on.value_after(&own.started_on);
        own.expires_on = said.expires_on.value_after(&own.expires_on);
    }
}

/// The purchases that would go on although they are to end.
fn endless(newer: Option<&AddOns>, older: &Provision, today: Date) -> Vec<RuleViolation> {
    let (Some(newer), Some(older)) = (newer, &older.add_on_purchases) else {
        return Vec::new();
    };
    let goes_on = |name: &str| {
        let (Some(sent), Some(before)) = (first(newer, name), first(older, name)) else {
            return false;
        };
        let ends = matches!(
            sent.quantity,
            DocumentField::Null | DocumentField::Value(..=0)
        );
        let bought = before.buys() && before.expires_on.value().is_none_or(|last| last >= today);
        ends && bought && sent.expires_on.value().is_none() && !buys_other_duo(newer, name)
    };
    let names = newer.keys().filter(|name| goes_on(name));
    names
        .map(|name| RuleViolation {
            field: purchase_path(name, 0, "expires_on"),
            value: "missing".to_owned(),
            allowed: "a date: GitLab ends an add-on by its last day, and this one is recorded beyond today"
                .to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
