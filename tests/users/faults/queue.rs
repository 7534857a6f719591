//! A subscription in memory, as bad as Pub/Sub may be: twice, late, in any order, with acks that
//! are lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use lookup_gitlab_sync::messaging::{
    DeadLetter, DeadLetterReason, Delivery, PubSubError, Stage, Traceparent,
    consumer::{DeadLetters, Lease, Records},
    wire::{OutcomeKind, SyncOutcome, UserSync},
};
use rand::{Rng, seq::IndexedRandom};
use tokio::time::{Instant, sleep};

use lookup_gitlab_sync::users::fan_out::UserMessages;

use super::{ledger::Action, upstreams::Upstreams};

/// How long a lease lasts that nobody ends: its process was killed.
const LEASE: Duration = Duration::from_mins(1);

/// Among so many messages the next one is drawn.
const AMONG: usize = 100;

/// One subscription. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    name: &'static str,
    pub upstreams: Arc<Upstreams>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    published: u64,
    /// Nothing that the service publishes is confirmed.
    refuses: bool,
    most_attempts: u32,
    /// What is not done with.
    messages: BTreeMap<u64, Message>,
    recorded: BTreeSet<String>,
    dead: BTreeMap<String, DeadLetterReason>,
    /// The accounts that dead letters name.
    dead_accounts: BTreeSet<u64>,
}

struct Message {
    body: Bytes,
    attributes: BTreeMap<String, String>,
    published: Timestamp,
    attempts: u32,
    place: ListingPosition,
}

#[derive(Clone, Copy, PartialEq)]
enum ListingPosition {
    /// To be delivered from then on.
    Waiting(Instant),
    Leased,
}

impl Queue {
    pub fn new(name: &'static str, upstreams: &Arc<Upstreams>) -> Self {
        Self {
            name,
            upstreams: Arc::clone(upstreams),
            inner: Arc::default(),
        }
    }

    /// Publishes a message and answers its id.
    pub fn put(&self, body: Bytes, attributes: BTreeMap<String, String>) -> String {
        self.plan(&body);
        let mut inner = self.inner.lock().unwrap();
        let id = inner.published;
        inner.published += 1;
        let message = Message {
            body,
            attributes,
            published: Timestamp::now(),
            attempts: 0,
            place: ListingPosition::Waiting(Instant::now()),
        };
        inner.messages.insert(id, message);
        drop(inner);
        self.upstreams.lock().figures.messages += 1;
        self.upstreams
            .trace(format!("{} message {id} published", self.name));
        format!("{}-{id}", self.name)
    }

    /// Takes down which changes the message allows.
    fn plan(&self, body: &[u8]) {
        let Ok(request) = serde_json::from_slice::<UserSync>(body) else {
            return;
        };
        if request.dry_run == Some(true) {
            return;
        }
        let by_name = request.username.or(request.crsid).and_then(|name| {
            let accounts = self.upstreams.gitlab.snapshot();
            let account = accounts.values().find(|account| account.username == name)?;
            Some(account.id)
        });
        let Some(id) = request.gitlab_user_id.or(by_name) else {
            return;
        };
        let planned = &mut self.upstreams.lock().planned;
        if matches!(request.planned.as_deref(), Some("block") | None) {
            planned.insert((id, Action::Block));
        }
        if matches!(request.planned.as_deref(), Some("unblock") | None) {
            planned.insert((id, Action::Unblock));
        }
    }

    /// Any message whose time has come, and its lease.
    pub fn lease(&self) -> Option<(Arc<Delivery>, Leased)> {
        let now = Instant::now();
        let mut inner = self.inner.lock().unwrap();
        let ready: Vec<u64> = inner
            .messages
            .iter()
            .filter(|(_, message)| matches!(message.place, ListingPosition::Waiting(from) if from <= now))
            .map(|(id, _)| *id)
            .take(AMONG)
            .collect();
        let id = *ready.choose(&mut self.upstreams.lock().rng)?;
        let message = inner.messages.get_mut(&id).unwrap();
        let (twice, unknown) = {
            let mut upstreams = self.upstreams.lock();
            upstreams.figures.deliveries += 1;
            let storm = upstreams.meddling > 0.0;
            (
                storm && upstreams.rng.random_bool(0.05),
                upstreams.rng.random_bool(0.1),
            )
        };
        message.attempts += 1;
        let attempts = message.attempts;
        message.place = if twice {
            ListingPosition::Waiting(now)
        } else {
            ListingPosition::Leased
        };
        let delivery = Delivery {
            message_id: format!("{}-{id}", self.name),
            body: message.body.clone(),
            attributes: message.attributes.clone(),
            publish_time: Some(message.published),
            delivery_attempt: (!unknown).then_some(message.attempts),
        };
        inner.most_attempts = inner.most_attempts.max(attempts);
        let lease = Leased {
            queue: self.clone(),
            id,
            ended: false,
        };
        Some((Arc::new(delivery), lease))
    }

    /// From now on what the service publishes is lost, and it is told so; or no longer.
    pub fn refuse(&self, refuses: bool) {
        self.inner.lock().unwrap().refuses = refuses;
    }

    pub fn is_empty(&self) -> bool {
        self.inner.lock().unwrap().messages.is_empty()
    }

