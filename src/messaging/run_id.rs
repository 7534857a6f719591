//! The id of one run, and of everything that happens because of it.

use std::fmt;

use uuid::Uuid;

/// The longest run id: long enough for ours, for a Pub/Sub message id, and for one that a person
/// made up.
const MAX_LENGTH: usize = 128;

/// A run's id: letters, digits, `-` and `_`, so that it can stand in a subscription's filter as it
/// is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(Box<str>);

impl RunId {
    /// A fresh one.
    #[expect(
        clippy::new_without_default,
        reason = "two defaults would not be equal"
    )]
    pub fn new() -> Self {
        Self(Uuid::new_v4().to_string().into_boxed_str())
    }

    /// `text`, if it can be a run's id.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=MAX_LENGTH).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        well_formed.then(|| Self(text.into()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_run_id_is_well_formed_and_unlike_the_last() {
        let run = RunId::new();
        assert_eq!(RunId::parse(run.as_str()), Some(run.clone()));
        assert_ne!(run, RunId::new());
    }

    #[test]
    fn a_run_id_cannot_end_a_filter_early() {
        for text in ["", "a\"b", "a b", "é", &"a".repeat(129)] {
            assert_eq!(RunId::parse(text), None, "{text}");
        }
    }
}
