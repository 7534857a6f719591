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

/// The fields of one JSON object, taken one by one, so that every error can name its field and no value is echoed.
///
/// `null` is the same as absent, as in the JSON form of protocol buffers.
#[derive(Debug)]
pub(super) struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// The fields of `body`.
    pub(super) fn read(body: &[u8]) -> Result<Self, DecodeError> {
        if body.len() > MAX_BODY_BYTES {
            return Err(DecodeError::Permanent {
                reason: DeadLetterReason::TooLarge,
                detail: format!(
                    "body: {} bytes, expected at most {MAX_BODY_BYTES}",
                    body.len()
                ),
            });
        }
        if body.is_empty() {
            return Err(undecodable("body: empty, expected a JSON object"));
        }
        let text = std::str::from_utf8(body)
            .map_err(|_| undecodable("body: not UTF-8, expected a JSON object"))?;
        let Entries(entries) = serde_json::from_str(text).map_err(|error| not_an_object(&error))?;
        let mut fields = BTreeMap::new();
        for (name, value) in entries {
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
            Some(value) => value
                .as_u64()
                .filter(|id| *id > 0)
                .map(Some)
                .ok_or_else(|| invalid(name, "a whole number from 1")),
        }
    }

    /// A number from 0 to 100.
    pub(super) fn percent(&mut self, name: &str) -> Result<Option<f64>, DecodeError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(value) => value
                .as_f64()
                .filter(|percent| (0.0..=100.0).contains(percent))
                .map(Some)
                .ok_or_else(|| invalid(name, "a number from 0 to 100")),
        }
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
