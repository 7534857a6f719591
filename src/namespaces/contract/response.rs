//! What the provisioning service answers with 200 and 422: what became of each part.

use serde::{Deserialize, Serialize};

use crate::namespaces::contract::document::Provision;

/// Whether something was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartStatus {
    /// Applied, or nothing to do.
    Success,
    /// A rule was broken; see the message.
    Error,
}

/// What became of the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionResponse {
    /// `error` when any part failed.
    pub status: PartStatus,
    /// The failed parts' messages in the order of the steps; null when all went well.
    pub message: Option<String>,
    /// Part by part.
    pub payload: PartResults,
}

/// Part by part; `None` for a part that was not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartResults {
    /// The subscription.
    pub base_product: Option<PartResult>,
    /// Storage.
    pub storage: Option<PartResult>,
    /// Compute minutes.
    pub compute_minutes: Option<PartResult>,
    /// Add-ons.
    pub add_on_purchases: Option<PartResult>,
}

/// What became of one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartResult {
    /// Whether it was applied.
    pub status: PartStatus,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl PartResults {
    /// The parts by their names, in the order of the steps.
    pub fn named(&self) -> [(&'static str, Option<&PartResult>); 4] {
        let Self {
            base_product,
            storage,
            compute_minutes,
            add_on_purchases,
        } = self;
        [
            ("base_product", base_product.as_ref()),
            ("storage", storage.as_ref()),
            ("compute_minutes", compute_minutes.as_ref()),
            ("add_on_purchases", add_on_purchases.as_ref()),
        ]
    }

    /// What of `sent` was not applied, part by part: refused, or answered null, which is how GitLab
    /// passes over what it does not know.
    pub fn undelivered(&self, sent: &Provision) -> Vec<String> {
        let sent = [
            sent.base_product.is_some(),
            sent.storage.is_some(),
            sent.compute_minutes.is_some(),
            sent.add_on_purchases.is_some(),
        ];
        let parts = self.named().into_iter().zip(sent);
        parts
            .filter_map(|((name, answer), sent)| match answer {
                None if sent => Some(format!(
                    "{name} was ignored by GitLab: it answered null for it"
                )),
                None => None,
                Some(answer) => match (answer.status, &answer.message) {
                    (PartStatus::Success, _) => None,
                    (PartStatus::Error, Some(message)) => Some(message.clone()),
                    (PartStatus::Error, None) => Some(format!("{name} was refused")),
                },
            })
            .collect()
    }
}

impl PartResult {
    /// An applied part, or one refused for `message`.
    pub fn new(message: Option<String>) -> Self {
        let status = match message {
            None => PartStatus::Success,
            Some(_) => PartStatus::Error,
        };
        Self { status, message }
    }
}

impl From<PartResults> for ProvisionResponse {
    /// Gathers the parts' failures.
    fn from(payload: PartResults) -> Self {
        let parts = [
            &payload.base_product,
            &payload.storage,
            &payload.compute_minutes,
            &payload.add_on_purchases,
        ];
        let messages: Vec<&str> = parts
            .into_iter()
            .filter_map(|part| part.as_ref()?.message.as_deref())
            .collect();
        let message = (!messages.is_empty()).then(|| messages.join(", "));
        Self {
            status: PartResult::new(message.clone()).status,
            message,
            payload,
        }
    }
}
