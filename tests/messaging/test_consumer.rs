//! A consumer with a handler made of a closure, and what feeds and empties it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use google_cloud_googleapis::pubsub::v1::{AcknowledgeRequest, PubsubMessage, PullRequest};
use lookup_gitlab_sync::messaging::{
    Batching, Connection, Consumer, ConsumerSettings, Delivery, Disposition, Handler, Liveness,
    Outcomes, PublisherOptions, Stage, Topic,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// One message of `subscription` by a unary Pull, acked.
pub async fn pull_one(connection: &Connection, subscription: &str) -> PubsubMessage {
    let subscription = connection.names().subscription(subscription);
    for _ in 0..60 {
        let request = connection
            .request(PullRequest {
                subscription: subscription.clone(),
                max_messages: 1,
                ..PullRequest::default()
            })
            .await
            .unwrap();
        let pulled = connection
            .subscriptions()
            .pull(request)
            .await
            .unwrap()
            .into_inner();
        if let Some(received) = pulled.received_messages.into_iter().next() {
            let request = connection
                .request(AcknowledgeRequest {
                    subscription,
                    ack_ids: vec![received.ack_id],
                })
                .await
                .unwrap();
            connection
                .subscriptions()
                .acknowledge(request)
                .await
                .unwrap();
            return received.message.unwrap();
        }
    }
    panic!("{subscription} stayed empty");
}

/// Answers each delivery with a closure, and keeps what it saw.
#[derive(Clone)]
pub struct Answering<F> {
    pub answer: F,
    pub seen: Seen,
}

#[derive(Clone, Default)]
pub struct Seen(pub Arc<Mutex<Vec<Delivery>>>);

impl Seen {
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub fn attempts(&self) -> Vec<Option<u32>> {
        let seen = self.0.lock().unwrap();
        seen.iter()
            .map(|delivery| delivery.delivery_attempt)
            .collect()
    }
}

impl<F, A> Handler for Answering<F>
where
    F: Fn(Arc<Delivery>) -> A + Send + Sync + 'static,
    A: Future<Output = Disposition> + Send + 'static,
{
    fn stage(&self) -> Stage {
        Stage::UserWorker
    }

    async fn handle(&self, delivery: Arc<Delivery>) -> Disposition {
        self.seen.0.lock().unwrap().push((*delivery).clone());
        (self.answer)(delivery).await
    }
}

/// A consumer at work.
pub struct TestConsumer {
    pub seen: Seen,
    stopping: CancellationToken,
    pub liveness: Liveness,
    running: JoinHandle<()>,
}

impl TestConsumer {
    pub fn start<F, A>(connection: &Connection, settings: ConsumerSettings, answer: F) -> Self
    where
        F: Fn(Arc<Delivery>) -> A + Send + Sync + 'static,
        A: Future<Output = Disposition> + Send + 'static,
    {
        let seen = Seen::default();
        let handler = Answering {
            answer,
            seen: seen.clone(),
        };
        let consumer = Consumer::new(connection, settings, handler, Outcomes::only_logged());
        let stopping = CancellationToken::new();
        let liveness = consumer.liveness();
        Self {
            seen,
            liveness,
            running: tokio::spawn(consumer.run(stopping.clone())),
            stopping,
        }
    }

    pub async fn stop(self) {
        self.stopping.cancel();
        self.running.await.unwrap();
    }
}

pub fn settings() -> ConsumerSettings {
    ConsumerSettings::new(100, Duration::from_secs(8))
}

pub fn done() -> Disposition {
    Disposition::Done(Box::default())
}

pub async fn publish(connection: &Connection, bodies: impl IntoIterator<Item = Bytes>) {
    let publisher = connection.publisher_with(
        Topic::UserSync.as_str(),
        &PublisherOptions {
            batching: Batching::OneByOne,
            ..PublisherOptions::default()
        },
    );
    let attributes = BTreeMap::from([("run".to_owned(), "r1".to_owned())]);
    let publishing = bodies
        .into_iter()
        .map(|body| publisher.publish_raw(body, attributes.clone()));
    for result in futures::future::join_all(publishing).await {
        result.unwrap();
    }
}
