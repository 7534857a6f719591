//! What a test may ask about a subscription.

/// The messages of one subscription, counted since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Messages that entered: published to the topic and passed by the filter.
    pub published: u64,
    /// Deliveries, redeliveries among them.
    pub delivered: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Deliveries given back by a deadline of zero.
    pub nacked: u64,
    /// Deliveries whose lease ran out.
    pub lapsed: u64,
    /// Messages forwarded to the dead-letter topic.
    pub dead_lettered: u64,
    /// Messages leased now.
    pub outstanding: usize,
    /// Messages not leased now: ready, or held back by the retry policy.
    pub waiting: usize,
    /// Streams open now. One whose client was killed counts until the broker has noticed.
    pub streams: usize,
}
