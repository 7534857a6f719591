//! The messages of one subscription: who waits, who is leased until when, who is done.
//!
//! No clock, no lock, no task: time comes in as a value. No call looks at more than the messages
//! it moves. Tickets and timers are left behind when a message moves on, and known as stale by
//! the generation they carry.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::counts::DeliveryCounts;
use super::flow::{ConsumerId, FlowCapacity, StreamConsumer};
use super::message::StoredMessage;
use super::policy::DeliveryPolicy;

/// One delivery of one message: what an ack id stands for. The generation counts deliveries and
/// nacks, so an id is good until the message is nacked or delivered again, as with the emulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LeaseId {
    pub(super) message: u64,
    pub(super) generation: u32,
}

/// A message handed to a consumer.
#[derive(Clone, Debug)]
pub(super) struct QueuedDelivery {
    pub(super) ticket: LeaseId,
    pub(super) message: Arc<StoredMessage>,
    pub(super) attempt: u32,
}

/// A message that has used up its attempts and left the queue.
#[derive(Debug)]
pub(super) struct ExhaustedMessage {
    pub(super) message: Arc<StoredMessage>,
    pub(super) attempts: u32,
    generation: u32,
}

/// The queue of one subscription.
#[derive(Debug)]
pub(super) struct MessageQueue {
    pub(super) policy: DeliveryPolicy,
    entries: HashMap<u64, QueueEntry>,
    /// Acknowledged and retained, with the generation that their old tickets have.
    acked: BTreeMap<u64, (Arc<StoredMessage>, u32)>,
    ready: VecDeque<LeaseId>,
    timers: BinaryHeap<Reverse<(Instant, LeaseId)>>,
    consumers: HashMap<ConsumerId, StreamConsumer>,
    counts: DeliveryCounts,
}

#[derive(Debug)]
struct QueueEntry {
    message: Arc<StoredMessage>,
    attempts: u32,
    generation: u32,
    place: EntryState,
}

#[derive(Clone, Copy, Debug)]
enum EntryState {
    Ready,
    Delayed {
        until: Instant,
    },
    Leased {
        until: Instant,
        consumer: Option<ConsumerId>,
    },
}

impl EntryState {
    const fn until(self) -> Option<Instant> {
        match self {
            Self::Ready => None,
            Self::Delayed { until } | Self::Leased { until, .. } => Some(until),
        }
    }
}

impl MessageQueue {
    pub(super) fn new(policy: DeliveryPolicy) -> Self {
        Self {
            policy,
            entries: HashMap::new(),
            acked: BTreeMap::new(),
            ready: VecDeque::new(),
            timers: BinaryHeap::new(),
            consumers: HashMap::new(),
            counts: DeliveryCounts::default(),
        }
    }

    /// Takes in a message, ready for delivery.
    pub(super) fn publish(&mut self, message: Arc<StoredMessage>) {
        self.counts.published += 1;
        self.put(message, 0, 0);
    }

    /// Takes back a dead message that no topic would have.
    pub(super) fn put_back(&mut self, dead: ExhaustedMessage) {
        self.counts.dead_lettered -= 1;
        self.put(dead.message, dead.attempts, dead.generation + 1);
    }

    /// Hands out at most `most` waiting messages, less if the consumer has no room.
    pub(super) fn lease(
        &mut self,
        now: Instant,
        lease: Duration,
        consumer: Option<ConsumerId>,
        most: FlowCapacity,
    ) -> Vec<QueuedDelivery> {
        let mut room = match consumer.and_then(|id| self.consumers.get(&id)) {
            Some(consumer) => consumer.room(most),
            None => most,
        };
        let mut out = Vec::new();
        while room.any() {
            let Some(delivery) = self.lease_next(now + lease, consumer) else {
                break;
            };
            room.take(delivery.message.bytes);
            out.push(delivery);
        }
        out
    }

