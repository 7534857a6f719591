//! Commands that hold leases, and so end in order.

use tokio_util::sync::CancellationToken;

use crate::{app::signals::StopSignals, cli::CommandFailure};

/// Does `work`, which ends in order on a first signal, so that leases are given back and what was
/// done is said; on a second it is left at once.
///
/// # Errors
/// Those of the work, or that it was interrupted.
pub async fn stopping_in_order(
    work: impl AsyncFnOnce(&CancellationToken) -> Result<(), CommandFailure>,
) -> Result<(), CommandFailure> {
    let mut signals = StopSignals::catch()?;
    let stopping = CancellationToken::new();
    let mut work = Box::pin(work(&stopping));
    tokio::select! {
        result = &mut work => return result,
        () = signals.next() => stopping.cancel(),
    }
    tokio::select! {
        result = work => result.and_then(|()| Err(CommandFailure::interrupted())),
        () = signals.next() => Err(CommandFailure::interrupted()),
    }
}
