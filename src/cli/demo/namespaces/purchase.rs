//! What the demo's namespaces buy, and what they must have then.

use serde_json::{Value, json};

use super::tables::NamespaceHoldings;

/// The namespace that buys.
pub const ACME: i64 = 42;
/// The namespace that GitLab does not know at first.
pub const LATE: i64 = 77;

/// What a namespace buys in an act.
pub struct DemoPurchase {
    pub namespace_id: i64,
    pub plan: &'static str,
    /// Seats, those of Duo Enterprise too.
    pub seats: i32,
    pub storage: i64,
    /// Whether it is a trial, whose dates nobody says.
    pub trial: bool,
}

/// As the one that buys.
pub fn acme(plan: &'static str, seats: i32, storage: i64) -> DemoPurchase {
    DemoPurchase {
        namespace_id: ACME,
        plan,
        seats,
        storage,
        trial: false,
    }
}

/// What that one must have when all of it is applied, now and before.
pub fn acme_has(plan: &'static str, seats: i32, storage: i64, changes: i64) -> NamespaceHoldings {
    acme(plan, seats, storage).has(changes)
}

impl DemoPurchase {
    const MINUTES: i32 = 90;

    /// The document that says so.
    pub fn document(&self) -> Value {
        let Self {
            plan,
            seats,
            storage,
            trial,
            ..
        } = self;
        json!({ "provision": {
            "base_product": { "plan_code": plan, "start_date": "2026-01-01", "end_date": "2027-01-01", "seats": seats,
                "trial": trial },
            "storage": { "additional_purchased_storage_size": storage, "additional_purchased_storage_ends_on": "2027-01-01" },
            "compute_minutes": { "extra_shared_runners_minutes_limit": Self::MINUTES },
            "add_on_purchases": { "duo_enterprise": [{ "started_on": "2026-01-01", "expires_on": "2027-01-01",
                "quantity": seats, "purchase_xid": "A-S00001" }] },
        } })
    }

    /// What the tables must say when all of it is applied.
    pub fn has(&self, changes: i64) -> NamespaceHoldings {
        NamespaceHoldings {
            plan: self.plan.to_owned(),
            seats: self.seats,
            storage: self.storage,
            minutes: Self::MINUTES,
            duo: self.seats,
            changes,
        }
    }
}
