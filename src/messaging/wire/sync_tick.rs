//! The body of `SyncTick`.

use serde::{Deserialize, Serialize};

/// Asks for one run over all accounts. `{}` is a valid tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncTick {
    /// Decide and report, write nothing. `false` lifts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// This run's own share of blocks, in percent; lapses an hour after publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_block_percent: Option<f64>,
    /// This run's own share of unblocks, in percent; lapses an hour after publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unblock_percent: Option<f64>,
    /// Why, for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asked, for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
}
