//! The body of `NamespaceSync`.

use serde::{Deserialize, Serialize};

/// Asks for the newest recorded sync of one namespace to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamespaceSync {
    /// GitLab's namespace id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_id: Option<u64>,
    /// Who asked, for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
}

/// A [`NamespaceSync`] that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceRequest {
    /// Which namespace: from 1 to what a `bigint` of `PostgreSQL` holds.
    pub namespace_id: i64,
    /// Who asked, for the record.
    pub requested_by: Option<String>,
}

impl NamespaceRequest {
    /// The body that decodes to this request.
    pub fn to_wire(&self) -> NamespaceSync {
        NamespaceSync {
            namespace_id: u64::try_from(self.namespace_id).ok(),
            requested_by: self.requested_by.clone(),
        }
    }
}
