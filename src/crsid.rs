//! The identifier of a person in Lookup.

use std::fmt;

/// A person's identifier in Lookup: `^[a-z][a-z0-9]{1,7}$`, lower case.
///
/// It lies in the value itself, padded with zeros, so that there may be one for each person of a
/// university in memory and a comparison is that of a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Crsid([u8; Self::LONGEST]);

impl Crsid {
    /// Characters at most.
    pub(crate) const LONGEST: usize = 8;

    /// The well-formed CRSid that `text` is in any case; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, rest) = text.as_bytes().split_first()?;
        let well_formed = (1..Self::LONGEST).contains(&rest.len())
            && first.is_ascii_alphabetic()
            && rest.iter().all(u8::is_ascii_alphanumeric);
        well_formed.then(|| {
            let mut padded = [0; Self::LONGEST];
            for (place, byte) in padded.iter_mut().zip(text.bytes()) {
                *place = byte.to_ascii_lowercase();
            }
            Self(padded)
        })
    }

    /// The CRSid in lower case.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.0.get(..end.unwrap_or(Self::LONGEST));
        // Always text: nothing but ASCII is ever put in.
        text.and_then(|text| std::str::from_utf8(text).ok())
            .unwrap_or_default()
    }
}

impl fmt::Display for Crsid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Crsid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Crsid;

    proptest! {
        #[test]
        fn a_crsid_is_what_the_pattern_says_in_any_case(text in "[a-zA-Z0-9_.@é-]{0,10}") {
            let pattern = regex::Regex::new("^(?i-u:[a-z][a-z0-9]{1,7})$")
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
            let crsid = Crsid::parse(&text);
            prop_assert_eq!(crsid.is_some(), pattern.is_match(&text));
            if let Some(crsid) = crsid {
                prop_assert_eq!(crsid.as_str(), text.to_ascii_lowercase());
            }
        }
    }
}
