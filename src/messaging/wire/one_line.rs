//! Texts of one line.

use std::fmt;

use crate::messaging::line::breaks_a_line;

/// What a text in a body may be: one line of 1 to so many characters. One rule for those who read a
/// body and for those who write one, so that no command publishes what a stage would refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneLine {
    max: usize,
}

impl OneLine {
    /// `reason` and `requested_by`.
    pub const NOTE: Self = Self { max: 1000 };
    /// `username`: GitLab's own bound.
    pub const USERNAME: Self = Self { max: 255 };
    /// A word of a closed list.
    pub(super) const WORD: Self = Self { max: 64 };

    /// Whether `text` is one.
    pub fn admits(self, text: &str) -> bool {
        let fits = !text.is_empty() && text.chars().take(self.max + 1).count() <= self.max;
        fits && !text.chars().any(breaks_a_line)
    }
}

impl fmt::Display for OneLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one line of 1 to {} characters", self.max)
    }
}
