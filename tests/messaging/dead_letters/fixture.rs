//! A broker with the service's topology, and dead letters in it.

use std::{collections::BTreeMap, time::Duration};

use google_cloud_googleapis::pubsub::v1::{
    AcknowledgeRequest, DeadLetterPolicy, DeleteSubscriptionRequest, GetSubscriptionRequest,
    ModifyAckDeadlineRequest, PubsubMessage, PullRequest, ReceivedMessage, RetryPolicy,
    Subscription, Topic,
};
use jiff::Timestamp;
use lookup_gitlab_sync::{
    config,
    messaging::{
        Batching, Connection, DeadLetter, DeadLetterReason, Delivery, PublisherOptions, Stage,
        Topology, dead_letters,
    },
};
use pubsub_emulator::{Broker, BrokerSettings, DeliveryCounts};
use testkit::wait::PATIENCE;

pub type Attributes = BTreeMap<String, String>;

pub struct DeadLetterFixture {
    pub connection: Connection,
    /// None on the emulator.
    pub broker: Option<Broker>,
}

impl DeadLetterFixture {
    pub async fn start() -> Self {
        let broker = Broker::start(BrokerSettings::default()).await.unwrap();
        let connection = connect(&broker.host()).await;
        Topology::new(&connection).apply().await.unwrap();
        Self {
            connection,
            broker: Some(broker),
        }
    }

    /// On an emulator, which refuses the topology's 31 days of retention: the users' part, made by
    /// hand.
    pub async fn at(host: &str) -> Self {
        let connection = connect(host).await;
        let (names, stage) = (connection.names(), Stage::UserWorker);
        for topic in [stage.topic().as_str(), stage.dead_letter_topic()] {
            let topic = Topic {
                name: names.topic(topic),
                ..Topic::default()
            };
            connection.topics().create_topic(topic).await.unwrap();
        }
        let subscription = |name: &str, topic: &str| Subscription {
            name: names.subscription(name),
            topic: names.topic(topic),
            ack_deadline_seconds: 60,
            ..Subscription::default()
        };
        let mut work = subscription(stage.subscription(), stage.topic().as_str());
        work.dead_letter_policy = Some(DeadLetterPolicy {
            dead_letter_topic: names.topic(stage.dead_letter_topic()),
            max_delivery_attempts: 100,
        });
        let hold = subscription(stage.hold_subscription(), stage.dead_letter_topic());
        for subscription in [work, hold] {
            connection
                .subscriptions()
                .create_subscription(subscription)
                .await
                .unwrap();
        }
        Self {
            connection,
            broker: None,
        }
    }

    /// Puts a message into the dead-letter topic of `stage` as it is.
    pub async fn bury(&self, stage: Stage, body: &[u8], attributes: Attributes) -> String {
        let options = PublisherOptions {
            batching: Batching::OneByOne,
            ..PublisherOptions::default()
        };
        let publisher = self
            .connection
            .publisher_with(stage.dead_letter_topic(), &options);
        publisher
            .publish_raw(body.to_vec().into(), attributes)
            .await
            .unwrap()
    }

    /// Gives a user's message up as the service does.
    pub async fn give_up(&self, body: &str, reason: DeadLetterReason) -> String {
        let attributes = died(
            Stage::UserWorker,
            body.as_bytes(),
            &[("run", "r1")].into(),
            reason,
        );
        self.bury(Stage::UserWorker, body.as_bytes(), attributes)
            .await
    }

    pub fn counts(&self, subscription: &str) -> DeliveryCounts {
        let name = self.connection.names().subscription(subscription);
        self.broker.as_ref().unwrap().counts(&name).unwrap()
    }

    /// How many dead letters of users there are.
    pub fn held(&self) -> usize {
        let counts = self.counts(Stage::UserWorker.hold_subscription());
        counts.outstanding + counts.waiting
    }

    pub async fn pull(&self, subscription: &str) -> Vec<ReceivedMessage> {
        #[expect(deprecated, reason = "the broker and the emulator answer it rightly")]
        let request = PullRequest {
            subscription: self.connection.names().subscription(subscription),
            return_immediately: true,
            max_messages: 1_000,
        };
        let request = self.connection.request(request).await.unwrap();
        self.connection
            .subscriptions()
            .pull(request)
            .await
            .unwrap()
            .into_inner()
            .received_messages
    }

