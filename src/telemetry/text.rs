//! A log line as a person reads it.

use std::{borrow::Cow, fmt::Write};

use serde_json::Value;
use tracing::Level;

use super::{escape::escape, record::LogRecord};

/// Time, level, event, message, then the fields by name.
pub(super) fn line(record: &LogRecord, colour: bool) -> String {
    let paint = TextPaint { colour };
    let mut line = paint.dim(&format!("{:.3}", record.time));
    line.push(' ');
    line += &paint.level(record.level);
    for part in [&record.event, &record.message].into_iter().flatten() {
        line.push(' ');
        line += &escape(part);
    }
    let traceparent = record
        .traceparent
        .as_ref()
        .map(|text| ("traceparent", Value::from(text.as_str())));
    let fields = record
        .fields
        .iter()
        .map(|(name, value)| (name.as_ref(), value.clone()));
    for (name, value) in fields.chain(traceparent) {
        // Memory does not fail to be written.
        let _ = write!(
            line,
            " {}{}",
            paint.dim(&format!("{}=", escape(name))),
            value_text(&value)
        );
    }
    line
}

/// Bare where that cannot be misread, quoted otherwise.
fn value_text(value: &Value) -> String {
    let text: Cow<'_, str> = match value {
        Value::String(text) => {
            let bare = !text.is_empty()
                && !text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '=' | '\\'));
            if bare {
                text.as_str().into()
            } else {
                format!("{text:?}").into()
            }
        }
        other => other.to_string().into(),
    };
    escape(&text).into_owned()
}

struct TextPaint {
    colour: bool,
}

impl TextPaint {
    fn dim(&self, text: &str) -> String {
        self.with("2", text)
    }

    fn level(&self, level: Level) -> String {
        match level {
            Level::ERROR => self.with("31", "ERROR"),
            Level::WARN => self.with("33", " WARN"),
            Level::INFO => self.with("32", " INFO"),
            Level::DEBUG => self.with("34", "DEBUG"),
            Level::TRACE => self.with("35", "TRACE"),
        }
    }

    /// With the number of an ANSI attribute.
    fn with(&self, attribute: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{attribute}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
