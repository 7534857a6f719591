//! The body of `UserSync`.

use serde::{Deserialize, Serialize};

/// Asks for one user's decision. Exactly one of `gitlab_user_id`, `username` and `crsid` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSync {
    /// GitLab's account id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gitlab_user_id: Option<u64>,
    /// GitLab's username.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The person's identifier in Lookup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crsid: Option<String>,
    /// `tick` or `resync`; absent is `resync`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Decide and report, write nothing. `false` lifts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// The fan-out's decision: `block`, `unblock` or `keep`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<String>,
    /// The fan-out's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned_reason: Option<String>,
    /// When the fan-out decided, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned_at: Option<String>,
    /// Who asked, for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Why, for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