    /// The most deliveries that any message has had so far.
    pub fn most_attempts(&self) -> u32 {
        self.inner.lock().unwrap().most_attempts
    }

    /// What was dead-lettered and why.
    pub fn dead(&self) -> Vec<DeadLetterReason> {
        self.inner.lock().unwrap().dead.values().copied().collect()
    }

    /// The accounts that dead letters name.
    pub fn dead_accounts(&self) -> Vec<u64> {
        let inner = self.inner.lock().unwrap();
        inner.dead_accounts.iter().copied().collect()
    }

    /// Every one of `poison` must be a dead letter for its reason.
    pub fn judge_poison(&self, poison: &BTreeMap<String, &'static str>) {
        for (name, reason) in poison {
            let dead = self.inner.lock().unwrap().dead.get(name).copied();
            if dead.map(DeadLetterReason::as_str) != Some(reason) {
                self.upstreams.wrong(format!(
                    "{name} should be a dead letter for {reason} and is {dead:?}"
                ));
            }
        }
    }

    /// To be delivered again after `pause`, unless another delivery of it is done.
    fn again(&self, id: u64, pause: Duration) {
        if let Some(message) = self.inner.lock().unwrap().messages.get_mut(&id) {
            message.place = ListingPosition::Waiting(Instant::now() + pause);
        }
    }

    /// Whether the network between us and the broker fails just now.
    fn fails(&self, share: f64) -> bool {
        let mut upstreams = self.upstreams.lock();
        upstreams.meddling > 0.0 && upstreams.rng.random_bool(share)
    }
}

/// A leased message.
pub struct Leased {
    queue: Queue,
    id: u64,
    ended: bool,
}

impl Lease for Leased {
    fn ack(mut self) {
        self.ended = true;
        let (queue, id) = (&self.queue, self.id);
        let name = format!("{}-{id}", queue.name);
        let told = {
            let inner = queue.inner.lock().unwrap();
            inner.recorded.contains(&name) || inner.dead.contains_key(&name)
        };
        if !told {
            queue
                .upstreams
                .wrong(format!("{name} was acked and nobody knows why"));
        }
        if queue.fails(0.1) {
            queue.upstreams.lock().figures.lost_acks += 1;
            return queue.again(id, LEASE);
        }
        queue.inner.lock().unwrap().messages.remove(&id);
    }

    fn nack(mut self) {
        self.ended = true;
        let inner = self.queue.inner.lock().unwrap();
        let attempts = inner
            .messages
            .get(&self.id)
            .map_or(0, |message| message.attempts);
        drop(inner);
        let pause = Duration::from_secs(10 << attempts.min(6)).min(Duration::from_mins(10));
        self.queue.again(self.id, pause);
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        if !self.ended {
            self.queue.again(self.id, LEASE);
        }
    }
}

impl UserMessages for Queue {
    async fn publish(
        &self,
        body: &UserSync,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), PubSubError> {
        sleep(Duration::from_millis(5)).await;
        let unconfirmed = || PubSubError::Configuration("lost".to_owned());
        if self.inner.lock().unwrap().refuses || self.fails(0.01) {
            return Err(unconfirmed());
        }
        self.put(serde_json::to_vec(body).unwrap().into(), attributes);
        sleep(Duration::from_millis(5)).await;
        if self.fails(0.01) {
            return Err(unconfirmed());
        }
        Ok(())
    }
}

/// Where the dead letters and the records of a queue go.
#[derive(Clone)]
pub struct Ends(pub Queue);

impl DeadLetters for Ends {
    async fn publish(
        &self,
        _stage: Stage,
        delivery: &Delivery,
        letter: &DeadLetter,
    ) -> Result<(), PubSubError> {
        sleep(Duration::from_millis(20)).await;
        if self.0.fails(0.2) {
            return Err(PubSubError::Configuration("lost".to_owned()));
        }
        let queue = &self.0;
        let known = queue
            .inner
            .lock()
            .unwrap()
            .dead
            .insert(delivery.message_id.clone(), letter.reason);
        let named = serde_json::from_slice::<UserSync>(&delivery.body);
        if let Ok(Some(id)) = named.map(|request| request.gitlab_user_id) {
            queue.inner.lock().unwrap().dead_accounts.insert(id);
        }
        if known.is_none() {
            let exhausted = letter.reason == DeadLetterReason::AttemptsExhausted;
            let figures = &mut queue.upstreams.lock().figures;
            figures.dead_letters += 1;
            figures.exhausted += u64::from(exhausted);
        }
        queue.upstreams.trace(format!(
            "{} is a dead letter: {}",
            delivery.message_id, letter.reason
        ));
        sleep(Duration::from_millis(20)).await;
        Ok(())
    }
}

impl Records for Ends {
    fn record(&self, record: &SyncOutcome, _traceparent: &Traceparent) {
        if record.kind.as_deref() == Some(OutcomeKind::RunHeld.as_str()) {
            return;
        }
        let id = record
            .message_id
            .clone()
            .expect("every record names its message");
        let queue = &self.0;
        let mut inner = queue.inner.lock().unwrap();
        let lost = record.dead_letter_reason.is_some() && !inner.dead.contains_key(&id);
        inner.recorded.insert(id.clone());
        drop(inner);
        if lost {
            let said = format!("{id} is said to be a dead letter and is nowhere");
            queue.upstreams.wrong(said);
        }
    }
}
