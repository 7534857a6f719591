//! The trace that a message and its log lines belong to, as W3C Trace Context writes it.

use uuid::Uuid;

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
        Self(format!(
            "00-{}-{}-01",
            Uuid::new_v4().simple(),
            new_span_id()
        ))
    }

    /// The trace context in `text`; `None` where it is malformed, which readers must treat as
    /// absent.
    pub fn parse(text: &str) -> Option<Self> {
        TraceFields::parse(text).map(|_| Self(text.to_owned()))
    }

    /// The same trace with a new span.
    #[must_use]
    pub fn child(&self) -> Self {
        // Only a well-formed context gets here.
        TraceFields::parse(&self.0).map_or_else(Self::new, |parent| {
            Self(format!(
                "00-{}-{}-{}",
                parent.trace,
                new_span_id(),
                parent.flags
            ))
        })
    }

    /// The whole header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The parts of a well-formed `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TraceFields<'t> {
    /// The trace's id.
    pub trace: &'t str,
    /// The span's id.
    pub span: &'t str,
    flags: &'t str,
}

impl<'t> TraceFields<'t> {
    /// The parts of `text`; `None` where it is malformed or of another version.
    pub fn parse(text: &'t str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_well_formed = version == "00"
            && is_id(trace, 32)
            && is_id(span, 16)
            && is_hex(flags, 2)
            && parts.next().is_none();
        is_well_formed.then_some(Self { trace, span, flags })
    }

    /// Whether the trace is recorded.
    pub fn is_sampled(&self) -> bool {
        u8::from_str_radix(self.flags, 16).is_ok_and(|flags| flags & 1 == 1)
    }
}

fn new_span_id() -> String {
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
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_child_stays_in_its_trace_and_has_a_span_of_its_own() {
        let parent = Traceparent::new();
        let child = parent.child();
        let fields = |of: &Traceparent| {
            let parts = TraceFields::parse(of.as_str()).unwrap();
            (parts.trace.to_owned(), parts.is_sampled())
        };
        assert_eq!(fields(&child), fields(&parent));
        assert_ne!(child, parent);
        assert_eq!(Traceparent::parse(child.as_str()), Some(child));
    }

    #[rstest]
    #[case("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some(true))]
    #[case("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", Some(false))]
    #[case("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None)]
    #[case("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", None)]
    #[case("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None)]
    #[case("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None)]
    #[case("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", None)]
    #[case("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", None)]
    #[case("00-4bf92f3577b34da6a3ce929d0e0e4736", None)]
    #[case("../../other-project/traces/x", None)]
    #[case("", None)]
    fn only_a_well_formed_traceparent_names_a_trace(
        #[case] text: &str,
        #[case] sampled: Option<bool>,
    ) {
        let fields = TraceFields::parse(text);
        assert_eq!(fields.map(|fields| fields.is_sampled()), sampled);
    }

    #[test]
    fn a_malformed_traceparent_is_as_if_absent() {
        let fine = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(Traceparent::parse(fine).is_some());
        assert_eq!(Traceparent::parse(&fine.to_uppercase()), None);
        assert_eq!(Traceparent::parse(&format!("{fine}-x")), None);
    }
}
