//! Publishing with bounded memory.

use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::Bytes;
use google_cloud_pubsub::{client::BasePublisher, model::Message, publisher::PublishFuture};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::PubSubError;

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
    /// As the client does by default: up to 100 messages, 1 MB or 10 ms. One refused body fails its whole batch.
    Shared,
    /// One message a request, so that one refused body fails alone.
    OneByOne,
}

/// Publishes to one topic with bounded memory. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    inner: Arc<Inner>,
}

struct Inner {
    /// As people see it, prefix included.
    topic: String,
    client: google_cloud_pubsub::client::Publisher,
    room: Room,
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
        base: &BasePublisher,
        topic: String,
        path: String,
        options: &PublisherOptions,
    ) -> Self {
        let builder = base.publisher(path);
        let builder = match options.batching {
            Batching::Shared => builder,
            Batching::OneByOne => builder.set_message_count_threshold(1_u32),
        };
        Self {
            inner: Arc::new(Inner {
                topic,
                client: builder.build(),
                room: Room::new(options),
            }),
        }
    }

    /// The topic's id, prefix included.
    pub fn topic(&self) -> &str {
        &self.inner.topic
    }

    /// Waits for room, hands the message to the client, and returns once Pub/Sub has confirmed it with its message id.
    /// Many of these futures may run at once; they are batched.
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
        let place = self.inner.room.enter(size).await;
        self.hand_over(body, attributes, place).confirmed().await
    }

    /// Hands the message to the client without waiting for anything; `None` where there is no room for it now.
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
        let place = self.inner.room.try_enter(size);
        Ok(place.map(|place| self.hand_over(body, attributes, Some(place))))
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
        place: Option<Place>,
    ) -> Confirmation {
        let message = Message::new().set_data(body).set_attributes(attributes);
        Confirmation {
            publisher: Arc::clone(&self.inner),
            published: self.inner.client.publish(message),
            _place: place,
        }
    }

    /// Sends what waits in a batch now, and returns when each message handed in before has been confirmed or has failed.
    pub async fn flush(&self) {
        self.inner.client.flush().await;
    }
}

/// A message on its way to Pub/Sub. It goes out whether this is waited for or not.
pub(super) struct Confirmation {
    publisher: Arc<Inner>,
    published: PublishFuture,
    _place: Option<Place>,
}

impl Confirmation {
    /// The message id, once Pub/Sub has it.
    ///
    /// # Errors
    /// When Pub/Sub did not confirm it.
    pub(super) async fn confirmed(self) -> Result<String, PubSubError> {
        self.published
            .await
            .map_err(|error| PubSubError::unconfirmed(&self.publisher.topic, &error))
    }
}

fn size_of(body: &Bytes, attributes: &BTreeMap<String, String>) -> usize {
    let attributes: usize = attributes
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    body.len() + attributes
}

/// What may wait for confirmation; the client itself has no bound at all.
struct Room {
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    max_bytes: u32,
}

/// The part of the room that one message takes up: itself, and its bytes.
type Place = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl Room {
    fn new(options: &PublisherOptions) -> Self {
        let max_bytes = u32::try_from(options.max_bytes.max(1)).unwrap_or(u32::MAX);
        let messages = options.max_messages.clamp(1, Semaphore::MAX_PERMITS);
        let bytes = usize::try_from(max_bytes).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            messages: Arc::new(Semaphore::new(messages)),
            bytes: Arc::new(Semaphore::new(bytes)),
            max_bytes,
        }
    }

    /// Waits for room for one message of `size` bytes; one larger than all the room waits for all of it.
    async fn enter(&self, size: usize) -> Option<Place> {
        // The semaphores are never closed, so acquiring cannot fail.
        let message = Arc::clone(&self.messages).acquire_owned().await.ok()?;
        let bytes = Arc::clone(&self.bytes)
            .acquire_many_owned(self.permits(size))
            .await
            .ok()?;
        Some((message, bytes))
    }

    /// [`Self::enter`] where there is room now.
    fn try_enter(&self, size: usize) -> Option<Place> {
        let message = Arc::clone(&self.messages).try_acquire_owned().ok()?;
        let bytes = Arc::clone(&self.bytes)
            .try_acquire_many_owned(self.permits(size))
            .ok()?;
        Some((message, bytes))
    }

    fn permits(&self, size: usize) -> u32 {
        u32::try_from(size).unwrap_or(u32::MAX).min(self.max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn room(max_messages: usize, max_bytes: usize) -> Room {
        Room::new(&PublisherOptions {
            max_messages,
            max_bytes,
            batching: Batching::Shared,
        })
    }

    #[test]
    fn a_message_waits_while_too_many_are_unconfirmed() {
        let room = room(2, 1000);
        let first = room.enter(10).now_or_never().flatten();
        let second = room.enter(10).now_or_never().flatten();
        assert!(first.is_some() && second.is_some());
        assert!(room.enter(10).now_or_never().is_none());
        drop(first);
        assert!(room.enter(10).now_or_never().flatten().is_some());
    }

    #[test]
    fn a_message_waits_while_too_many_bytes_are_unconfirmed() {
        let room = room(100, 1000);
        let first = room.enter(900).now_or_never().flatten();
        assert!(first.is_some());
        assert!(room.enter(101).now_or_never().is_none());
        assert!(room.enter(100).now_or_never().flatten().is_some());
    }

    #[test]
    fn a_message_that_may_not_wait_gets_no_place_and_keeps_none_where_there_is_no_room() {
        let room = room(2, 1000);
        let first = room.try_enter(900);
        assert!(first.is_some());
        assert!(room.try_enter(101).is_none(), "too many bytes");
        let second = room.try_enter(100);
        assert!(second.is_some(), "the one refused has left nothing behind");
        assert!(room.try_enter(0).is_none(), "too many messages");
        drop(second);
        assert!(room.try_enter(100).is_some());
    }

    #[test]
    fn a_message_larger_than_all_the_room_goes_alone() {
        let room = room(100, 1000);
        let alone = room.enter(50_000).now_or_never().flatten();
        assert!(alone.is_some());
        assert!(room.enter(1).now_or_never().is_none());
    }
}
