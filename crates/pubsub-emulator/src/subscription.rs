//! A subscription: its settings, its queue, and who waits for either.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use google_cloud_googleapis::pubsub::v1::{ReceivedMessage, Subscription as Settings};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::ack_id::AckId;
use super::counts::DeliveryCounts;
use super::filter::MessageFilter;
use super::flow::{ConsumerId, FlowCapacity, StreamConsumer};
use super::message::StoredMessage;
use super::names::ResourceName;
use super::policy::DeliveryPolicy;
use super::queue::{ExhaustedMessage, LeaseId, MessageQueue, QueuedDelivery};
use super::subscription_settings as settings;

/// A live subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) name: ResourceName,
    /// Tells this subscription's ack ids from those of others, also of one with the same name.
    number: u64,
    filter: MessageFilter,
    state: Mutex<SubscriptionState>,
    consumers: AtomicU64,
    ready: Notify,
    timers: Notify,
    deleted: CancellationToken,
}

#[derive(Debug)]
struct SubscriptionState {
    settings: Settings,
    queue: MessageQueue,
    /// The instant the timekeeper sleeps until.
    armed: Option<Instant>,
}

impl Subscription {
    /// Makes a subscription of settings that `subscription_settings` has accepted.
    pub(super) fn new(name: ResourceName, number: u64, accepted: Settings) -> Result<Self, Status> {
        let queue = MessageQueue::new(DeliveryPolicy::of(&accepted));
        Ok(Self {
            name,
            number,
            filter: MessageFilter::parse(&accepted.filter)?,
            state: Mutex::new(SubscriptionState {
                settings: accepted,
                queue,
                armed: None,
            }),
            consumers: AtomicU64::new(0),
            ready: Notify::new(),
            timers: Notify::new(),
            deleted: CancellationToken::new(),
        })
    }

    pub(super) fn settings(&self) -> Settings {
        self.lock().settings.clone()
    }

    /// Changes the fields that the mask names.
    pub(super) fn update(&self, update: &Settings, paths: &[String]) -> Result<Settings, Status> {
        let mut state = self.lock();
        let merged = settings::merge(&state.settings, update, paths)?;
        state.queue.policy = DeliveryPolicy::of(&merged);
        state.settings = merged.clone();
        Ok(merged)
    }

    /// The topic is gone; what was published before stays.
    pub(super) fn orphan(&self) {
        settings::DELETED_TOPIC.clone_into(&mut self.lock().settings.topic);
    }

    pub(super) fn policy(&self) -> DeliveryPolicy {
        self.lock().queue.policy.clone()
    }

    pub(super) fn counts(&self) -> DeliveryCounts {
        self.lock().queue.counts()
    }

    /// Takes in those of `messages` that pass the filter.
    pub(super) fn publish(&self, messages: &[Arc<StoredMessage>]) {
        let mut state = self.lock();
        for message in messages {
            if self.filter.matches(&message.wire.attributes) {
                state.queue.publish(Arc::clone(message));
            }
        }
        drop(state);
        self.ready.notify_waiters();
    }

    /// Leases waiting messages until `lease` from now, or for the subscription's own deadline.
    pub(super) fn lease(
        &self,
        lease: Option<Duration>,
        consumer: Option<ConsumerId>,
        most: FlowCapacity,
    ) -> Vec<ReceivedMessage> {
        let mut state = self.lock();
        let lease = lease.unwrap_or(state.queue.policy.ack_deadline);
        let counted = state.queue.policy.dead_letter.is_some();
        let deliveries = state.queue.lease(Instant::now(), lease, consumer, most);
        self.rearm(&mut state);
        drop(state);
        deliveries
            .iter()
            .map(|delivery| self.received(delivery, counted))
            .collect()
    }

    /// Acknowledges. Ids that are no longer good are passed over.
    pub(super) fn acknowledge(&self, ids: &[AckId]) {
        let mut state = self.lock();
        for ticket in self.tickets(ids) {
            state.queue.acknowledge(ticket);
        }
        drop(state);
        // A stream at its limit waits for room, not for messages.
        self.ready.notify_waiters();
    }

