//! The errors of a configuration, for the person who corrects them.

use std::{error::Error, fmt};

use super::origin::ValueOrigin;

/// One error: which key, what is wrong with it, what is allowed, where it came from. It never
/// repeats a text that was given: a secret pasted into the wrong key must not reach a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, such as `gitlab.url`, or what stands in its place, such as a file that cannot be
    /// read.
    pub key: String,
    /// What is wrong with it, and what is allowed.
    pub problem: String,
    /// Where it came from; `None` when it came from nowhere, such as a missing key.
    pub origin: Option<ValueOrigin>,
}

impl ConfigError {
    /// An error in what `origin` gives for `key`.
    pub(super) fn at(
        key: impl Into<String>,
        origin: ValueOrigin,
        problem: impl Into<String>,
    ) -> Self {
        Self {
            key: key.into(),
            problem: problem.into(),
            origin: Some(origin),
        }
    }

    /// An error that comes from no source.
    pub(super) fn without_origin(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            problem: problem.into(),
            origin: None,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.problem)?;
        match &self.origin {
            Some(origin) => write!(f, " ({origin})"),
            None => Ok(()),
        }
    }
}

/// Every error of a configuration at once, never empty, ordered by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// `Err` when there is any error.
    pub(super) fn check(mut mistakes: Vec<ConfigError>) -> Result<(), Self> {
        if mistakes.is_empty() {
            return Ok(());
        }
        mistakes.sort_by(|a, b| (&a.key, &a.problem).cmp(&(&b.key, &b.problem)));
        mistakes.dedup();
        Err(Self(mistakes))
    }

    /// One key that is missing where something needs it.
    pub(super) fn missing(mistake: ConfigError) -> Self {
        Self(vec![mistake])
    }

    /// For an incomplete configuration without any other error. Reading reports an error for each
    /// value that it does not get, so this should never appear.
    pub(super) fn incomplete() -> Self {
        Self(vec![ConfigError::without_origin(
            "the configuration",
            "is not complete",
        )])
    }

    /// The line above the list.
    pub fn heading(&self) -> String {
        match self.0.len() {
            1 => "the configuration has a mistake; correct it and start again:".to_owned(),
            count => {
                format!("the configuration has {count} mistakes; correct them and start again:")
            }
        }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.heading())?;
        self.0
            .iter()
            .try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl Error for ConfigErrors {}
