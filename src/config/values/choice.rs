//! One of a few words, and booleans.

use std::marker::PhantomData;

use clap::ValueEnum;

use super::{ParseError, RawValue, ValueType};

/// One of the words of an enum, as [`ValueEnum`] spells them.
pub(in crate::config) struct WordChoice<T>(PhantomData<T>);

impl<T> WordChoice<T> {
    pub(in crate::config) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: ValueEnum> ValueType for WordChoice<T> {
    type Value = T;

    fn allowed(&self) -> String {
        let words = T::value_variants().iter().filter_map(word);
        let words: Vec<_> = words.map(|word| format!("\"{word}\"")).collect();
        words.join(" or ")
    }

    fn read(&self, given: &RawValue<'_>) -> Result<T, Vec<ParseError>> {
        let text = given.text()?;
        T::from_str(text, false).map_err(|_| {
            ParseError::because(if text.is_empty() {
                "is empty"
            } else {
                "is an unknown word"
            })
        })
    }

    fn show(&self, value: &T) -> serde_json::Value {
        word(value).into()
    }
}

/// The word of a variant; `None` for one that nobody may give.
fn word<T: ValueEnum>(value: &T) -> Option<String> {
    let named = value.to_possible_value()?;
    Some(named.get_name().to_owned())
}

/// True or false.
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
