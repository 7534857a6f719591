//! A log line as Cloud Logging reads it, see
//! <https://docs.cloud.google.com/logging/docs/structured-logging#special-payload-fields>.

use serde::{
    Serialize,
    ser::{SerializeMap, Serializer},
};
use tracing::Level;

use super::{escape::escape_json, record::LogRecord, traceparent::TraceFields};

/// Names that the line itself uses.
const TAKEN: [&str; 3] = ["severity", "time", "target"];

/// One JSON object without a line break in it.
pub(super) fn line(record: &LogRecord, project: Option<&str>) -> String {
    let mut bytes = Vec::with_capacity(1024);
    // Neither can fail: the writer is memory, every key is a string.
    let written = object(
        record,
        project,
        &mut serde_json::Serializer::new(&mut bytes),
    );
    let text = written.ok().and_then(|()| String::from_utf8(bytes).ok());
    escape_json(&text.unwrap_or_default()).into_owned()
}

fn object<S: Serializer>(
    record: &LogRecord,
    project: Option<&str>,
    serializer: S,
) -> Result<(), S::Error> {
    let mut line = serializer.serialize_map(None)?;
    line.serialize_entry("severity", severity(record.level))?;
    line.serialize_entry("time", &record.time)?;
    if let Some(event) = &record.event {
        line.serialize_entry("event", event)?;
    }
    // Cloud Logging shows the message in its list; without one the event's name has to do.
    if let Some(message) = record.message.as_ref().or(record.event.as_ref()) {
        line.serialize_entry("message", message)?;
    }
    for (name, value) in &record.fields {
        if TAKEN.contains(&name.as_ref()) {
            line.serialize_entry(&format!("field_{name}"), value)?;
        } else {
            line.serialize_entry(name, value)?;
        }
    }
    line.serialize_entry("target", &record.target)?;
    if let (Some(file), Some(number)) = (record.file, record.line) {
        let place = SourceLocation {
            file,
            function: record.target,
            line: number.to_string(),
        };
        line.serialize_entry("logging.googleapis.com/sourceLocation", &place)?;
    }
    if let Some(traceparent) = &record.traceparent {
        line.serialize_entry("traceparent", traceparent)?;
        if let (Some(project), Some(trace)) = (project, TraceFields::parse(traceparent)) {
            line.serialize_entry(
                "logging.googleapis.com/trace",
                &format!("projects/{project}/traces/{}", trace.trace),
            )?;
            line.serialize_entry("logging.googleapis.com/spanId", trace.span)?;
            line.serialize_entry("logging.googleapis.com/trace_sampled", &trace.is_sampled())?;
        }
    }
    line.end()?;
    Ok(())
}

/// See
/// <https://docs.cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#logentrysourcelocation>.
#[derive(Serialize)]
struct SourceLocation {
    file: &'static str,
    function: &'static str,
    /// A string, as JSON writes all of Google's 64-bit numbers.
    line: String,
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}
