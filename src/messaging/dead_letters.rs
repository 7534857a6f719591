//! Dead letters: what they carry, and the operator's side of them: see them, publish them again,
//! put them away.
//!
//! Everything here works on leases. A letter that is looked at is leased until the scan is over, so
//! that it is seen once, and is then given back. It leaves its hold subscription only after its
//! copy is confirmed in the topic it came from, or is on disk; killed at any point, the lease
//! lapses and the letter is there again.

mod discard;
mod history;
mod letter;
mod letter_attributes;
mod queue;
mod replay;
mod scan;
mod selection;

pub use discard::{DiscardError, Discarded, discard};
pub use history::{GivenUpBy, History, Why};
pub use letter::{About, Letter, Seen};
pub use letter_attributes::{
    AT, ATTRIBUTES, DEATHS, DETAIL, FIRST_AT, FIRST_REASON, FORWARDED_ATTRIBUTES,
    ORIGINAL_DELIVERY_ATTEMPT, ORIGINAL_MESSAGE_ID, ORIGINAL_PUBLISH_TIME, ORIGINAL_TOPIC, REASON,
    REPLAY_ID, REPLAYS, STAGE, attributes, is_replayed, replayed, without_dead_letter,
};
pub use replay::{MAX_REPLAYS, ReplayEvent, ReplayOptions, Skip, Summary, replay};
pub use scan::Scan;
pub use selection::Selection;

use tokio_util::sync::CancellationToken;

use super::{Connection, PubSubError};

/// The dead letters of `selection` that could be seen now, without their bodies. What somebody else
/// has leased, such as another operator's scan, is not among them: this is what was seen, never a
/// total.
///
/// # Errors
/// When Pub/Sub cannot be reached or refuses.
pub async fn list(
    connection: &Connection,
    selection: &Selection,
) -> Result<Vec<Seen>, PubSubError> {
    let mut scan = Scan::new(connection, selection, CancellationToken::new());
    let listed = collect(&mut scan).await;
    scan.release().await;
    listed
}

async fn collect(scan: &mut Scan) -> Result<Vec<Seen>, PubSubError> {
    let mut listed = Vec::new();
    while let Some(letters) = scan.next().await? {
        listed.extend(letters.into_iter().map(|letter| letter.seen));
    }
    Ok(listed)
}
