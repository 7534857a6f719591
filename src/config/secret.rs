//! A secret, and the file that contains it.

use std::path::{Path, PathBuf};

use figment2::value::Value;
use secrecy::{ExposeSecret, SecretString};

use super::{
    source::read_bounded,
    values::{self, SECRET, ValueType},
};

/// A secret as it was given, and its file if it was given as the name of one.
#[derive(Clone, Debug)]
pub struct Secret {
    value: SecretString,
    file: Option<PathBuf>,
}

impl Secret {
    /// The secret that stands in `file`. Blocks: not for the threads of a runtime that serves.
    ///
    /// # Errors
    /// What is wrong with the file, without any of its text.
    pub fn of_file(file: &Path) -> Result<Self, SecretFileError> {
        let text = read_bounded(file).map_err(SecretFileError::Unreadable)?;
        let text = Value::from(text.trim());
        let given = values::RawValue {
            value: &text,
            from_text: true,
        };
        let value = values::SecretText.read(&given).map_err(|wrongs| {
            SecretFileError::NoSecret(wrongs.into_iter().map(|wrong| wrong.reason).collect())
        })?;
        Ok(Self {
            value,
            file: Some(file.to_owned()),
        })
    }

    /// The file that it stands in, if it does.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

/// A file that holds no secret. No text of it is repeated.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It holds something else: in which ways.
    #[error("holds no secret; allowed: {SECRET}")]
    NoSecret(Vec<String>),
}

impl ExposeSecret<str> for Secret {
    fn expose_secret(&self) -> &str {
        self.value.expose_secret()
    }
}

impl From<SecretString> for Secret {
    fn from(value: SecretString) -> Self {
        Self { value, file: None }
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        SecretString::from(value).into()
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        SecretString::from(value).into()
    }
}
