//! `google.pubsub.v1.Subscriber`.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::stream::BoxStream;
use google_cloud_googleapis::pubsub::v1::{
    AcknowledgeRequest, CreateSnapshotRequest, DeleteSnapshotRequest, DeleteSubscriptionRequest,
    GetSnapshotRequest, GetSubscriptionRequest, ListSnapshotsRequest, ListSnapshotsResponse,
    ListSubscriptionsRequest, ListSubscriptionsResponse, ModifyAckDeadlineRequest,
    ModifyPushConfigRequest, PullRequest, PullResponse, ReceivedMessage, SeekRequest, SeekResponse,
    Snapshot, StreamingPullRequest, StreamingPullResponse, Subscription, UpdateSnapshotRequest,
    UpdateSubscriptionRequest, seek_request::Target,
};
use tonic::{Request, Response, Status, Streaming};

use super::ack_id::AckId;
use super::flow::FlowCapacity;
use super::names::unoffered;
use super::policy::seconds;
use super::store::BrokerStore;
use super::streaming_pull::StreamingPull;
use super::stubs::{Reply, subscriber_server::Subscriber};
use super::subscription::Subscription as Live;
use super::{subscription_settings as settings, termination};

/// How long a Pull waits for a first message, unless the client gives up before. Google's clients
/// do so after 60 s; Google's emulator answers after 59.
const PULL_WAIT: Duration = Duration::from_secs(55);
/// What one Pull may carry; a message is delivered whole, so the reply may be longer by one.
const PULL_BYTES: usize = 10_000_000;

/// Subscriptions and delivery.
#[derive(Debug)]
pub(super) struct SubscriberService(pub(super) Arc<BrokerStore>);

#[tonic::async_trait]
impl Subscriber for SubscriberService {
    type StreamingPullStream = BoxStream<'static, Result<StreamingPullResponse, Status>>;

    async fn create_subscription(&self, request: Request<Subscription>) -> Reply<Subscription> {
        let accepted = settings::accept(request.into_inner())?;
        self.0.create_subscription(accepted).map(Response::new)
    }

    async fn get_subscription(
        &self,
        request: Request<GetSubscriptionRequest>,
    ) -> Reply<Subscription> {
        let subscription = self.0.subscription(&request.into_inner().subscription)?;
        Ok(Response::new(subscription.settings()))
    }

    async fn update_subscription(
        &self,
        request: Request<UpdateSubscriptionRequest>,
    ) -> Reply<Subscription> {
        let UpdateSubscriptionRequest {
            subscription,
            update_mask,
        } = request.into_inner();
        let update =
            subscription.ok_or_else(|| Status::invalid_argument("No subscription to update"))?;
        let paths = update_mask.unwrap_or_default().paths;
        self.0
            .update_subscription(&update, &paths)
            .map(Response::new)
    }

    async fn list_subscriptions(
        &self,
        request: Request<ListSubscriptionsRequest>,
    ) -> Reply<ListSubscriptionsResponse> {
        let asked = request.into_inner();
        let page = self
            .0
            .subscriptions(&asked.project, asked.page_size, &asked.page_token);
        Ok(Response::new(ListSubscriptionsResponse {
            subscriptions: page.items,
            next_page_token: page.next,
        }))
    }

    async fn delete_subscription(&self, request: Request<DeleteSubscriptionRequest>) -> Reply<()> {
        self.0
            .delete_subscription(&request.into_inner().subscription)
            .map(Response::new)
    }

    async fn modify_ack_deadline(&self, request: Request<ModifyAckDeadlineRequest>) -> Reply<()> {
        let asked = request.into_inner();
        let subscription = self.0.subscription(&asked.subscription)?;
        let ids = ids(&asked.ack_ids)?;
        let deadline = deadline(asked.ack_deadline_seconds)?;
        let dead = subscription.modify(&ids, deadline);
        self.0.bury(&subscription, dead);
        Ok(Response::new(()))
    }

    async fn acknowledge(&self, request: Request<AcknowledgeRequest>) -> Reply<()> {
        let asked = request.into_inner();
        let subscription = self.0.subscription(&asked.subscription)?;
        subscription.acknowledge(&ids(&asked.ack_ids)?);
        Ok(Response::new(()))
    }

