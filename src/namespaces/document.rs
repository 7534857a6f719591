//! The document: everything a namespace has bought, as both sides read and write it.
//!
//! It keeps absent, null and value apart, since they mean unchanged, cleared and set. What it does not know it drops
//! while reading, so unknown parts and fields take no part in the canonical form or its hash: the hash answers "is there
//! anything new to send", and only what is kept here is ever sent. Names of add-ons are the exception: an unknown one is
//! kept, so that the step can refuse it by name.

mod field;
mod read;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use field::Field;
use read::Object;

/// The largest document read, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Add-on names in a document, and purchases in the list of one name, at most.
const MAX_ADD_ONS: usize = 64;

/// The longest plan code or add-on name, in characters: what GitLab's columns of names hold.
const MAX_NAME: usize = 255;

/// A document that cannot be read. Its text is what the caller gets to see, and names the path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// There is no `provision`.
    #[error("provision is missing")]
    Missing,
    /// The document is over [`MAX_BYTES`].
    #[error("provision is too large")]
    TooLarge,
    /// The value at this path has the wrong type, form or size.
    #[error("{0} is invalid")]
    At(String),
}

/// Everything a namespace has bought. Fields of these structures stand in alphabetical order, which makes their JSON
/// canonical.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Document {
    /// The parts.
    pub provision: Provision,
}

/// The parts; `None` is a part that is absent, null or empty, which all mean: leave it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Provision {
    /// Purchases by add-on name; only the first of a list counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_on_purchases: Option<BTreeMap<String, Vec<AddOnPurchase>>>,
    /// The subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_product: Option<BaseProduct>,
    /// Minutes of shared runners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute_minutes: Option<ComputeMinutes>,
    /// Storage beyond the plan's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
}

/// The subscription. Numbers fit GitLab's `integer` columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BaseProduct {
    /// Whether it renews itself.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub auto_renew: Field<bool>,
    /// Last day; null for a subscription without end.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub end_date: Field<Date>,
    /// The most seats used at once in this term.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub max_seats_used: Field<i32>,
    /// Name of the plan, such as `ultimate`; null means `free`.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub plan_code: Field<String>,
    /// Seats bought.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub seats: Field<i32>,
    /// First day.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub start_date: Field<Date>,
    /// Whether this is a trial.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub trial: Field<bool>,
    /// Last day of the trial.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub trial_ends_on: Field<Date>,
    /// First day of the trial.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub trial_starts_on: Field<Date>,
}

/// Storage beyond the plan's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Storage {
    /// Last day of it.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub additional_purchased_storage_ends_on: Field<Date>,
    /// MiB.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub additional_purchased_storage_size: Field<i64>,
}

/// Minutes of shared runners.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ComputeMinutes {
    /// Bought once, on top of the monthly ones.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub extra_shared_runners_minutes_limit: Field<i32>,
    /// A month's.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub shared_runners_minutes_limit: Field<i32>,
}

/// One purchase of an add-on. Here null and absent are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AddOnPurchase {
    /// Last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<Date>,
    /// The portal's name of the purchase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase_xid: Option<String>,
    /// Seats or units; nothing or 0 takes the add-on away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i32>,
    /// First day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_on: Option<Date>,
    /// Whether this is a trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<bool>,
}

impl Document {
    /// Reads a whole body, `{"provision": {…}}`. Types are strict: a number in quotes or with a fraction other than
    /// zero is refused, a date is `YYYY-MM-DD`, a number fits its column. Nesting costs nothing: what is not known is skipped, not built.
    ///
    /// # Errors
    /// [`Invalid`], naming the first path that is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, Invalid> {
        if body.len() > MAX_BYTES {
            return Err(Invalid::TooLarge);
        }
        let root = Object::root(body)?;
        let provision = root.object("provision")?.ok_or(Invalid::Missing)?;
        Ok(Self {
            provision: Provision::read(&provision)?,
        })
    }

    /// The one JSON text of this content: keys sorted, no white space, absent fields and empty parts left out.
    pub fn canonical_json(&self) -> String {
        // Serialising plain structures into memory has no way to fail; an empty text would be a visible lie, not a panic.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// SHA-256 of [`Self::canonical_json`], in lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        use std::fmt::Write;
        let digest = Sha256::digest(self.canonical_json());
        digest
            .iter()
            .fold(String::with_capacity(64), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
    }
}

impl Provision {
    fn read(object: &Object) -> Result<Self, Invalid> {
        Ok(Self {
            add_on_purchases: part(object, "add_on_purchases", read_add_ons)?,
            base_product: part(object, "base_product", BaseProduct::read)?,
            compute_minutes: part(object, "compute_minutes", ComputeMinutes::read)?,
            storage: part(object, "storage", Storage::read)?,
        })
    }
}

/// A part with nothing in it that we know is no part.
fn part<T: Default + PartialEq>(
    object: &Object,
    name: &str,
    read: impl Fn(&Object) -> Result<T, Invalid>,
) -> Result<Option<T>, Invalid> {
    match object.nullable_object(name)? {
        Some(inner) => Ok(Some(read(&inner)?).filter(|part| *part != T::default())),
        None => Ok(None),
    }
}

impl BaseProduct {
    fn read(object: &Object) -> Result<Self, Invalid> {
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
    fn read(object: &Object) -> Result<Self, Invalid> {
        Ok(Self {
            additional_purchased_storage_ends_on: object
                .date("additional_purchased_storage_ends_on")?,
            additional_purchased_storage_size: object
                .integer("additional_purchased_storage_size")?,
        })
    }
}

impl ComputeMinutes {
    fn read(object: &Object) -> Result<Self, Invalid> {
        Ok(Self {
            extra_shared_runners_minutes_limit: object
                .integer("extra_shared_runners_minutes_limit")?,
            shared_runners_minutes_limit: object.integer("shared_runners_minutes_limit")?,
        })
    }
}

impl AddOnPurchase {
    fn read(object: &Object) -> Result<Self, Invalid> {
        Ok(Self {
            expires_on: object.date("expires_on")?.into_value(),
            // Its length is a rule of the step, not of the form.
            purchase_xid: object.text("purchase_xid", None)?.into_value(),
            quantity: object.integer("quantity")?.into_value(),
            started_on: object.date("started_on")?.into_value(),
            trial: object.boolean("trial")?.into_value(),
        })
    }
}

/// A list that is null is an empty one: nothing sent under that name.
fn read_add_ons(object: &Object) -> Result<BTreeMap<String, Vec<AddOnPurchase>>, Invalid> {
    if object.len() > MAX_ADD_ONS {
        return Err(object.invalid());
    }
    object
        .names()
        .map(|name| {
            if name.chars().count() > MAX_NAME || name.contains('\0') {
                return Err(object.invalid());
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

#[cfg(test)]
mod tests;