    /// Takes everything that is there, until `count` have come.
    pub async fn take(&self, subscription: &str, count: usize) -> Vec<PubsubMessage> {
        let mut taken = Vec::new();
        let taking = async {
            while taken.len() < count {
                let received = self.pull(subscription).await;
                self.ack(subscription, &received).await;
                taken.extend(received.into_iter().filter_map(|received| received.message));
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, taking)
            .await
            .expect("the messages come");
        taken
    }

    pub async fn ack(&self, subscription: &str, received: &[ReceivedMessage]) {
        if received.is_empty() {
            return;
        }
        let request = AcknowledgeRequest {
            subscription: self.connection.names().subscription(subscription),
            ack_ids: received
                .iter()
                .map(|received| received.ack_id.clone())
                .collect(),
        };
        let request = self.connection.request(request).await.unwrap();
        self.connection
            .subscriptions()
            .acknowledge(request)
            .await
            .unwrap();
    }

    pub async fn nack(&self, subscription: &str, received: &[ReceivedMessage]) {
        let request = ModifyAckDeadlineRequest {
            subscription: self.connection.names().subscription(subscription),
            ack_ids: received
                .iter()
                .map(|received| received.ack_id.clone())
                .collect(),
            ack_deadline_seconds: 0,
        };
        let request = self.connection.request(request).await.unwrap();
        self.connection
            .subscriptions()
            .modify_ack_deadline(request)
            .await
            .unwrap();
    }

    /// Makes a subscription anew with other settings.
    pub async fn remake(&self, subscription: &str, change: impl FnOnce(&mut Subscription)) {
        let name = self.connection.names().subscription(subscription);
        let mut client = self.connection.subscriptions();
        let get = GetSubscriptionRequest {
            subscription: name.clone(),
        };
        let mut settings = client.get_subscription(get).await.unwrap().into_inner();
        client
            .delete_subscription(DeleteSubscriptionRequest { subscription: name })
            .await
            .unwrap();
        change(&mut settings);
        client.create_subscription(settings).await.unwrap();
    }

    /// Lets leases of dead letters lapse after 10 s, the least that Pub/Sub knows.
    pub async fn lapse_soon(&self) {
        self.remake(Stage::UserWorker.hold_subscription(), |hold| {
            hold.ack_deadline_seconds = 10;
        })
        .await;
    }

    /// Publishes to `user-sync` and gives it back until Pub/Sub itself forwards it.
    pub async fn let_pubsub_give_up(&self, body: &str) {
        let worker = Stage::UserWorker.subscription();
        self.remake(worker, |settings| {
            settings.retry_policy = Some(RetryPolicy {
                minimum_backoff: Some(prost_types::Duration {
                    seconds: 0,
                    nanos: 0,
                }),
                maximum_backoff: Some(prost_types::Duration {
                    seconds: 0,
                    nanos: 0,
                }),
            });
            let policy = settings.dead_letter_policy.take().unwrap();
            settings.dead_letter_policy = Some(DeadLetterPolicy {
                max_delivery_attempts: 5,
                ..policy
            });
        })
        .await;
        let publisher = self
            .connection
            .publisher_with("user-sync", &PublisherOptions::default());
        publisher
            .publish_raw(body.to_owned().into(), Attributes::new())
            .await
            .unwrap();
        let giving_back = async {
            let mut given_back = 0;
            while given_back < 5 {
                let received = self.pull(worker).await;
                if !received.is_empty() {
                    self.nack(worker, &received).await;
                    given_back += 1;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, giving_back)
            .await
            .expect("it is delivered five times");
        self.wait_for_forwarded().await;
    }

    /// The emulator forwards some time after the last nack.
    async fn wait_for_forwarded(&self) {
        let hold = Stage::UserWorker.hold_subscription();
        let coming = async {
            loop {
                let received = self.pull(hold).await;
                if !received.is_empty() {
                    return self.nack(hold, &received).await;
                }
                assert!(
                    self.pull(Stage::UserWorker.subscription()).await.is_empty(),
                    "it was delivered a sixth time"
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, coming)
            .await
            .expect("it is forwarded");
    }
}

async fn connect(host: &str) -> Connection {
    let config = config::PubSubConfig {
        project: "p".to_owned(),
        emulator_host: Some(host.to_owned()),
        endpoint: None,
        prefix: "test-".to_owned(),
    };
    Connection::open(&config).await.unwrap()
}

/// The attributes of a message that a stage gave up.
pub fn died(
    stage: Stage,
    body: &[u8],
    attributes: &BTreeMap<&str, &str>,
    reason: DeadLetterReason,
) -> Attributes {
    let delivery = Delivery {
        message_id: "4711".to_owned(),
        body: body.to_vec().into(),
        attributes: attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        publish_time: None,
        delivery_attempt: Some(10),
    };
    let letter = DeadLetter {
        reason,
        detail: "for a test".to_owned(),
        record: None,
    };
    dead_letters::attributes(
        &delivery,
        stage,
        stage.topic().as_str(),
        &letter,
        Timestamp::now(),
    )
}
