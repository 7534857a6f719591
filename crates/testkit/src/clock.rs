//! The clock that a test was started under, for the processes that it starts.
//!
//! `tests/run --clock WHEN` runs the tests under a later clock by means of Debian's `faketime`,
//! which works by variables. A child whose environment is cleared would be back in the present:
//! `.env_clear().envs(clock::variables())`.

/// The variables that set the clock; none under the real one.
pub fn variables() -> impl Iterator<Item = (&'static str, String)> {
    [
        "LD_PRELOAD",
        "FAKETIME",
        "FAKETIME_DONT_FAKE_MONOTONIC",
        "FAKETIME_SHARED",
        "NO_FAKE_STAT",
    ]
    .into_iter()
    .filter_map(|name| Some((name, std::env::var(name).ok()?)))
}
