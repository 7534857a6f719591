//! Whether a command requires a section, as the type of its configuration says.

use super::error::ConfigError;

/// What reading a section found, before it is known whether the section is required.
pub(super) struct SectionResult<T> {
    pub value: Option<T>,
    pub missing: Vec<ConfigError>,
}

/// `T` is a required section and `Option<T>` an optional one. Invalid values are errors in both
/// cases, missing ones only where the section is required.
pub trait Requirement<T>: Sized {
    /// Whether a missing key is an error.
    const REQUIRED: bool;

    /// What the configuration holds.
    fn settle(value: Option<T>) -> Option<Self>;
}

impl<T> Requirement<T> for T {
    const REQUIRED: bool = true;

    fn settle(value: Option<T>) -> Option<T> {
        value
    }
}

impl<T> Requirement<T> for Option<T> {
    const REQUIRED: bool = false;

    fn settle(value: Option<T>) -> Option<Self> {
        Some(value)
    }
}

impl<T> SectionResult<T> {
    pub(super) fn settle<C: Requirement<T>>(self, missing: &mut Vec<ConfigError>) -> Option<C> {
        if C::REQUIRED {
            missing.extend(self.missing);
        }
        C::settle(self.value)
    }
}
