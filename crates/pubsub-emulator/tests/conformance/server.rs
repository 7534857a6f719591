//! The server a case talks to, and the short forms of the calls the cases make.

use std::time::Duration;

use google_cloud_auth::credentials::anonymous;
use google_cloud_googleapis::pubsub::v1::publisher_client::PublisherClient;
use google_cloud_googleapis::pubsub::v1::subscriber_client::SubscriberClient;
use google_cloud_googleapis::pubsub::v1::{
    AcknowledgeRequest, DeadLetterPolicy, GetSubscriptionRequest, ModifyAckDeadlineRequest,
    PublishRequest, PubsubMessage, PullRequest, ReceivedMessage, Subscription, Topic,
};
use google_cloud_pubsub::client::{Publisher, Subscriber};
use tonic::transport::Channel;
use tonic::{Code, Status};

/// Long enough for anything that is to happen, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long a case watches for what must not happen.
pub const WATCH: Duration = Duration::from_millis(1_500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Broker,
    /// Google's emulator; where it is wrong, the case says so.
    Emulator,
}

/// One server, with a project of its own.
#[derive(Clone, Debug)]
pub struct Server {
    pub host: String,
    pub kind: Kind,
    pub project: String,
    channel: Channel,
}

impl Server {
    pub async fn connect(host: &str, kind: Kind) -> Self {
        let channel = Channel::from_shared(format!("http://{host}"))
            .expect("a host makes an address")
            .connect()
            .await
            .expect("the server listens");
        let project = format!("p-{}", uuid::Uuid::new_v4());
        Self {
            host: host.to_owned(),
            kind,
            project,
            channel,
        }
    }

    pub fn is_broker(&self) -> bool {
        self.kind == Kind::Broker
    }

    pub fn publisher(&self) -> PublisherClient<Channel> {
        PublisherClient::new(self.channel.clone()).max_decoding_message_size(32 << 20)
    }

    pub fn subscriber(&self) -> SubscriberClient<Channel> {
        SubscriberClient::new(self.channel.clone()).max_decoding_message_size(32 << 20)
    }

    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Google's own publisher.
    pub async fn google_publisher(&self, topic: &str) -> Publisher {
        Publisher::builder(topic)
            .with_endpoint(format!("http://{}", self.host))
            .with_credentials(anonymous::Builder::new().build())
            .build()
            .await
            .expect("the client can be built")
    }

    /// Google's own subscriber.
    pub async fn google_subscriber(&self) -> Subscriber {
        Subscriber::builder()
            .with_endpoint(format!("http://{}", self.host))
            .with_credentials(anonymous::Builder::new().build())
            .build()
            .await
            .expect("the client can be built")
    }

    pub fn name(&self, collection: &str, id: &str) -> String {
        format!("projects/{}/{collection}/{id}", self.project)
    }

    pub fn fresh(&self, collection: &str) -> String {
        self.name(collection, &format!("x{}", uuid::Uuid::new_v4()))
    }

    pub async fn topic(&self) -> String {
        let name = self.fresh("topics");
        let topic = Topic {
            name: name.clone(),
            ..Topic::default()
        };
        self.publisher()
            .create_topic(topic)
            .await
            .expect("a topic can be created");
        name
    }

    /// A fresh subscription with the given settings.
    pub async fn subscription(&self, topic: &str, settings: Subscription) -> String {
        self.try_subscription(topic, settings)
            .await
            .expect("a subscription can be created")
    }

    pub async fn try_subscription(
        &self,
        topic: &str,
        settings: Subscription,
    ) -> Result<String, Status> {
        let name = self.fresh("subscriptions");
        let settings = Subscription {
            name: name.clone(),
            topic: topic.to_owned(),
            ..settings
        };
        self.subscriber()
            .create_subscription(settings)
            .await
            .map(|_| name)
    }

    pub async fn get_subscription(&self, name: &str) -> Result<Subscription, Status> {
        let request = GetSubscriptionRequest {
            subscription: name.to_owned(),
        };
        self.subscriber()
            .get_subscription(request)
            .await
            .map(tonic::Response::into_inner)
    }

    pub async fn publish(&self, topic: &str, messages: Vec<PubsubMessage>) -> Vec<String> {
        self.try_publish(topic, messages)
            .await
            .expect("the messages can be published")
    }

