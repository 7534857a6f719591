//! Named places at which a test ends the process as a crash would. Without the feature
//! `failpoints`, which only the tests' own build has, there are none.

/// Ends the process here if `LOOKUP_GITLAB_SYNC_FAIL_AT` is `name`, or `name:n` and this is the
/// n-th passage.
#[cfg(feature = "failpoints")]
pub fn pass(name: &str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };

    static PLACE: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let place = PLACE.get_or_init(|| {
        let text = std::env::var("LOOKUP_GITLAB_SYNC_FAIL_AT").ok()?;
        let (place, passage) = text.split_once(':').unwrap_or((&text, "1"));
        Some((place.to_owned(), passage.parse().ok()?))
    });
    if let Some((place, passage)) = place
        && place == name
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *passage
    {
        std::process::abort();
    }
}

/// Nothing: this build has no fail points.
#[cfg(not(feature = "failpoints"))]
pub const fn pass(_name: &str) {}