    /// Ends a message for good. False for a ticket that is no longer good.
    pub(super) fn acknowledge(&mut self, ticket: LeaseId) -> bool {
        if self.current(ticket).is_none() {
            return false;
        }
        self.finish(ticket.message);
        true
    }

    /// Leases a message until `until`, longer or shorter than it was.
    pub(super) fn extend(&mut self, ticket: LeaseId, until: Instant) {
        let Some(entry) = self.current(ticket) else {
            return;
        };
        let consumer = match entry.place {
            EntryState::Leased { consumer, .. } => consumer,
            EntryState::Ready | EntryState::Delayed { .. } => None,
        };
        entry.place = EntryState::Leased { until, consumer };
        self.arm(until, ticket);
    }

    /// Gives a message back before its lease is over.
    pub(super) fn nack(&mut self, ticket: LeaseId, now: Instant) -> Option<ExhaustedMessage> {
        let entry = self.current(ticket)?;
        if !matches!(entry.place, EntryState::Leased { .. }) {
            return None;
        }
        entry.generation += 1;
        let ticket = LeaseId {
            generation: entry.generation,
            ..ticket
        };
        self.counts.nacked += 1;
        self.retry(ticket, now)
    }

    /// Moves what time has moved: ended delays become ready, lapsed leases are retried.
    pub(super) fn advance(&mut self, now: Instant) -> Vec<ExhaustedMessage> {
        let mut dead = Vec::new();
        while let Some(Reverse((at, ticket))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            match self.due(at, ticket) {
                Some(EntryState::Delayed { .. }) => self.make_ready(ticket),
                Some(EntryState::Leased { .. }) => {
                    self.counts.lapsed += 1;
                    dead.extend(self.retry(ticket, now));
                }
                Some(EntryState::Ready) | None => {}
            }
        }
        dead
    }

