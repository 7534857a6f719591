//! One of a few words, and yes or no.

use super::{ParseError, RawValue, ValueType};

/// One of a few words, each with what it means.
pub(in crate::config) struct WordChoice<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Copy + PartialEq> ValueType for WordChoice<T> {
    type Value = T;

    fn allowed(&self) -> String {
        let words: Vec<_> = self
            .0
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        words.join(" or ")
    }

    fn read(&self, given: &RawValue<'_>) -> Result<T, Vec<ParseError>> {
        let text = given.text()?;
        let found = self.0.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            ParseError::because(if text.is_empty() {
                "is empty"
            } else {
                "is another word"
            })
        })
    }

    fn show(&self, value: &T) -> serde_json::Value {
        let found = self.0.iter().find(|(_, meaning)| meaning == value);
        found.map(|(word, _)| *word).into()
    }
}

/// Yes or no.
pub(in crate::config) struct Bool;

impl ValueType for Bool {
    type Value = bool;

    fn allowed(&self) -> String {
        "true or false".to_owned()
    }

    fn read(&self, given: &RawValue<'_>) -> Result<bool, Vec<ParseError>> {
        given.boolean()
    }

    fn show(&self, value: &bool) -> serde_json::Value {
        (*value).into()
    }
}
