//! Waiting: for conditions, never for a time, and with one deadline for everything.

use std::{
    fmt::Display,
    thread,
    time::{Duration, Instant},
};

/// How long anything is waited for. A machine under load is slow; nothing waits this long on a good
/// day, and the test runner ends a test only after five minutes, so that the words of the one who
/// waited come out first.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// How often a condition is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits until `condition` holds. The deadline is one of the real clock, under a paused one too.
pub async fn until(what: impl Display, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// [`until`] outside of a runtime.
pub fn block_until(what: impl Display, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(LOOK_AGAIN);
    }
}

/// What `future` comes to, which it must in time.
pub async fn within<T>(what: impl Display, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(tokio::time::error::Elapsed { .. }) => panic!("waited in vain: {what}"),
    }
}

/// Waits until the address answers 200.
pub async fn until_ok(url: &str) {
    until(format_args!("{url} answers 200"), async || {
        reqwest::get(url)
            .await
            .is_ok_and(|answer| answer.status() == 200)
    })
    .await;
}
