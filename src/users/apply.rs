//! How a block and an unblock are made, step by step, from a look that is still fresh.

use jiff::Timestamp;

use super::{
    marker::{MARKER_KEY, Marker},
    observe::Observation,
    policy::{AccountChange, BlockReason},
};
use crate::{
    failpoint,
    gitlab::{Change, Client, WritePermit},
    upstream::CallError,
};

/// What became of a decision to change an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyOutcome {
    /// GitLab answered that it made the change. What the account's state is, the next look shows:
    /// somebody else's change at the same moment is answered alike.
    Applied,
    /// Somebody else was first; nothing more is written.
    AlreadySo,
    /// GitLab refused because of the account's state, with its reason.
    StateForbids(String),
    /// There is no such account any more.
    Gone,
    /// Nothing was written: the look is too old to act on.
    TooOld,
}

/// Makes `change` to the account that was observed, as part of `run`.
///
/// A block is `PUT` marker, then `POST` block; an unblock is one `POST`, made only from a block
/// of ours, since on a banned account it would lift the ban. No step is ever repeated here: after
/// an error, whoever tries again starts from a new look.
///
/// # Errors
/// A call that got no usable answer. The account may or may not have been changed.
pub async fn apply(
    change: AccountChange,
    observation: &Observation,
    run: &str,
    gitlab: &Client,
    permit: &WritePermit,
    now: Timestamp,
) -> Result<ApplyOutcome, CallError> {
    if !observation.is_fresh() {
        return Ok(ApplyOutcome::TooOld);
    }
    match change {
        AccountChange::Block(reason) => block(observation, reason, run, gitlab, permit, now).await,
        AccountChange::Unblock(_) => {
            failpoint::pass("before_unblock");
            let change = gitlab.unblock(permit, observation.account.id.0).await?;
            failpoint::pass("after_unblock");
            Ok(change.into())
        }
    }
}

async fn block(
    observation: &Observation,
    reason: BlockReason,
    run: &str,
    gitlab: &Client,
    permit: &WritePermit,
    now: Timestamp,
) -> Result<ApplyOutcome, CallError> {
    let id = observation.account.id.0;
    failpoint::pass("before_marker");
    let again = match reason {
        BlockReason::UnblockedByIdentityProvider => true,
        BlockReason::CancelledInLookup | BlockReason::Inactive => false,
    };
    let marker = Marker::new(reason.as_str(), now, run)
        .following(observation.account.marker.as_ref(), again)
        .to_value();
    if !gitlab
        .set_custom_attribute(permit, id, MARKER_KEY, &marker)
        .await?
    {
        return Ok(ApplyOutcome::Gone);
    }
    if !observation.is_fresh() {
        return Ok(ApplyOutcome::TooOld);
    }
    failpoint::pass("before_block");
    let change = gitlab.block(permit, id).await?;
    failpoint::pass("after_block");
    Ok(change.into())
}

impl From<Change> for ApplyOutcome {
    fn from(change: Change) -> Self {
        match change {
            Change::Made => Self::Applied,
            Change::AlreadySo => Self::AlreadySo,
            Change::StateForbids(reason) => Self::StateForbids(reason),
            Change::Gone => Self::Gone,
        }
    }
}
