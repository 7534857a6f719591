//! Variables by which a person asks a test for more than its usual share.

use std::env;

/// The number in the variable `name`, if it is set.
///
/// # Panics
/// On a value that is no number: a campaign of the usual size would look like the one asked for.
pub fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
    )
}
