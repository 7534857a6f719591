//! The attributes on every message we publish.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Delivery;

/// The run a message belongs to.
pub const RUN: &str = "run";
/// What kind of message it is.
pub const KIND: &str = "kind";
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

/// A W3C trace context, version 00 (<https://www.w3.org/TR/trace-context/#traceparent-header>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traceparent(String);

impl Traceparent {
    /// A new trace with its first span, sampled.
    #[expect(
        clippy::new_without_default,
        reason = "two defaults would not be equal"
    )]
    pub fn new() -> Self {
        Self(format!("00-{}-{}-01", Uuid::new_v4().simple(), span_id()))
    }

    /// The trace context in `text`; `None` where it is malformed, which readers must treat as
    /// absent.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let well_formed = parts.next() == Some("00")
            && parts.next().is_some_and(|trace| is_id(trace, 32))
            && parts.next().is_some_and(|span| is_id(span, 16))
            && parts.next().is_some_and(|flags| is_hex(flags, 2))
            && parts.next().is_none();
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The trace that `delivery` belongs to, with a span of our own; a new trace if it names none.
    pub fn continuing(delivery: &Delivery) -> Self {
        delivery
            .attributes
            .get(TRACEPARENT)
            .and_then(|text| Self::parse(text))
            .map_or_else(Self::new, |parent| parent.child())
    }

    /// The same trace with a new span.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(format!(
            "00-{}-{}-{}",
            self.trace_id(),
            span_id(),
            self.flags()
        ))
    }

    /// The trace's id: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.0.split('-').nth(1).unwrap_or_default()
    }

    /// The whole header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn flags(&self) -> &str {
        self.0.split('-').nth(3).unwrap_or("00")
    }
}

fn span_id() -> String {
    // Told apart, not kept secret: the system's own random numbers would be a call for each
    // message.
    format!("{:016x}", fastrand::u64(1..))
}

fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|byte| byte != b'0')
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_stays_in_its_trace_and_has_a_span_of_its_own() {
        let parent = Traceparent::new();
        let child = parent.child();
        assert_eq!(child.trace_id(), parent.trace_id());
        assert_ne!(child, parent);
        assert_eq!(Traceparent::parse(child.as_str()), Some(child));
    }

    #[test]
    fn a_malformed_traceparent_is_as_if_absent() {
        let fine = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(Traceparent::parse(fine).is_some());
        for text in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(Traceparent::parse(text), None, "{text}");
        }
    }
}
