//! One streaming pull: requests in, deliveries out.
//!
//! There is no task behind a stream. gRPC asks for the next response whenever the client has room
//! for one, and a client that has gone drops the stream and all that it keeps.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use google_cloud_googleapis::pubsub::v1::{
    ReceivedMessage, StreamingPullRequest, StreamingPullResponse,
};
use tokio::sync::watch;
use tonic::{Status, Streaming};

use super::ack_id::AckId;
use super::flow::{ConsumerId, FlowCapacity, StreamConsumer};
use super::policy::seconds;
use super::store::BrokerStore;
use super::subscriber::deadline;
use super::subscription::Subscription;
use super::termination;

/// What one response may carry. Small, so that the streams of several workers share a backlog.
const RESPONSE: FlowCapacity = FlowCapacity {
    messages: 100,
    bytes: 1_000_000,
};

/// An open stream.
pub(super) struct StreamingPull {
    store: Arc<BrokerStore>,
    subscription: Arc<Subscription>,
    requests: Streaming<StreamingPullRequest>,
    consumer: ConsumerId,
    lease: Duration,
    resets: watch::Receiver<u64>,
    muted: watch::Receiver<bool>,
}

/// What a stream does next.
enum StreamStep {
    Deliver(Vec<ReceivedMessage>),
    Obey(Box<StreamingPullRequest>),
    End(Option<Status>),
}

impl StreamingPull {
    /// Reads the first request.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if it lacks the subscription or a deadline from 10 to 600 seconds;
    /// `NOT_FOUND` if the subscription is not there.
    pub(super) async fn open(
        store: Arc<BrokerStore>,
        mut requests: Streaming<StreamingPullRequest>,
    ) -> Result<Self, Status> {
        let first = requests.message().await?.unwrap_or_default();
        if first.subscription.is_empty() {
            return Err(Status::invalid_argument(
                "first message must set subscription",
            ));
        }
        let subscription = store.subscription(&first.subscription)?;
        let lease = stream_deadline(first.stream_ack_deadline_seconds)?;
        let limits =
            StreamConsumer::new(first.max_outstanding_messages, first.max_outstanding_bytes);
        let consumer = subscription.enter(limits);
        let open = Self {
            resets: store.streams.resets(),
            muted: store.streams.muted(),
            store,
            subscription,
            requests,
            consumer,
            lease,
        };
        open.acknowledge_and_modify(&first)?;
        Ok(open)
    }

    /// The responses, until the client is done, the subscription is deleted or the broker stops.
    pub(super) fn responses(self) -> BoxStream<'static, Result<StreamingPullResponse, Status>> {
        stream::unfold(Some(self), |open| async move {
            let mut open = open?;
            match open.next().await {
                Ok(response) => Some((Ok(response), Some(open))),
                Err(Some(status)) => Some((Err(status), None)),
                Err(None) => None,
            }
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<StreamingPullResponse, Option<Status>> {
        loop {
            match self.step().await {
                StreamStep::Deliver(received_messages) => {
                    return Ok(StreamingPullResponse {
                        received_messages,
                        ..StreamingPullResponse::default()
                    });
                }
                StreamStep::Obey(request) => self.obey(&request)?,
                StreamStep::End(status) => return Err(status),
            }
        }
    }

    async fn step(&mut self) -> StreamStep {
        tokio::select! {
            biased;
            status = termination(&self.store, &self.subscription) => StreamStep::End(Some(status)),
            // The sender lives in the store, so this never ends for want of one.
            _ = self.resets.changed() => {
                StreamStep::End(Some(Status::unavailable("the stream was reset")))
            }
            request = self.requests.message() => match request {
                Ok(Some(request)) => StreamStep::Obey(Box::new(request)),
                Ok(None) => StreamStep::End(None),
                Err(status) => StreamStep::End(Some(status)),
            },
            received = deliveries(&self.subscription, self.consumer, self.lease, &mut self.muted) => {
                StreamStep::Deliver(received)
            }
        }
    }

    /// Does what a later request says. An empty one is a client's sign of life.
    fn obey(&mut self, request: &StreamingPullRequest) -> Result<(), Status> {
        if !request.subscription.is_empty() {
            return Err(Status::invalid_argument(
                "subscription may only be set in first message",
            ));
        }
        if request.stream_ack_deadline_seconds != 0 {
            self.lease = stream_deadline(request.stream_ack_deadline_seconds)?;
        }
        self.acknowledge_and_modify(request)
    }

    fn acknowledge_and_modify(&self, request: &StreamingPullRequest) -> Result<(), Status> {
        let StreamingPullRequest {
            ack_ids,
            modify_deadline_seconds,
            modify_deadline_ack_ids,
            ..
        } = request;
        if modify_deadline_seconds.len() != modify_deadline_ack_ids.len() {
            return Err(Status::invalid_argument(
                "ack IDs and deadlines must have the same size",
            ));
        }
        if !ack_ids.is_empty() {
            self.subscription.acknowledge(&AckId::parse_all(ack_ids)?);
        }
        for (seconds, id) in modify_deadline_seconds.iter().zip(modify_deadline_ack_ids) {
            let dead = self
                .subscription
                .modify(&[id.parse()?], deadline(*seconds)?);
            self.store.bury(&self.subscription, dead);
        }
        Ok(())
    }
}

impl Drop for StreamingPull {
    fn drop(&mut self) {
        self.subscription.leave(self.consumer);
    }
}

fn stream_deadline(wire: i32) -> Result<Duration, Status> {
    if (10..=600).contains(&wire) {
        return Ok(seconds(wire));
    }
    Err(Status::invalid_argument(
        "stream_ack_deadline_seconds must be between 10 and 600 seconds",
    ))
}

async fn deliveries(
    subscription: &Subscription,
    consumer: ConsumerId,
    lease: Duration,
    muted: &mut watch::Receiver<bool>,
) -> Vec<ReceivedMessage> {
    loop {
        // The sender lives in the store, so this never ends for want of one.
        drop(muted.wait_for(|muted| !muted).await);
        let mut readied = pin!(subscription.readied());
        readied.as_mut().enable();
        let received = subscription.lease(Some(lease), Some(consumer), RESPONSE);
        if !received.is_empty() {
            return received;
        }
        readied.await;
    }
}
