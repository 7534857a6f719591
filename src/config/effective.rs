//! What is in effect, and where each value came from. Secrets are redacted before they get here.

use super::origin::ValueOrigin;

/// One key and its effective value.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectiveSetting {
    /// The key, such as `gitlab.url`.
    pub key: String,
    /// The value as TOML would say it; `None` when it is not set.
    pub value: Option<serde_json::Value>,
    /// Where it came from.
    pub origin: ValueOrigin,
}