    async fn pull(&self, request: Request<PullRequest>) -> Reply<PullResponse> {
        let asked = request.into_inner();
        #[expect(deprecated, reason = "the official clients still offer it")]
        let at_once = asked.return_immediately;
        let subscription = self.0.subscription(&asked.subscription)?;
        let messages = usize::try_from(asked.max_messages).unwrap_or_default();
        if messages == 0 {
            return Err(Status::invalid_argument("No max_messages specified"));
        }
        let most = FlowCapacity {
            messages: messages.min(1_000),
            bytes: PULL_BYTES,
        };
        let wait = if at_once { Duration::ZERO } else { PULL_WAIT };
        let received_messages = tokio::select! {
            biased;
            status = termination(&self.0, &subscription) => return Err(status),
            received = first_messages(&subscription, most, wait) => received,
        };
        Ok(Response::new(PullResponse { received_messages }))
    }

    async fn streaming_pull(
        &self,
        request: Request<Streaming<StreamingPullRequest>>,
    ) -> Reply<Self::StreamingPullStream> {
        let pull = StreamingPull::open(Arc::clone(&self.0), request.into_inner()).await?;
        Ok(Response::new(pull.responses()))
    }

    async fn modify_push_config(&self, _: Request<ModifyPushConfigRequest>) -> Reply<()> {
        Err(unoffered("Subscriber/ModifyPushConfig"))
    }

    async fn get_snapshot(&self, _: Request<GetSnapshotRequest>) -> Reply<Snapshot> {
        Err(unoffered("Subscriber/GetSnapshot"))
    }

    async fn list_snapshots(
        &self,
        _: Request<ListSnapshotsRequest>,
    ) -> Reply<ListSnapshotsResponse> {
        Err(unoffered("Subscriber/ListSnapshots"))
    }

    async fn create_snapshot(&self, _: Request<CreateSnapshotRequest>) -> Reply<Snapshot> {
        Err(unoffered("Subscriber/CreateSnapshot"))
    }

    async fn update_snapshot(&self, _: Request<UpdateSnapshotRequest>) -> Reply<Snapshot> {
        Err(unoffered("Subscriber/UpdateSnapshot"))
    }

    async fn delete_snapshot(&self, _: Request<DeleteSnapshotRequest>) -> Reply<()> {
        Err(unoffered("Subscriber/DeleteSnapshot"))
    }

    async fn seek(&self, request: Request<SeekRequest>) -> Reply<SeekResponse> {
        let asked = request.into_inner();
        let subscription = self.0.subscription(&asked.subscription)?;
        match asked.target {
            Some(Target::Time(time)) => {
                let time = SystemTime::try_from(time)
                    .map_err(|_| Status::invalid_argument("The time to seek to is invalid"))?;
                subscription.seek(time);
                Ok(Response::new(SeekResponse {}))
            }
            Some(Target::Snapshot(_)) => Err(unoffered("SeekRequest.snapshot")),
            None => Err(Status::invalid_argument(
                "No target was specified in the SeekRequest. Must specify either a time or a snapshot",
            )),
        }
    }
}

/// Reads a deadline; zero is a nack.
pub(super) fn deadline(wire: i32) -> Result<Duration, Status> {
    if (0..=600).contains(&wire) {
        return Ok(seconds(wire));
    }
    Err(Status::invalid_argument(format!(
        "The value for ack_deadline_seconds is out of bounds. You passed {wire} in the request, but the value must be between 0 and 600."
    )))
}

fn ids(wire: &[String]) -> Result<Vec<AckId>, Status> {
    if wire.is_empty() {
        return Err(Status::invalid_argument("No ack ids specified."));
    }
    AckId::parse_all(wire)
}

/// Waits for messages. Nothing is awaited once they are leased: a call the client gives up
/// leaves none leased to nobody.
async fn first_messages(
    subscription: &Live,
    most: FlowCapacity,
    wait: Duration,
) -> Vec<ReceivedMessage> {
    let waiting = async {
        loop {
            let mut readied = pin!(subscription.readied());
            readied.as_mut().enable();
            let received = subscription.lease(None, None, most);
            if !received.is_empty() {
                return received;
            }
            readied.await;
        }
    };
    tokio::time::timeout(wait, waiting)
        .await
        .unwrap_or_default()
}
