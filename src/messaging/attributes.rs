//! The attributes on every message we publish.

use std::collections::BTreeMap;

use crate::telemetry::Traceparent;

/// The run a message belongs to.
pub const RUN: &str = "run";
/// What kind of message it is.
pub const KIND: &str = "kind";
/// What a message came to, where an outcome says so. Subscriptions can filter by attributes alone.
pub const RESULT: &str = "result";
/// The trace it belongs to, as W3C Trace Context writes it.
pub const TRACEPARENT: &str = "traceparent";

/// The attributes of a message: of `run`, of `kind` (such as `tick`, `user`, or an outcome's kind),
/// within a trace.
pub fn for_message(run: &str, kind: &str, traceparent: &Traceparent) -> BTreeMap<String, String> {
    [
        (RUN, run),
        (KIND, kind),
        (TRACEPARENT, traceparent.as_str()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// Whether Pub/Sub itself set the attribute `name`, as it does with three on every message of a
/// topic with a schema (`googclient_schemaname` and its like). Nobody else may publish such a name:
/// a copy that carries one is refused.
pub fn is_pubsubs_own(name: &str) -> bool {
    name.starts_with("goog")
}
