//! JSON as GitLab writes it: keys in the order of its entities, and `<`, `>`, `&` and the two line
//! separators escaped.

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

/// An object whose keys keep their order.
#[derive(Clone, Debug, Default)]
pub(super) struct JsonRow(Vec<(String, Box<RawValue>)>);

impl JsonRow {
    /// Adds a key behind the others. A value that cannot be written is left out.
    pub(super) fn push(&mut self, key: &str, value: &impl Serialize) {
        if let Ok(value) = to_raw_value(value) {
            self.0.push((key.to_owned(), value));
        }
    }

    /// The keys of `object` that are in `order`, in that order.
    pub(super) fn ordered(object: &Value, order: &[&str]) -> Self {
        let mut row = Self::default();
        for key in order {
            if let Some(value) = object.get(*key) {
                row.push(key, value);
            }
        }
        row
    }
}

impl Serialize for JsonRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// An answer with this status and body.
pub(super) fn respond(status: StatusCode, body: &impl Serialize) -> Response {
    let text = serde_json::to_string(body).unwrap_or_default();
    (status, [(CONTENT_TYPE, "application/json")], escaped(&text)).into_response()
}

/// These characters stand in JSON nowhere but in texts.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            other => escaped.push(other),
        }
    }
    escaped
}
