//! `google.pubsub.v1.Publisher`.

use std::sync::Arc;

use google_cloud_googleapis::pubsub::v1::{
    DeleteTopicRequest, DetachSubscriptionRequest, DetachSubscriptionResponse, Encoding,
    GetTopicRequest, ListTopicSnapshotsRequest, ListTopicSnapshotsResponse,
    ListTopicSubscriptionsRequest, ListTopicSubscriptionsResponse, ListTopicsRequest,
    ListTopicsResponse, PublishRequest, PublishResponse, SchemaSettings, Topic, UpdateTopicRequest,
    topic,
};
use tonic::{Request, Response, Status};

use super::message;
use super::names::unoffered;
use super::store::BrokerStore;
use super::stubs::{Reply, publisher_server::Publisher};

/// Topics and publishing.
#[derive(Debug)]
pub(super) struct PublisherService(pub(super) Arc<BrokerStore>);

#[tonic::async_trait]
impl Publisher for PublisherService {
    async fn create_topic(&self, request: Request<Topic>) -> Reply<Topic> {
        let mut topic = request.into_inner();
        refuse_unoffered(&topic)?;
        check_encoding(&topic)?;
        topic.state = topic::State::Active.into();
        self.0.create_topic(topic).map(Response::new)
    }

    async fn update_topic(&self, request: Request<UpdateTopicRequest>) -> Reply<Topic> {
        let UpdateTopicRequest { topic, update_mask } = request.into_inner();
        let update = topic.ok_or_else(|| Status::invalid_argument("No topic to update"))?;
        refuse_unoffered(&update)?;
        let paths = update_mask.unwrap_or_default().paths;
        self.0
            .update_topic(&update.name, |current| merge(current, &update, &paths))
            .map(Response::new)
    }

    async fn publish(&self, request: Request<PublishRequest>) -> Reply<PublishResponse> {
        let request = request.into_inner();
        message::check(&request)?;
        let message_ids = self.0.publish(&request.topic, request.messages)?;
        Ok(Response::new(PublishResponse { message_ids }))
    }

    async fn get_topic(&self, request: Request<GetTopicRequest>) -> Reply<Topic> {
        self.0.topic(&request.into_inner().topic).map(Response::new)
    }

    async fn list_topics(&self, request: Request<ListTopicsRequest>) -> Reply<ListTopicsResponse> {
        let asked = request.into_inner();
        let page = self
            .0
            .topics(&asked.project, asked.page_size, &asked.page_token);
        Ok(Response::new(ListTopicsResponse {
            topics: page.items,
            next_page_token: page.next,
        }))
    }

    async fn list_topic_subscriptions(
        &self,
        request: Request<ListTopicSubscriptionsRequest>,
    ) -> Reply<ListTopicSubscriptionsResponse> {
        let asked = request.into_inner();
        let page = self
            .0
            .topic_subscriptions(&asked.topic, asked.page_size, &asked.page_token)?;
        Ok(Response::new(ListTopicSubscriptionsResponse {
            subscriptions: page.items,
            next_page_token: page.next,
        }))
    }

    async fn list_topic_snapshots(
        &self,
        _: Request<ListTopicSnapshotsRequest>,
    ) -> Reply<ListTopicSnapshotsResponse> {
        Err(unoffered("Publisher/ListTopicSnapshots"))
    }

    async fn delete_topic(&self, request: Request<DeleteTopicRequest>) -> Reply<()> {
        self.0
            .delete_topic(&request.into_inner().topic)
            .map(Response::new)
    }

    async fn detach_subscription(
        &self,
        _: Request<DetachSubscriptionRequest>,
    ) -> Reply<DetachSubscriptionResponse> {
        Err(unoffered("Publisher/DetachSubscription"))
    }
}

fn refuse_unoffered(topic: &Topic) -> Result<(), Status> {
    let asked = [
        ("kms_key_name", !topic.kms_key_name.is_empty()),
        (
            "ingestion_data_source_settings",
            topic.ingestion_data_source_settings.is_some(),
        ),
        ("message_transforms", !topic.message_transforms.is_empty()),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((field, _)) => Err(unoffered(&format!("Topic.{field}"))),
        None => Ok(()),
    }
}

fn check_encoding(topic: &Topic) -> Result<(), Status> {
    match topic.schema_settings.as_ref().map(SchemaSettings::encoding) {
        Some(Encoding::Unspecified) => {
            Err(Status::invalid_argument("Invalid schema encoding provided"))
        }
        Some(Encoding::Json | Encoding::Binary) | None => Ok(()),
    }
}

fn merge(current: &Topic, update: &Topic, paths: &[String]) -> Result<Topic, Status> {
    if paths.is_empty() {
        return Err(Status::invalid_argument(
            "The update_mask in the UpdateTopicRequest must be set",
        ));
    }
    let mut merged = current.clone();
    for path in paths {
        match path.as_str() {
            "labels" => merged.labels.clone_from(&update.labels),
            "schema_settings" => merged.schema_settings.clone_from(&update.schema_settings),
            "message_retention_duration" => {
                merged.message_retention_duration = update.message_retention_duration;
            }
            "message_storage_policy" => {
                merged
                    .message_storage_policy
                    .clone_from(&update.message_storage_policy);
            }
            _ => {
                return Err(Status::invalid_argument(format!(
                    "Invalid update_mask provided in the UpdateTopicRequest: {path} cannot be updated"
                )));
            }
        }
    }
    check_encoding(&merged)?;
    Ok(merged)
}
