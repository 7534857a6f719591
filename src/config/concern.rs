//! Whether a command needs a concern, said in the type of its configuration.

use super::error::ConfigError;

/// What reading a concern found, before it is known whether it is needed.
pub(super) struct Found<T> {
    pub value: Option<T>,
    pub missing: Vec<ConfigError>,
}

/// `T` is needed as itself, and welcome as `Option<T>`: wrong values are told in both cases,
/// missing ones only where the concern is needed.
pub trait Concern<T>: Sized {
    /// Whether what is missing is a mistake.
    const NEEDED: bool;

    /// What the configuration holds.
    fn settle(value: Option<T>) -> Option<Self>;
}

impl<T> Concern<T> for T {
    const NEEDED: bool = true;

    fn settle(value: Option<T>) -> Option<T> {
        value
    }
}

impl<T> Concern<T> for Option<T> {
    const NEEDED: bool = false;

    fn settle(value: Option<T>) -> Option<Self> {
        Some(value)
    }
}

impl<T> Found<T> {
    pub(super) fn settle<C: Concern<T>>(self, missing: &mut Vec<ConfigError>) -> Option<C> {
        if C::NEEDED {
            missing.extend(self.missing);
        }
        C::settle(self.value)
    }
}