    /// Ends every lease now, as if its time were over. Returns how many, and what has died of it.
    pub(super) fn lapse(&mut self, now: Instant) -> (usize, Vec<ExhaustedMessage>) {
        let mut leased: Vec<LeaseId> = self
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.place, EntryState::Leased { .. }))
            .map(|(message, entry)| LeaseId {
                message: *message,
                generation: entry.generation,
            })
            .collect();
        leased.sort_unstable();
        self.counts.lapsed += leased.len() as u64;
        let dead = leased
            .iter()
            .filter_map(|ticket| self.retry(*ticket, now))
            .collect();
        (leased.len(), dead)
    }

    /// When [`Queue::advance`] next has something to do.
    pub(super) fn next_timer(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, ticket))) = self.timers.peek().copied() {
            if self.due(at, ticket).is_some() {
                return Some(at);
            }
            self.timers.pop();
        }
        None
    }

    /// Registers a stream and its limits.
    pub(super) fn enter(&mut self, id: ConsumerId, consumer: StreamConsumer) {
        self.consumers.insert(id, consumer);
    }

    /// Forgets a stream. What it holds stays leased until the lease is over.
    pub(super) fn leave(&mut self, id: ConsumerId) {
        self.consumers.remove(&id);
    }

    pub(super) fn counts(&self) -> DeliveryCounts {
        let outstanding = self
            .entries
            .values()
            .filter(|entry| matches!(entry.place, EntryState::Leased { .. }))
            .count();
        DeliveryCounts {
            outstanding,
            waiting: self.entries.len() - outstanding,
            streams: self.consumers.len(),
            ..self.counts
        }
    }

    fn put(&mut self, message: Arc<StoredMessage>, attempts: u32, generation: u32) {
        let ticket = LeaseId {
            message: message.id,
            generation,
        };
        let entry = QueueEntry {
            message,
            attempts,
            generation,
            place: EntryState::Ready,
        };
        self.entries.insert(ticket.message, entry);
        self.ready.push_back(ticket);
    }

    fn lease_next(
        &mut self,
        until: Instant,
        consumer: Option<ConsumerId>,
    ) -> Option<QueuedDelivery> {
        loop {
            let stale = self.ready.pop_front()?;
            let Some(entry) = self.entries.get_mut(&stale.message) else {
                continue;
            };
            if entry.generation != stale.generation || !matches!(entry.place, EntryState::Ready) {
                continue;
            }
            entry.generation += 1;
            entry.attempts += 1;
            entry.place = EntryState::Leased { until, consumer };
            let delivery = QueuedDelivery {
                ticket: LeaseId {
                    message: stale.message,
                    generation: entry.generation,
                },
                message: Arc::clone(&entry.message),
                attempt: entry.attempts,
            };
            if let Some(consumer) = consumer.and_then(|id| self.consumers.get_mut(&id)) {
                consumer.took(delivery.message.bytes);
            }
            self.counts.delivered += 1;
            self.arm(until, delivery.ticket);
            return Some(delivery);
        }
    }

    /// A delivery has come to nothing: the message dies, waits or is ready again.
    fn retry(&mut self, ticket: LeaseId, now: Instant) -> Option<ExhaustedMessage> {
        let entry = self.entries.get(&ticket.message)?;
        let attempts = entry.attempts;
        if self.policy.exhausted(attempts) {
            let entry = self.entries.remove(&ticket.message)?;
            self.give_back(&entry);
            self.counts.dead_lettered += 1;
            return Some(ExhaustedMessage {
                message: entry.message,
                attempts,
                generation: entry.generation,
            });
        }
        self.free(ticket);
        let delay = self.policy.delay(attempts);
        if delay.is_zero() {
            self.make_ready(ticket);
        } else {
            let until = now + delay;
            self.move_to(ticket, EntryState::Delayed { until });
            self.arm(until, ticket);
        }
        None
    }

    fn make_ready(&mut self, ticket: LeaseId) {
        self.move_to(ticket, EntryState::Ready);
        self.ready.push_back(ticket);
    }

    fn move_to(&mut self, ticket: LeaseId, place: EntryState) {
        if let Some(entry) = self.current(ticket) {
            entry.place = place;
        }
    }

    fn free(&mut self, ticket: LeaseId) {
        if let Some(entry) = self.entries.get(&ticket.message) {
            let (place, bytes) = (entry.place, entry.message.bytes);
            free_room(&mut self.consumers, place, bytes);
        }
    }

    fn give_back(&mut self, entry: &QueueEntry) {
        free_room(&mut self.consumers, entry.place, entry.message.bytes);
    }

    fn current(&mut self, ticket: LeaseId) -> Option<&mut QueueEntry> {
        self.entries
            .get_mut(&ticket.message)
            .filter(|entry| entry.generation == ticket.generation)
    }

    /// Where the message stands, if this timer is still the one that counts.
    fn due(&mut self, at: Instant, ticket: LeaseId) -> Option<EntryState> {
        let place = self.current(ticket)?.place;
        (place.until() == Some(at)).then_some(place)
    }

    fn arm(&mut self, at: Instant, ticket: LeaseId) {
        self.timers.push(Reverse((at, ticket)));
        // Acknowledged messages leave their timers behind. Sweeping only when stale ones are the
        // majority keeps the cost of each call constant on average.
        if self.timers.len() > 2 * self.entries.len() + 1_024 {
            let timers = std::mem::take(&mut self.timers);
            self.timers = timers
                .into_iter()
                .filter(|Reverse((at, ticket))| self.due(*at, *ticket).is_some())
                .collect();
        }
    }
}

fn free_room(consumers: &mut HashMap<ConsumerId, StreamConsumer>, place: EntryState, bytes: usize) {
    if let EntryState::Leased {
        consumer: Some(id), ..
    } = place
        && let Some(consumer) = consumers.get_mut(&id)
    {
        consumer.gave_back(bytes);
    }
}

mod seek;
#[cfg(test)]
mod tests;