    pub async fn try_publish(
        &self,
        topic: &str,
        messages: Vec<PubsubMessage>,
    ) -> Result<Vec<String>, Status> {
        let request = PublishRequest {
            topic: topic.to_owned(),
            messages,
        };
        self.publisher()
            .publish(request)
            .await
            .map(|response| response.into_inner().message_ids)
    }

    /// Pulls until `count` messages have come.
    pub async fn pull(&self, subscription: &str, count: usize) -> Vec<ReceivedMessage> {
        let mut out = Vec::new();
        while out.len() < count {
            let missing = i32::try_from(count - out.len()).expect("counts are small");
            let more = self.pull_within(subscription, missing, PATIENCE).await;
            assert!(!more.is_empty(), "{} of {count} messages came", out.len());
            out.extend(more);
        }
        out
    }

    pub async fn pull_one(&self, subscription: &str) -> ReceivedMessage {
        self.pull(subscription, 1).await.remove(0)
    }

    /// One Pull that the client gives up after `patience`.
    pub async fn pull_within(
        &self,
        subscription: &str,
        most: i32,
        patience: Duration,
    ) -> Vec<ReceivedMessage> {
        let request = PullRequest {
            subscription: subscription.to_owned(),
            max_messages: most,
            ..PullRequest::default()
        };
        let mut request = tonic::Request::new(request);
        request.set_timeout(patience);
        match self.subscriber().pull(request).await {
            Ok(response) => response.into_inner().received_messages,
            Err(status) if matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled) => {
                Vec::new()
            }
            Err(status) => panic!("pull: {status}"),
        }
    }

    pub async fn assert_nothing_comes(&self, subscription: &str) {
        let unexpected = self.pull_within(subscription, 1, WATCH).await;
        assert!(unexpected.is_empty(), "unexpected: {unexpected:?}");
    }

    pub async fn acknowledge(
        &self,
        subscription: &str,
        ack_ids: Vec<String>,
    ) -> Result<(), Status> {
        let request = AcknowledgeRequest {
            subscription: subscription.to_owned(),
            ack_ids,
        };
        self.subscriber().acknowledge(request).await.map(|_| ())
    }

    pub async fn ack(&self, subscription: &str, received: &ReceivedMessage) {
        self.acknowledge(subscription, vec![received.ack_id.clone()])
            .await
            .expect("the ack is taken");
    }

    pub async fn modify(
        &self,
        subscription: &str,
        ack_id: &str,
        seconds: i32,
    ) -> Result<(), Status> {
        let request = ModifyAckDeadlineRequest {
            subscription: subscription.to_owned(),
            ack_ids: vec![ack_id.to_owned()],
            ack_deadline_seconds: seconds,
        };
        self.subscriber()
            .modify_ack_deadline(request)
            .await
            .map(|_| ())
    }

    pub async fn lease_for(&self, subscription: &str, received: &ReceivedMessage, seconds: i32) {
        self.modify(subscription, &received.ack_id, seconds)
            .await
            .expect("the deadline is taken");
    }

    pub async fn nack(&self, subscription: &str, received: &ReceivedMessage) {
        self.lease_for(subscription, received, 0).await;
    }
}

/// A message of this body.
pub fn message(data: &str) -> PubsubMessage {
    PubsubMessage {
        data: data.to_owned().into(),
        ..PubsubMessage::default()
    }
}

/// The same message with one more attribute.
pub fn with(mut message: PubsubMessage, key: &str, value: &str) -> PubsubMessage {
    message.attributes.insert(key.to_owned(), value.to_owned());
    message
}

pub fn data(received: &ReceivedMessage) -> String {
    let message = received.message.as_ref().expect("a delivery has a message");
    String::from_utf8(message.data.to_vec()).expect("the cases write text")
}

pub fn all_data(received: &[ReceivedMessage]) -> Vec<String> {
    let mut all: Vec<String> = received.iter().map(data).collect();
    all.sort();
    all
}

/// Settings under a dead-letter policy.
pub fn dead_letter_to(topic: &str, attempts: i32) -> Subscription {
    Subscription {
        dead_letter_policy: Some(DeadLetterPolicy {
            dead_letter_topic: topic.to_owned(),
            max_delivery_attempts: attempts,
        }),
        ..Subscription::default()
    }
}

/// The code of a refusal.
pub fn code<T: std::fmt::Debug>(result: Result<T, Status>) -> Code {
    result.expect_err("the call is refused").code()
}
