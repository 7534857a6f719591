//! The document as GitLab's endpoint understands it.

use serde_json::{Map, Value, json};

use super::{AddOnPurchase, Document, DocumentField};

impl Document {
    /// The JSON that is sent. In a purchase GitLab refuses absent dates and quantity 0, and reads
    /// an absent `trial` as false: so all keys are there, null where nothing is meant, and quantity
    /// 0 is null, which ends the add-on.
    pub fn sent_json(&self) -> String {
        // Serialising plain structures into memory has no way to fail.
        let mut document = serde_json::to_value(self).unwrap_or_default();
        if let Some(sent) = document.pointer_mut("/provision/add_on_purchases") {
            let add_ons = self.provision.add_on_purchases.iter().flatten();
            *sent = add_ons
                .map(|(name, purchases)| (name.clone(), purchases.iter().map(purchase).collect()))
                .collect::<Map<String, Value>>()
                .into();
        }
        document.to_string()
    }
}

fn purchase(purchase: &AddOnPurchase) -> Value {
    let mut sent = json!({
        "expires_on": purchase.expires_on,
        "purchase_xid": purchase.purchase_xid,
        "quantity": purchase.quantity.value().filter(|quantity| *quantity != 0),
        "started_on": purchase.started_on,
        "trial": purchase.trial.value().unwrap_or(false),
    });
    if let (Some(keys), DocumentField::Value(new)) =
        (sent.as_object_mut(), &purchase.new_subscription)
    {
        keys.insert("new_subscription".to_owned(), json!(new));
    }
    sent
}
