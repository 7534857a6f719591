//! Texts, secrets and log filters.

use secrecy::SecretString;

use super::{ParseError, RawValue, ValueType};
use crate::telemetry::logs;

/// A text that a rule accepts.
pub(in crate::config) struct TextValue {
    /// What is allowed, to be read after "allowed:".
    pub allowed: &'static str,
    /// Whether a text is.
    pub accepts: fn(&str) -> bool,
}

impl TextValue {
    /// Any text that is not empty and has no control characters.
    pub(in crate::config) const ANY: Self = Self {
        allowed: "text that is not empty, without control characters",
        accepts: |text| !text.trim().is_empty() && !text.chars().any(char::is_control),
    };
}

impl ValueType for TextValue {
    type Value = String;

    fn allowed(&self) -> String {
        self.allowed.to_owned()
    }

    fn read(&self, given: &RawValue<'_>) -> Result<String, Vec<ParseError>> {
        let text = given.text()?;
        match (text.is_empty(), (self.accepts)(text)) {
            (_, true) => Ok(text.to_owned()),
            (true, false) => Err(ParseError::because("is empty")),
            (false, false) => Err(ParseError::because("has the wrong form")),
        }
    }

    fn show(&self, value: &String) -> serde_json::Value {
        value.as_str().into()
    }
}

/// A secret: what an HTTP header can carry.
pub(in crate::config) struct SecretText;

/// What a secret may be.
pub(in crate::config) const SECRET: &str =
    "printable ASCII characters without spaces at either end, at most 4096";

impl ValueType for SecretText {
    type Value = SecretString;

    fn allowed(&self) -> String {
        SECRET.to_owned()
    }

    fn read(&self, given: &RawValue<'_>) -> Result<SecretString, Vec<ParseError>> {
        let text = match given.value.as_str() {
            // A number is not shown here, as `kind_of` would.
            None => return Err(ParseError::because("is not text")),
            Some("") => return Err(ParseError::because("is empty")),
            Some(text) => text,
        };
        let printable = text
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if printable && text.trim() == text && text.len() <= 4096 {
            return Ok(text.into());
        }
        Err(ParseError::because(
            "contains other characters or is too long",
        ))
    }

    fn show(&self, _: &SecretString) -> serde_json::Value {
        "[redacted]".into()
    }
}

/// A log level or filter.
pub(in crate::config) struct LogFilter;

impl ValueType for LogFilter {
    type Value = String;

    fn allowed(&self) -> String {
        "error, warn, info, debug, trace or off, or a filter such as \"info,lookup_gitlab_sync=debug\"".to_owned()
    }

    fn read(&self, given: &RawValue<'_>) -> Result<String, Vec<ParseError>> {
        let text = given.text()?;
        logs::filter(text).map_err(|problem| ParseError::because(problem.to_string()))?;
        Ok(text.to_owned())
    }

    fn show(&self, value: &String) -> serde_json::Value {
        value.as_str().into()
    }
}
