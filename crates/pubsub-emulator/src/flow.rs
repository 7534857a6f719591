//! Flow control: how much one stream may hold at a time.

/// Names a stream within its broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ConsumerId(pub(super) u64);

/// A stream's limits and what it holds. A limit of zero or less is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamConsumer {
    limit: FlowCapacity,
    held: FlowCapacity,
}

/// A number of messages and of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FlowCapacity {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl StreamConsumer {
    /// Reads `max_outstanding_messages` and `max_outstanding_bytes`.
    pub(super) fn new(messages: i64, bytes: i64) -> Self {
        Self {
            limit: FlowCapacity {
                messages: limit(messages),
                bytes: limit(bytes),
            },
            held: FlowCapacity {
                messages: 0,
                bytes: 0,
            },
        }
    }

    /// What of `most` the stream has room for.
    pub(super) fn room(&self, most: FlowCapacity) -> FlowCapacity {
        FlowCapacity {
            messages: most
                .messages
                .min(self.limit.messages.saturating_sub(self.held.messages)),
            bytes: most
                .bytes
                .min(self.limit.bytes.saturating_sub(self.held.bytes)),
        }
    }

    pub(super) fn took(&mut self, bytes: usize) {
        self.held.messages += 1;
        self.held.bytes += bytes;
    }

    pub(super) fn gave_back(&mut self, bytes: usize) {
        self.held.messages = self.held.messages.saturating_sub(1);
        self.held.bytes = self.held.bytes.saturating_sub(bytes);
    }
}

impl FlowCapacity {
    /// Whether one more message fits. The last may pass the bytes, or a message larger than the
    /// limit would wait for ever.
    pub(super) const fn any(self) -> bool {
        self.messages > 0 && self.bytes > 0
    }

    pub(super) fn take(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

fn limit(wire: i64) -> usize {
    usize::try_from(wire)
        .ok()
        .filter(|limit| *limit > 0)
        .unwrap_or(usize::MAX)
}
