//! Whether a command needs a concern, said in the type of its configuration.

use super::error::ConfigError;

/// What reading a concern found, before it is known whether it is needed.
pub(super) struct SectionResult<T> {
    pub value: Option<T>,
    pub missing: Vec<ConfigError>,
}

/// `T` is needed as itself, and welcome as `Option<T>`: wrong values are told in both cases,
/// missing ones only where the concern is needed.
pub trait Requirement<T>: Sized {
    /// Whether what is missing is a mistake.
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