    /// Moves deadlines; zero seconds is a nack. Returns what has died of it.
    pub(super) fn modify(&self, ids: &[AckId], seconds: Duration) -> Vec<ExhaustedMessage> {
        let now = Instant::now();
        let mut dead = Vec::new();
        let mut state = self.lock();
        for ticket in self.tickets(ids) {
            if seconds.is_zero() {
                dead.extend(state.queue.nack(ticket, now));
            } else {
                state.queue.extend(ticket, now + seconds);
            }
        }
        self.rearm(&mut state);
        drop(state);
        self.ready.notify_waiters();
        dead
    }

    /// Ends every lease now. Returns how many, and what has died of it.
    pub(super) fn lapse(&self) -> (usize, Vec<ExhaustedMessage>) {
        let mut state = self.lock();
        let lapsed = state.queue.lapse(Instant::now());
        self.rearm(&mut state);
        drop(state);
        self.ready.notify_waiters();
        lapsed
    }

    /// Sets every message published at `to` or later to be delivered, and no earlier one.
    pub(super) fn seek(&self, to: SystemTime) {
        self.lock().queue.seek(to);
        self.ready.notify_waiters();
    }

    /// Takes back a message that no dead-letter topic would have.
    pub(super) fn put_back(&self, dead: ExhaustedMessage) {
        self.lock().queue.put_back(dead);
        self.ready.notify_waiters();
    }

    pub(super) fn enter(&self, consumer: StreamConsumer) -> ConsumerId {
        let id = ConsumerId(self.consumers.fetch_add(1, Ordering::Relaxed));
        self.lock().queue.enter(id, consumer);
        id
    }

    pub(super) fn leave(&self, consumer: ConsumerId) {
        self.lock().queue.leave(consumer);
    }

    /// Completes when there may be something to lease. Enable it before looking, or a message
    /// that arrives between the look and the wait goes unnoticed.
    pub(super) fn readied(&self) -> Notified<'_> {
        self.ready.notified()
    }

    pub(super) fn delete(&self) {
        self.deleted.cancel();
    }

    /// Completes when the subscription is deleted.
    pub(super) async fn deleted(&self) {
        self.deleted.cancelled().await;
    }

    /// Ends leases and delays as their time comes, until the subscription is deleted. `forward`
    /// gets the messages that have died.
    pub(super) async fn keep_time(&self, forward: impl Fn(Vec<ExhaustedMessage>)) {
        loop {
            let (dead, next) = self.advance();
            if !dead.is_empty() {
                forward(dead);
            }
            let sleep = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.deleted.cancelled() => return,
                () = self.timers.notified() => {}
                () = sleep => {}
            }
        }
    }

    fn advance(&self) -> (Vec<ExhaustedMessage>, Option<Instant>) {
        let mut state = self.lock();
        let dead = state.queue.advance(Instant::now());
        state.armed = state.queue.next_timer();
        let next = state.armed;
        drop(state);
        self.ready.notify_waiters();
        (dead, next)
    }

    /// Wakes the timekeeper if it would sleep too long.
    fn rearm(&self, state: &mut SubscriptionState) {
        let next = state.queue.next_timer();
        if next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed)) {
            self.timers.notify_one();
        }
    }

    fn received(&self, delivery: &QueuedDelivery, counted: bool) -> ReceivedMessage {
        ReceivedMessage {
            ack_id: AckId {
                subscription: self.number,
                ticket: delivery.ticket,
            }
            .to_string(),
            message: Some(delivery.message.wire.clone()),
            // The service counts for everybody, but tells only under a dead-letter policy.
            delivery_attempt: if counted {
                i32::try_from(delivery.attempt).unwrap_or(i32::MAX)
            } else {
                0
            },
        }
    }

    fn tickets(&self, ids: &[AckId]) -> impl Iterator<Item = LeaseId> {
        ids.iter()
            .filter(|id| id.subscription == self.number)
            .map(|id| id.ticket)
    }

    fn lock(&self) -> MutexGuard<'_, SubscriptionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
