//! The types of configured values: how each is read, what it allows, how it is shown.

mod authority;
mod choice;
mod host;
mod list;
mod number;
mod pattern;
mod text;
mod time;
mod url;

use figment2::{
    providers::{Format, Toml},
    value::{Dict, Value},
};

pub(super) use self::{
    authority::CertificateAuthorityFile,
    choice::{Bool, WordChoice},
    host::HostNameList,
    list::{AccountIdList, CrsidList, IdentityPatternList, PatternList, StringList},
    number::{Integer, Percent},
    text::{LogFilter, SECRET, SecretText, TextValue},
    time::DurationRange,
    url::{HostPort, HttpUrl},
};

/// A type of values.
pub(super) trait ValueType {
    /// What it reads to.
    type Value;

    /// What is allowed, to be read after "allowed:".
    fn allowed(&self) -> String;

    /// Reads a value.
    fn read(&self, given: &RawValue<'_>) -> Result<Self::Value, Vec<ParseError>>;

    /// How an effective value is shown: as TOML would say it.
    fn show(&self, value: &Self::Value) -> serde_json::Value;
}

/// Why a value is not of its type. It never repeats a text that was given, which may be a misplaced
/// secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParseError {
    /// The place inside the value, such as `[2]`; empty for all of it.
    pub at: String,
    /// What it is, such as "is empty".
    pub reason: String,
    /// What is allowed there, if it is not what [`ValueType::allowed`] says.
    pub allowed: Option<String>,
}

impl ParseError {
    pub(super) fn because(reason: impl Into<String>) -> Vec<Self> {
        vec![Self::inside("", reason)]
    }

    pub(super) fn inside(at: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            reason: reason.into(),
            allowed: None,
        }
    }
}

/// A value as a source gave it.
pub(super) struct RawValue<'v> {
    /// The value.
    pub value: &'v Value,
    /// Whether its source has only texts, as the environment does.
    pub from_text: bool,
}

impl RawValue<'_> {
    /// The value as a text.
    pub fn text(&self) -> Result<&str, Vec<ParseError>> {
        match self.value.as_str() {
            Some(text) => Ok(text),
            None => Err(self.is_not("text")),
        }
    }

    /// The value as a whole number.
    pub fn integer(&self) -> Result<i128, Vec<ParseError>> {
        let found = match (self.value, self.from_text) {
            (Value::String(_, text), true) => text.trim().parse().ok(),
            (value, _) => value.to_i128(),
        };
        found.ok_or_else(|| self.is_not("a whole number"))
    }

    /// The value as a number, whole or not.
    pub fn number(&self) -> Result<f64, Vec<ParseError>> {
        let found = match (self.value, self.from_text) {
            (Value::String(_, text), true) => text.trim().parse().ok(),
            (Value::Num(_, number), _) => number
                .to_f64()
                // Whole numbers a file can hold come as `i64`; those that matter here are small.
                .or_else(|| i32::try_from(self.value.to_i128()?).ok().map(f64::from)),
            _ => None,
        };
        found.ok_or_else(|| self.is_not("a number"))
    }

    /// The value as a boolean.
    pub fn boolean(&self) -> Result<bool, Vec<ParseError>> {
        let found = match (self.value, self.from_text) {
            (Value::String(_, text), true) => text.trim().parse().ok(),
            (value, _) => value.to_bool(),
        };
        found.ok_or_else(|| self.is_not("true or false"))
    }

    /// The value as a list; in the environment, a list as TOML writes it.
    pub fn list(&self) -> Result<Vec<Value>, Vec<ParseError>> {
        let found = match (self.value, self.from_text) {
            (Value::String(_, text), true) => Toml::from_str::<Dict>(&format!("list = {text}"))
                .ok()
                .filter(|dict| dict.len() == 1)
                .and_then(|mut dict| dict.remove("list")?.into_array()),
            (value, _) => value.clone().into_array(),
        };
        found.ok_or_else(|| self.is_not("a list"))
    }

    fn is_not(&self, wanted: &str) -> Vec<ParseError> {
        ParseError::because(format!("is {}, not {wanted}", kind_of(self.value)))
    }
}

/// What kind of value it is. Numbers are shown, texts are not: see [`ParseError`].
pub(super) fn kind_of(value: &Value) -> String {
    match value {
        Value::String(_, text) if text.is_empty() => "empty".to_owned(),
        Value::String(..) | Value::Char(..) => "text".to_owned(),
        Value::Bool(_, truth) => truth.to_string(),
        Value::Num(..) => match (value.to_i128(), value.to_f64()) {
            (Some(whole), _) => format!("the number {whole}"),
            (None, Some(number)) => format!("the number {number}"),
            (None, None) => "a number".to_owned(),
        },
        Value::Empty(..) => "nothing".to_owned(),
        Value::Dict(..) => "a table".to_owned(),
        Value::Array(..) => "a list".to_owned(),
    }
}
