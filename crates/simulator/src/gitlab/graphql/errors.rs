//! Errors as GraphQL answers them: 200, with a message, where in the query, and on which path.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::super::json::JsonRow;

/// A place in the query's text, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct SourcePosition {
    line: usize,
    column: usize,
}

impl SourcePosition {
    /// Of the character that begins at this byte.
    pub(super) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

impl fmt::Display for SourcePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.line, self.column)
    }
}

/// One entry of `errors`.
#[derive(Clone, Debug)]
pub(super) struct QueryError {
    message: String,
    locations: Option<Vec<SourcePosition>>,
    path: Vec<Value>,
    extensions: Option<Value>,
}

impl QueryError {
    /// Of the query as a whole.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            locations: None,
            path: Vec::new(),
            extensions: None,
        }
    }

    /// Of a text that has no place to point at.
    pub(super) fn of_document(message: &str) -> Self {
        Self {
            locations: Some(Vec::new()),
            ..Self::new(message)
        }
    }

    /// Points into the query.
    pub(super) fn at(mut self, place: SourcePosition) -> Self {
        self.locations = Some(vec![place]);
        self
    }

    /// The keys that lead there.
    pub(super) fn on<'a>(mut self, path: impl IntoIterator<Item = &'a str>) -> Self {
        self.path = path.into_iter().map(|key| json!(key)).collect();
        self
    }

    /// The parser's own classification.
    pub(super) fn with(mut self, extensions: Value) -> Self {
        self.extensions = Some(extensions);
        self
    }

    pub(super) fn row(&self) -> JsonRow {
        let mut row = JsonRow::default();
        row.push("message", &self.message);
        if let Some(locations) = &self.locations {
            row.push("locations", locations);
        }
        if !self.path.is_empty() {
            row.push("path", &self.path);
        }
        if let Some(extensions) = &self.extensions {
            row.push("extensions", extensions);
        }
        row
    }
}
