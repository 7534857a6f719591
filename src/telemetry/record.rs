//! What one log line says, before it takes a form.

use std::{borrow::Cow, error::Error, fmt, mem};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormattedFields, format::JsonFields},
    registry::{LookupSpan, Scope},
};

use super::causes;

/// What one log line says.
#[derive(Debug)]
pub(super) struct LogRecord {
    pub time: Timestamp,
    pub level: Level,
    /// The module that speaks.
    pub target: &'static str,
    pub file: Option<&'static str>,
    pub line: Option<u32>,
    /// The stable name of what happened, in snake case.
    pub event: Option<String>,
    pub message: Option<String>,
    /// The W3C trace context of the message that is worked on.
    pub traceparent: Option<String>,
    /// All else by name, of the event and the spans around it; the inner one wins.
    pub fields: Vec<(Cow<'static, str>, Value)>,
}

impl LogRecord {
    pub(super) fn gather<S>(
        context: &FmtContext<'_, S, JsonFields>,
        event: &Event<'_>,
        time: Timestamp,
    ) -> Self
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let mut fields = EventFields::default();
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            if let Some(formatted) = span.extensions().get::<FormattedFields<JsonFields>>() {
                let of_span: Option<Map<String, Value>> = serde_json::from_str(formatted).ok();
                let of_span = of_span.unwrap_or_default().into_iter();
                fields
                    .0
                    .extend(of_span.map(|(name, value)| (name.into(), value)));
            }
        }
        event.record(&mut fields);
        fields.order();
        let metadata = event.metadata();
        Self {
            time,
            level: *metadata.level(),
            target: metadata.target(),
            file: metadata.file(),
            line: metadata.line(),
            event: fields.take("event"),
            message: fields.take("message"),
            traceparent: fields.take("traceparent"),
            fields: fields.0,
        }
    }
}

/// A list and not a map: a line has some twenty fields, and each message writes one.
#[derive(Default)]
struct EventFields(Vec<(Cow<'static, str>, Value)>);

impl EventFields {
    /// By name, and of several of one name the last.
    fn order(&mut self) {
        self.0.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.0.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                mem::swap(later, kept);
            }
            same
        });
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(field, _)| field == name)?;
        Some(match self.0.remove(place).1 {
            Value::String(text) => text,
            other => other.to_string(),
        })
    }

    /// A crate that speaks through `log` has its place in the code added to its fields; it is of no
    /// use here, and names folders of the machine it was built on.
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        if field.name().starts_with("log.") {
            return;
        }
        self.0.push((field.name().into(), value.into()));
    }
}

impl Visit for EventFields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    /// With all its causes: the outermost error alone seldom says what happened.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, causes::on_one_line(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}
