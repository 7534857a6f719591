//! The document: everything a namespace has bought, as both sides read and write it.
//!
//! It keeps absent, null and value apart, since they mean unchanged, cleared and set. What it does
//! not know it drops while reading, so unknown parts and fields take no part in the canonical form
//! or its hash: the hash answers "is there anything new to send", and only what is kept here is
//! ever sent. Names of add-ons are the exception: an unknown one is kept, so that the step can
//! refuse it by name.

mod field;
mod merge;
mod parts;
mod read;
pub mod rules;
mod sent;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use field::DocumentField;
use read::JsonObject;

/// The largest document read, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;

/// A document that cannot be read. Its text is GitLab's, and names the path;
/// [`InvalidDocument::explained`] says more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDocument {
    /// It is not JSON.
    #[error("Invalid JSON format")]
    NotJson,
    /// There is no `provision`.
    #[error("provision is missing")]
    Missing,
    /// The document is over [`MAX_BYTES`].
    #[error("provision is too large")]
    TooLarge,
    /// The value at this path has the wrong type, form or size.
    #[error("{} is invalid", .0.path)]
    At(InvalidValue),
    /// The key at this path is given twice, and readers differ in which of the two they take.
    #[error("{0} is invalid")]
    Twice(String),
    /// The keys at these paths are absent.
    #[error("{}", .0.iter().map(|path| format!("{path} is missing")).collect::<Vec<_>>().join(", "))]
    Lacks(Vec<String>),
}

/// A value that does not fit its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidValue {
    /// Where, such as `provision[base_product][seats]`.
    pub path: String,
    /// What stands there, cut off where it is long.
    pub found: String,
    /// What is allowed there.
    pub allowed: &'static str,
}

impl InvalidDocument {
    /// The mistake with the value that was found and what is allowed, for who wrote the document.
    pub fn explained(&self) -> String {
        match self {
            Self::At(InvalidValue {
                path,
                found,
                allowed,
            }) => format!("{path} is {found}; allowed: {allowed}"),
            Self::Twice(path) => format!("{path} is given twice; allowed: each key once"),
            Self::TooLarge => format!("{self}; allowed: {MAX_BYTES} bytes"),
            Self::NotJson => format!("{self}; allowed: {{\"provision\": {{...}}}} in UTF-8"),
            Self::Missing | Self::Lacks(_) => self.to_string(),
        }
    }
}

/// Everything a namespace has bought. Fields of these structures stand in alphabetical order, which
/// makes their JSON canonical.
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
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub auto_renew: DocumentField<bool>,
    /// Last day; null for a subscription without end.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub end_date: DocumentField<Date>,
    /// The most seats used at once in this term.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub max_seats_used: DocumentField<i32>,
    /// Name of the plan, such as `ultimate`; null means `free`.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub plan_code: DocumentField<String>,
    /// Seats bought.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub seats: DocumentField<i32>,
    /// First day.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub start_date: DocumentField<Date>,
    /// Whether this is a trial.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub trial: DocumentField<bool>,
    /// Last day of the trial.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub trial_ends_on: DocumentField<Date>,
    /// First day of the trial.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub trial_starts_on: DocumentField<Date>,
}

/// Storage beyond the plan's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Storage {
    /// Last day of it.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub additional_purchased_storage_ends_on: DocumentField<Date>,
    /// MiB.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub additional_purchased_storage_size: DocumentField<i64>,
}

/// Minutes of shared runners.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ComputeMinutes {
    /// Bought once, on top of the monthly ones.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub extra_shared_runners_minutes_limit: DocumentField<i32>,
    /// A month's.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub shared_runners_minutes_limit: DocumentField<i32>,
}

/// One purchase of an add-on. GitLab keeps the dates and the name of a row where they are null or
/// absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AddOnPurchase {
    /// Last day.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub expires_on: DocumentField<Date>,
    /// Whether it begins with this purchase; GitLab reads it for `duo_core`.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub new_subscription: DocumentField<bool>,
    /// The portal's name of the purchase.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub purchase_xid: DocumentField<String>,
    /// Seats or units; null or 0 ends the add-on on its last day.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub quantity: DocumentField<i32>,
    /// First day.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub started_on: DocumentField<Date>,
    /// Whether this is a trial; absent and null mean that it is not.
    #[serde(skip_serializing_if = "DocumentField::is_absent")]
    pub trial: DocumentField<bool>,
}

impl AddOnPurchase {
    /// Whether something is bought, rather than ended or changed in its dates.
    pub fn buys(&self) -> bool {
        matches!(self.quantity, DocumentField::Value(1..))
    }
}

impl Document {
    /// Reads a whole body, `{"provision": {…}}`. Types are strict: a number in quotes or with a
    /// fraction other than zero is refused, a date is `YYYY-MM-DD`, a number fits its column.
    /// Nesting costs nothing: what is not known is skipped, not built.
    ///
    /// # Errors
    /// [`InvalidDocument`], naming the first path that is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, InvalidDocument> {
        if body.len() > MAX_BYTES {
            return Err(InvalidDocument::TooLarge);
        }
        let root = JsonObject::root(body)?;
        let provision = root.object("provision")?.ok_or(InvalidDocument::Missing)?;
        Ok(Self {
            provision: Provision::read(&provision)?,
        })
    }

    /// The one JSON text of this content: keys sorted, no white space, absent fields and empty
    /// parts left out.
    pub fn canonical_json(&self) -> String {
        // Serialising plain structures into memory has no way to fail; an empty text would be a
        // visible lie, not a panic.
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

#[cfg(test)]
mod tests;
