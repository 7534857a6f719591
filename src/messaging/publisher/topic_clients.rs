//! The client of a topic, and the next one once its connection is dead.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use google_cloud_pubsub::client::{BasePublisher, Publisher};
use tokio::time::Instant;
use tracing::warn;

use super::Batching;
use crate::messaging::connect::Renewable;

/// One client of a topic after the other.
pub(super) struct TopicClients {
    clients: Arc<Renewable<BasePublisher>>,
    /// The topic's full name.
    path: String,
    batching: Batching,
    current: RwLock<Arc<TopicClient>>,
}

/// A topic's client, until its connection is found to be dead.
pub(super) struct TopicClient {
    /// Which of the connection's clients it belongs to.
    pub(super) number: u64,
    pub(super) client: Publisher,
    opened: Instant,
    /// When it was last answered, in milliseconds after `opened`.
    answered: AtomicU64,
}

impl TopicClients {
    pub(super) fn new(
        clients: Arc<Renewable<BasePublisher>>,
        path: String,
        batching: Batching,
    ) -> Self {
        let current = RwLock::new(Arc::new(TopicClient::open(&clients, &path, batching)));
        Self {
            clients,
            path,
            batching,
            current,
        }
    }

    /// The client in use, of the newest connection.
    pub(super) fn current(&self) -> Arc<TopicClient> {
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        if current.number == self.clients.number() {
            return current;
        }
        let mut newest = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have been here in between.
        if newest.number != self.clients.number() {
            *newest = Arc::new(TopicClient::open(&self.clients, &self.path, self.batching));
        }
        Arc::clone(&newest)
    }

    /// Has all topics of this connection publish over a new one, unless they do so already.
    pub(super) async fn replace(&self, dead: &TopicClient) {
        let silent_s = dead.last_answer().elapsed().as_secs();
        match self.clients.renew(dead.number).await {
            Ok(true) => warn!(
                event = "publisher_renewed",
                topic = self.path,
                silent_s,
                "what was not confirmed is published again over a new connection"
            ),
            Ok(false) => {}
            // The old one serves the next attempt as well as it can.
            Err(error) => warn!(event = "publisher_not_renewed", topic = self.path, %error),
        }
    }
}

impl TopicClient {
    fn open(clients: &Renewable<BasePublisher>, path: &str, batching: Batching) -> Self {
        let base = clients.current();
        let builder = base.client.publisher(path);
        let builder = match batching {
            Batching::Shared => builder,
            Batching::OneByOne => builder.set_message_count_threshold(1_u32),
        };
        Self {
            number: base.number,
            client: builder.build(),
            opened: Instant::now(),
            answered: AtomicU64::new(0),
        }
    }

    /// Pub/Sub has answered.
    pub(super) fn answered(&self) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered.store(now, Ordering::Relaxed);
    }

    /// When it was last answered, or opened.
    pub(super) fn last_answer(&self) -> Instant {
        self.opened + Duration::from_millis(self.answered.load(Ordering::Relaxed))
    }
}
