//! The fields of a JSON object, each read once.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, error::Category};

use super::{
    OneLine,
    decode::{DecodeError, invalid, undecodable},
};
use crate::messaging::DeadLetterReason;

/// The largest body the service reads, in bytes. Its own bodies are under 1 KiB.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// The fields of one JSON object, taken one by one, so that every error can name its field and no
/// value is echoed.
///
/// Read as the JSON form of protocol buffers is, which is what a topic's schema admits: `null` is
/// the same as absent, a name may be in `snake_case` or `lowerCamelCase`, a number may be quoted,
/// and a whole one may be written with a fraction. See
/// <https://protobuf.dev/programming-guides/json/>.
#[derive(Debug)]
pub(super) struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// The fields of `body`, those in `known` by the names they have there.
    pub(super) fn read(body: &[u8], known: &[&str]) -> Result<Self, DecodeError> {
        if body.len() > MAX_BODY_BYTES {
            return Err(DecodeError::Permanent {
                reason: DeadLetterReason::TooLarge,
                detail: format!(
                    "body: {} bytes, expected at most {MAX_BODY_BYTES}",
                    body.len()
                ),
            });
        }
        let text = text_of(body)?;
        let Entries(entries) = serde_json::from_str(text).map_err(|error| not_an_object(&error))?;
        if is_push_request(&entries) {
            return Err(undecodable(
                "body: what Pub/Sub sends to a push endpoint; publish what is in message.data, decoded",
            ));
        }
        let mut fields = BTreeMap::new();
        for (name, value) in entries {
            let name = known_spelling(name, known);
            if fields.insert(name.clone(), value).is_some() {
                return Err(invalid(&name, "once"));
            }
        }
        fields.retain(|_, value| !value.is_null());
        Ok(Self(fields))
    }

    /// The first field that is not one of `known`.
    pub(super) fn unknown(&self, known: &[&str]) -> Option<&str> {
        self.0
            .keys()
            .map(String::as_str)
            .find(|name| !known.contains(name))
    }

    /// A string without looking at what it says, for deciding how to judge the rest.
    pub(super) fn peek(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A text that `allowed` admits.
    pub(super) fn line(
        &mut self,
        name: &str,
        allowed: OneLine,
    ) -> Result<Option<String>, DecodeError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if allowed.admits(&text) => Ok(Some(text)),
            Some(_) => Err(invalid(name, &allowed.to_string())),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, DecodeError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(invalid(name, "true or false")),
        }
    }

    /// A whole number from 1.
    pub(super) fn id(&mut self, name: &str) -> Result<Option<u64>, DecodeError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(value) => whole(&value)
                .filter(|id| *id > 0)
                .map(Some)
                .ok_or_else(|| invalid(name, "a whole number from 1")),
        }
    }

    /// A number from 0 to 100.
    pub(super) fn percent(&mut self, name: &str) -> Result<Option<f64>, DecodeError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(value) => number(&value)
                .filter(|percent| (0.0..=100.0).contains(percent))
                .map(Some)
                .ok_or_else(|| invalid(name, "a number from 0 to 100")),
        }
    }
}

/// The text of `body`.
fn text_of(body: &[u8]) -> Result<&str, DecodeError> {
    match body {
        [] => Err(undecodable("body: empty, expected a JSON object")),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => {
            Err(undecodable("body: UTF-16, expected a JSON object in UTF-8"))
        }
        [0xef, 0xbb, 0xbf, ..] => Err(undecodable(
            "body: begins with a byte order mark, expected a JSON object in UTF-8 without one",
        )),
        _ => std::str::from_utf8(body)
            .map_err(|_| undecodable("body: not UTF-8, expected a JSON object")),
    }
}

/// Whether this is a message with the envelope in which it comes to a push endpoint.
fn is_push_request(entries: &[(String, Value)]) -> bool {
    let field = |name: &str| entries.iter().find(|(key, _)| key == name);
    let has_data = field("message").is_some_and(|(_, message)| message.get("data").is_some());
    has_data && field("subscription").is_some()
}

/// `name` as it is in `known`, where it is one of these in `lowerCamelCase`.
fn known_spelling(name: String, known: &[&str]) -> String {
    let spelling = known
        .iter()
        .find(|known| known.contains('_') && name == lower_camel_case(known));
    spelling.map_or(name, |known| (*known).to_owned())
}

fn lower_camel_case(snake: &str) -> String {
    let mut words = snake.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

/// A whole number, quoted or not.
fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        }
        Value::Number(number) => number.as_u64().or_else(|| whole_float(number.as_f64()?)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// From 2^53 on a fraction hides which whole number was meant.
fn whole_float(number: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let is_whole = (0.0..EXACT).contains(&number) && number.fract() == 0.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 0 to 2^53"
    )]
    is_whole.then_some(number as u64)
}

/// A number, quoted or not.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_f64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The syntax error's text may quote the body, so only its position is kept.
fn not_an_object(error: &serde_json::Error) -> DecodeError {
    match error.classify() {
        Category::Data => undecodable("body: not a JSON object"),
        Category::Syntax | Category::Eof | Category::Io => undecodable(&format!(
            "body: not JSON at line {} column {}",
            error.line(),
            error.column()
        )),
    }
}

/// An object's entries in their order, doubled keys included: a map would silently keep the last.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
