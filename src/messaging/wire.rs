//! The bodies, one file a schema: strings and numbers only, named as in `schemas/*.proto`.

mod decode;
mod fields;
mod namespace_sync;
mod one_line;
mod outcome_words;
mod request;
mod sync_outcome;
mod sync_tick;
mod user_sync;

#[cfg(test)]
mod tests;

pub use decode::DecodeError;
pub use fields::MAX_BODY_BYTES;
pub use namespace_sync::{NamespaceRequest, NamespaceSync};
pub use one_line::OneLine;
pub use outcome_words::{OutcomeKind, OutcomeResult};
pub use request::{Cause, Planned, UserRequest, Who};
pub use sync_outcome::SyncOutcome;
pub use sync_tick::SyncTick;
pub use user_sync::UserSync;
