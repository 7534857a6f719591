//! Whom a message is about, and which of two about the same says all that the other says.

use super::outcome::UserSyncResult;
use crate::{
    gate::Subject,
    messaging::{
        Delivery,
        wire::{Cause, OutcomeKind, SyncOutcome, UserRequest, Who},
    },
};

/// Whom the message is about, if it can be read.
pub fn subject(delivery: &Delivery) -> Option<Subject> {
    let request = UserRequest::decode(&delivery.body).ok()?;
    Some(match request.who {
        Who::Account(id) => Subject::account(id),
        Who::Username(username) => Subject::new("username", username),
        Who::Person(crsid) => Subject::new("crsid", crsid),
    })
}

/// Whether nothing is left to do of `other` once `one` is done. Both are about the same.
pub fn covers(one: &Delivery, other: &Delivery) -> bool {
    UserRequest::decode(&one.body)
        .ok()
        .zip(UserRequest::decode(&other.body).ok())
        .is_some_and(|(one, other)| asks_as_much(&one, &other))
}

/// The record of a message that another covers, from what the message says of itself.
pub fn superseded(record: SyncOutcome) -> SyncOutcome {
    SyncOutcome {
        kind: Some(OutcomeKind::User.as_str().to_owned()),
        result: Some(UserSyncResult::Superseded.result().as_str().to_owned()),
        calls: Some(0),
        ..record
    }
}

/// A resync decides afresh and does whatever is to be done, so that it covers every other message
/// about the account. A tick's message does only what its own run planned, and so covers the one of
/// an earlier run. A dry run covers no other.
fn asks_as_much(one: &UserRequest, other: &UserRequest) -> bool {
    let asks = match (&one.cause, &other.cause) {
        (Cause::Resync, Cause::Resync | Cause::Tick { .. }) => true,
        (
            Cause::Tick {
                planned_at: one, ..
            },
            Cause::Tick {
                planned_at: other, ..
            },
        ) => one >= other,
        (Cause::Tick { .. }, Cause::Resync) => false,
    };
    asks && (!one.dry_run || other.dry_run)
}

/// The account that a message names by its id.
pub fn account_of(who: &Who) -> Option<u64> {
    match who {
        Who::Account(id) => Some(*id),
        Who::Username(_) | Who::Person(_) => None,
    }
}
