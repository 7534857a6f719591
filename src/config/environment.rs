//! The environment variables of a process, as a value, so that tests need no process of their own.

use std::{collections::BTreeMap, env, ffi::OsString, fmt};

/// Environment variables by name.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Those of this process.
    pub fn of_process() -> Self {
        env::vars_os().collect()
    }

    /// The value of `name`; `None` when it is not set, or not UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&OsString::from(name))?.to_str()
    }

    /// Each variable whose name is UTF-8; the value is `None` when it is not.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0
            .iter()
            .filter_map(|(name, value)| Some((name.to_str()?, value.to_str())))
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

/// The names alone: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
