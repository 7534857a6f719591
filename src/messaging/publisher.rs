//! Publishing with bounded memory, and by a new client where the old one gets no answer.

mod confirmation;
mod in_flight;
mod refusals;
mod topic_clients;

use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::Bytes;
use google_cloud_pubsub::{client::BasePublisher, model::Message};

use self::{
    in_flight::{InFlightLimit, InFlightPermit},
    topic_clients::TopicClients,
};
use super::{
    PubSubError,
    connect::{PubSubTimeouts, Renewable},
};

pub(super) use self::{confirmation::Confirmation, refusals::RefusalLog};

/// How a publisher batches and how much it may hold.
#[derive(Clone, Debug)]
pub struct PublisherOptions {
    /// Messages that may wait for confirmation at once. 10,000.
    pub max_messages: usize,
    /// Bytes of bodies and attributes that may wait for confirmation at once. 32 MiB.
    pub max_bytes: usize,
    /// How messages share publish requests.
    pub batching: Batching,
}

impl Default for PublisherOptions {
    fn default() -> Self {
        Self {
            max_messages: 10_000,
            max_bytes: 32 * 1024 * 1024,
            batching: Batching::Shared,
        }
    }
}

/// How messages share publish requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batching {
    /// As the client does by default: up to 100 messages, 1 MB or 10 ms. One refused body fails its
    /// whole batch.
    Shared,
    /// One message a request, so that one refused body fails alone.
    OneByOne,
}

/// Publishes to one topic with bounded memory. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    inner: Arc<PublisherState>,
}

struct PublisherState {
    /// As people see it, prefix included.
    topic: String,
    clients: TopicClients,
    timeouts: PubSubTimeouts,
    in_flight: InFlightLimit,
    /// Of a stage's; a command tells its person itself.
    refusals: Option<RefusalLog>,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("topic", &self.inner.topic)
            .finish_non_exhaustive()
    }
}

impl Publisher {
    /// A publisher of the topic `path`, called `topic` in errors.
    pub(super) fn new(
        clients: &Arc<Renewable<BasePublisher>>,
        timeouts: PubSubTimeouts,
        topic: String,
        path: String,
        options: &PublisherOptions,
        refusals: Option<RefusalLog>,
    ) -> Self {
        Self {
            inner: Arc::new(PublisherState {
                topic,
                clients: TopicClients::new(Arc::clone(clients), path, options.batching),
                timeouts,
                in_flight: InFlightLimit::new(options),
                refusals,
            }),
        }
    }

    /// The topic's id, prefix included.
    pub fn topic(&self) -> &str {
        &self.inner.topic
    }

    /// Waits for room, hands the message to the client, and returns once Pub/Sub has confirmed it
    /// with its message id. Many of these futures may run at once; they are batched. Where no
    /// answer comes, it is published again by a new client, so that it may be there twice.
    ///
    /// # Errors
    /// When Pub/Sub did not confirm it.
    pub async fn publish(
        &self,
        body: &impl serde::Serialize,
        attributes: BTreeMap<String, String>,
    ) -> Result<String, PubSubError> {
        let body = self.encode(body)?;
        self.publish_raw(body, attributes).await
    }

    /// [`Self::publish`] of a body that is encoded already, such as a dead letter's.
    ///
    /// # Errors
    /// When Pub/Sub did not confirm it.
    pub async fn publish_raw(
        &self,
        body: Bytes,
        attributes: BTreeMap<String, String>,
    ) -> Result<String, PubSubError> {
        let size = size_of(&body, &attributes);
        let permit = self.inner.in_flight.enter(size).await;
        self.hand_over(body, attributes, permit).confirmed().await
    }

    /// Hands the message to the client without waiting for anything; `None` where there is no room
    /// for it now.
    ///
    /// # Errors
    /// For a body that has no JSON form.
    pub(super) fn publish_soon(
        &self,
        body: &impl serde::Serialize,
        attributes: BTreeMap<String, String>,
    ) -> Result<Option<Confirmation>, PubSubError> {
        let body = self.encode(body)?;
        let size = size_of(&body, &attributes);
        let permit = self.inner.in_flight.try_enter(size);
        Ok(permit.map(|permit| self.hand_over(body, attributes, Some(permit))))
    }

    fn encode(&self, body: &impl serde::Serialize) -> Result<Bytes, PubSubError> {
        serde_json::to_vec(body)
            .map(Bytes::from)
            .map_err(|error| PubSubError::Unencodable {
                topic: self.inner.topic.clone(),
                why: error.to_string(),
            })
    }

    fn hand_over(
        &self,
        body: Bytes,
        attributes: BTreeMap<String, String>,
        permit: Option<InFlightPermit>,
    ) -> Confirmation {
        let message = Message::new().set_data(body).set_attributes(attributes);
        Confirmation::of(&self.inner, message, permit)
    }

    /// Sends what waits in a batch now, and returns when each message handed in before has been
    /// confirmed or has failed.
    pub async fn flush(&self) {
        self.inner.clients.current().client.flush().await;
    }
}

fn size_of(body: &Bytes, attributes: &BTreeMap<String, String>) -> usize {
    let attributes: usize = attributes
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    body.len() + attributes
}
