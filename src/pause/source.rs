//! Where the pause is kept.

use std::error::Error;

use super::PauseNotice;

/// Where the pause is kept, for every process alike.
pub trait PauseSource: Send + Sync + 'static {
    /// Why it could not be read.
    type Error: Error + Send + Sync + 'static;

    /// The pause, if there is one. A reading that takes as long as it would be good for is given up.
    fn read(&self) -> impl Future<Output = Result<Option<PauseNotice>, Self::Error>> + Send;
}
