//! The body of `SyncOutcome`.

use serde::{Deserialize, Serialize};

/// The record of what became of a message or a run. Readers ignore fields they do not know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncOutcome {
    /// One of [`OutcomeKind`](super::OutcomeKind), or a word of a newer version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// `tick` or `resync`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The stage that wrote this record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The Pub/Sub message this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// GitLab's account id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gitlab_user_id: Option<u64>,
    /// GitLab's username.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The person's identifier in Lookup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crsid: Option<String>,
    /// `member`, `external`, `exempt`, `not_human` or `out_of_scope`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// `block`, `unblock` or `keep`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// The reason of the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// One of [`OutcomeResult`](super::OutcomeResult), or a word of a newer version; of a namespace
    /// the state of its attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Whether writes were withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// Which delivery it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_attempt: Option<u32>,
    /// How long handling took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// Calls to GitLab made for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// When, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Of a run: accounts read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<u64>,
    /// Of a run: user messages published, one an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// Of a run: decided to block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<u64>,
    /// Of a run: decided to unblock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unblocks: Option<u64>,
    /// Of a run: decided to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keeps: Option<u64>,
    /// Of a dead letter: the reason of the closed list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_reason: Option<String>,
    /// One line for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// GitLab's namespace id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_id: Option<u64>,
    /// Of a namespace: the ledger's number of the sync that was sent, or would have been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_sync_id: Option<u64>,
    /// Of a run that reads: pages of GitLab's listing read so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<u64>,
    /// Of a run that reads: people the directory has answered about so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<u64>,
    /// Of a run that is held: the gate it waits at, such as `gitlab read`; why is in `detail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// Of a run: accounts that GitLab cannot show, which are kept as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable_accounts: Option<u64>,
    /// Of a run: people whom the directory cannot show, who are unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable_people: Option<u64>,
}
