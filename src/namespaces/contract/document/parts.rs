//! Reads the parts of a document.

use std::collections::BTreeMap;

use super::{
    AddOnPurchase, BaseProduct, ComputeMinutes, Document, InvalidDocument, Provision, Storage,
    read::JsonObject,
};

/// Add-on names in a document, and purchases in the list of one name, at most.
const MAX_ADD_ONS: usize = 64;

/// The longest plan code or add-on name, in characters: what GitLab's columns of names hold.
const MAX_NAME: usize = 255;

impl Provision {
    pub(super) fn read(object: &JsonObject) -> Result<Self, InvalidDocument> {
        Ok(Self {
            add_on_purchases: part(object, "add_on_purchases", read_add_ons)?,
            base_product: part(object, "base_product", BaseProduct::read)?,
            compute_minutes: part(object, "compute_minutes", ComputeMinutes::read)?,
            storage: part(object, "storage", Storage::read)?,
        })
    }
}

impl Document {
    /// Whether every purchase has the keys that GitLab's endpoint insists on, null or not. A
    /// document that is recorded may leave them out, since what is sent always has them.
    ///
    /// # Errors
    /// [`InvalidDocument::Lacks`], with every key that is absent. GitLab takes an empty purchase
    /// for none.
    pub fn has_required_keys(&self) -> Result<(), InvalidDocument> {
        let mut absent = Vec::new();
        for (name, purchases) in self.provision.add_on_purchases.iter().flatten() {
            for (index, purchase) in purchases.iter().enumerate() {
                let keys = [
                    ("started_on", &purchase.started_on),
                    ("expires_on", &purchase.expires_on),
                ];
                let lacking = keys
                    .into_iter()
                    .filter(|(_, date)| *purchase != AddOnPurchase::default() && date.is_absent());
                absent.extend(lacking.map(|(key, _)| {
                    format!("provision[add_on_purchases][{name}][{index}][{key}]")
                }));
            }
        }
        if absent.is_empty() {
            Ok(())
        } else {
            Err(InvalidDocument::Lacks(absent))
        }
    }
}

/// A part with nothing in it that we know is no part.
fn part<T: Default + PartialEq>(
    object: &JsonObject,
    name: &str,
    read: impl Fn(&JsonObject) -> Result<T, InvalidDocument>,
) -> Result<Option<T>, InvalidDocument> {
    match object.nullable_object(name)? {
        Some(inner) => Ok(Some(read(&inner)?).filter(|part| *part != T::default())),
        None => Ok(None),
    }
}

impl BaseProduct {
    fn read(object: &JsonObject) -> Result<Self, InvalidDocument> {
        Ok(Self {
            auto_renew: object.boolean("auto_renew")?,
            end_date: object.date("end_date")?,
            max_seats_used: object.integer("max_seats_used")?,
            plan_code: object.text("plan_code", Some(MAX_NAME))?,
            seats: object.integer("seats")?,
            start_date: object.date("start_date")?,
            trial: object.boolean("trial")?,
            trial_ends_on: object.date("trial_ends_on")?,
            trial_starts_on: object.date("trial_starts_on")?,
        })
    }
}

impl Storage {
    fn read(object: &JsonObject) -> Result<Self, InvalidDocument> {
        Ok(Self {
            additional_purchased_storage_ends_on: object
                .date("additional_purchased_storage_ends_on")?,
            additional_purchased_storage_size: object
                .big_integer("additional_purchased_storage_size")?,
        })
    }
}

impl ComputeMinutes {
    fn read(object: &JsonObject) -> Result<Self, InvalidDocument> {
        Ok(Self {
            extra_shared_runners_minutes_limit: object
                .integer("extra_shared_runners_minutes_limit")?,
            shared_runners_minutes_limit: object.integer("shared_runners_minutes_limit")?,
        })
    }
}

impl AddOnPurchase {
    fn read(object: &JsonObject) -> Result<Self, InvalidDocument> {
        Ok(Self {
            expires_on: object.date("expires_on")?,
            new_subscription: object.boolean("new_subscription")?,
            // Its length is a rule of the step, not of the form.
            purchase_xid: object.text("purchase_xid", None)?,
            quantity: object.integer("quantity")?,
            started_on: object.date("started_on")?,
            trial: object.boolean("trial")?,
        })
    }
}

/// A list that is null is an empty one: nothing sent under that name.
fn read_add_ons(
    object: &JsonObject,
) -> Result<BTreeMap<String, Vec<AddOnPurchase>>, InvalidDocument> {
    if object.len() > MAX_ADD_ONS {
        return Err(object.misfit(format!("{} names", object.len()), "64 names"));
    }
    object
        .names()
        .map(|name| {
            if name.chars().count() > MAX_NAME || name.contains('\0') {
                return Err(object.misfit(
                    "an object with a name that is too long or holds NUL",
                    "names of at most 255 characters, without NUL",
                ));
            }
            let purchases = object.nullable_objects(name, MAX_ADD_ONS)?;
            let purchases = purchases
                .iter()
                .map(AddOnPurchase::read)
                .collect::<Result<_, _>>()?;
            Ok((name.to_owned(), purchases))
        })
        .collect()
}
