//! A client of Pub/Sub for what a test does itself: publish, read, acknowledge.

use std::collections::BTreeMap;

use google_cloud_googleapis::pubsub::v1::{
    AcknowledgeRequest, DeleteSubscriptionRequest, ModifyAckDeadlineRequest, PublishRequest,
    PubsubMessage, PullRequest, ReceivedMessage, Subscription, publisher_client::PublisherClient,
    subscriber_client::SubscriberClient,
};
use tonic::transport::Channel;

/// The attributes of a message.
pub type MessageAttributes = BTreeMap<String, String>;

/// A message as published: body and attributes.
pub type TestMessage = (Vec<u8>, MessageAttributes);

/// How much one call may carry.
const MOST_BYTES: usize = 32 << 20;

/// A connection to an emulator, for one project and one prefix of the names in it.
#[derive(Clone, Debug)]
pub struct PubsubClient {
    channel: Channel,
    project: String,
    prefix: String,
}

impl PubsubClient {
    /// Connects to `127.0.0.1:port`.
    pub async fn connect(host: &str, project: &str, prefix: &str) -> Self {
        let channel = Channel::from_shared(format!("http://{host}")).unwrap();
        Self {
            channel: channel.connect().await.unwrap(),
            project: project.to_owned(),
            prefix: prefix.to_owned(),
        }
    }

    /// The full name of a topic.
    pub fn topic(&self, name: &str) -> String {
        format!("projects/{}/topics/{}{name}", self.project, self.prefix)
    }

    /// The full name of a subscription.
    pub fn subscription(&self, name: &str) -> String {
        format!(
            "projects/{}/subscriptions/{}{name}",
            self.project, self.prefix
        )
    }

    /// The calls about topics.
    pub fn publisher(&self) -> PublisherClient<Channel> {
        PublisherClient::new(self.channel.clone()).max_decoding_message_size(MOST_BYTES)
    }

    /// The calls about subscriptions.
    pub fn subscriber(&self) -> SubscriberClient<Channel> {
        SubscriberClient::new(self.channel.clone()).max_decoding_message_size(MOST_BYTES)
    }

    /// Publishes bytes as they are; the message's id.
    pub async fn publish(&self, topic: &str, body: &[u8], attributes: MessageAttributes) -> String {
        let message = PubsubMessage {
            data: body.to_vec().into(),
            attributes: attributes.into_iter().collect(),
            ..PubsubMessage::default()
        };
        let request = PublishRequest {
            topic: self.topic(topic),
            messages: vec![message],
        };
        let published = self.publisher().publish(request).await.unwrap();
        published.into_inner().message_ids.remove(0)
    }

    /// Makes a subscription for a test to read.
    pub async fn subscribe(&self, name: &str, topic: &str) {
        let subscription = Subscription {
            name: self.subscription(name),
            topic: self.topic(topic),
            ack_deadline_seconds: 600,
            ..Subscription::default()
        };
        let created = self.subscriber().create_subscription(subscription).await;
        created.unwrap();
    }

    /// Takes a subscription away, as an installation without it has it.
    pub async fn unsubscribe(&self, name: &str) {
        let request = DeleteSubscriptionRequest {
            subscription: self.subscription(name),
        };
        let deleted = self.subscriber().delete_subscription(request).await;
        deleted.unwrap();
    }

    /// What one Pull brings: it waits for a first message, as long as the server does.
    pub async fn pull(&self, subscription: &str) -> Vec<ReceivedMessage> {
        self.pull_by(PullRequest {
            subscription: self.subscription(subscription),
            max_messages: 1_000,
            ..PullRequest::default()
        })
        .await
    }

    /// What is there now.
    pub async fn pull_now(&self, subscription: &str) -> Vec<ReceivedMessage> {
        #[expect(deprecated, reason = "the broker and the emulator answer it rightly")]
        let request = PullRequest {
            subscription: self.subscription(subscription),
            return_immediately: true,
            max_messages: 1_000,
        };
        self.pull_by(request).await
    }

    async fn pull_by(&self, request: PullRequest) -> Vec<ReceivedMessage> {
        let pulled = self.subscriber().pull(request).await.unwrap();
        pulled.into_inner().received_messages
    }

    /// Acknowledges what was received.
    pub async fn ack(&self, subscription: &str, received: &[ReceivedMessage]) {
        if received.is_empty() {
            return;
        }
        let request = AcknowledgeRequest {
            subscription: self.subscription(subscription),
            ack_ids: ack_ids(received),
        };
        self.subscriber().acknowledge(request).await.unwrap();
    }

    /// Gives back what was received.
    pub async fn nack(&self, subscription: &str, received: &[ReceivedMessage]) {
        let request = ModifyAckDeadlineRequest {
            subscription: self.subscription(subscription),
            ack_ids: ack_ids(received),
            ack_deadline_seconds: 0,
        };
        let given_back = self.subscriber().modify_ack_deadline(request).await;
        given_back.unwrap();
    }

    /// Takes some messages out of a subscription, once there are any.
    pub async fn take(&self, subscription: &str) -> Vec<TestMessage> {
        let received = self.pull(subscription).await;
        self.ack(subscription, &received).await;
        received.into_iter().map(message).collect()
    }
}

fn ack_ids(received: &[ReceivedMessage]) -> Vec<String> {
    let ids = received.iter().map(|received| received.ack_id.clone());
    ids.collect()
}

fn message(received: ReceivedMessage) -> TestMessage {
    let message = received.message.unwrap();
    (
        message.data.to_vec(),
        message.attributes.into_iter().collect(),
    )
}
