use std::fmt;

/// A person's identifier in Lookup: `^[a-z][a-z0-9]{1,7}$`, lower case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Crsid(Box<str>);

impl Crsid {
    /// Characters at most.
    pub(super) const LONGEST: usize = 8;

    /// The well-formed CRSid that `text` is in any case; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let first = bytes.next()?;
        let well_formed = (2..=Self::LONGEST).contains(&text.len())
            && first.is_ascii_alphabetic()
            && bytes.all(|byte| byte.is_ascii_alphanumeric());
        well_formed.then(|| Self(text.to_ascii_lowercase().into_boxed_str()))
    }

    /// The CRSid in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Crsid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
