//! What becomes of a subscription while a stage serves, on Google's emulator: it lets a stream
//! stand whose subscription is gone, and delivers nothing over it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use google_cloud_googleapis::pubsub::v1::{
    DeleteSubscriptionRequest, ModifyPushConfigRequest, PushConfig,
};
use lookup_gitlab_sync::{
    config,
    messaging::{
        Connection, Consumer, ConsumerSettings, Delivery, Disposition, Handler, Liveness, Outcomes,
        RunId, Stage, StageMessages, Topic, Topology,
    },
};
use testkit::google_emulator::GoogleEmulator;
use testkit::wait::until;
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

/// A worker stage that notes what it gets.
struct Served {
    connection: Connection,
    seen: Seen,
    liveness: Liveness,
    stopping: CancellationToken,
    running: JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Bytes>>>);

impl Handler for Seen {
    fn stage(&self) -> Stage {
        Stage::UserWorker
    }

    async fn handle(&self, delivery: Arc<Delivery>) -> Disposition {
        self.0.lock().unwrap().push(delivery.body.clone());
        Disposition::Done(Box::default())
    }
}

impl Served {
    async fn on(emulator: &GoogleEmulator, settings: ConsumerSettings) -> Self {
        let unique = RunId::new();
        let connection = Connection::open(&config::PubSubConfig {
            project: format!("p-{unique}"),
            emulator_host: Some(emulator.host().to_owned()),
            endpoint: None,
            prefix: format!("t{unique}-"),
        })
        .await
        .unwrap();
        Topology::new(&connection).apply().await.unwrap();
        let seen = Seen::default();
        let consumer = Consumer::new(&connection, settings, seen.clone(), Outcomes::only_logged());
        let stopping = CancellationToken::new();
        Self {
            liveness: consumer.liveness(),
            running: tokio::spawn(consumer.run(stopping.clone())),
            connection,
            seen,
            stopping,
        }
    }

    async fn publish(&self, body: &'static str) {
        let publisher = self.connection.publisher(Topic::UserSync).await.unwrap();
        let body = Bytes::from_static(body.as_bytes());
        publisher.publish_raw(body, BTreeMap::new()).await.unwrap();
    }

    fn has(&self, body: &'static str) -> bool {
        let seen = self.seen.0.lock().unwrap();
        seen.iter().any(|seen| seen.as_ref() == body.as_bytes())
    }

    async fn gets(&self, body: &'static str) {
        until(body, async || self.has(body)).await;
    }

    /// Publishes one after the other until one comes: the emulator holds a stream that was closed
    /// for open, and what it gives to that one comes back only with the end of its lease, which may
    /// be given there again.
    async fn gets_one_of_many(&self, body: &'static str) {
        until(body, async || {
            self.publish(body).await;
            sleep(Duration::from_secs(1)).await;
            self.has(body)
        })
        .await;
    }

    /// What `/readyz` says once `/livez` fails too.
    async fn is_wrong(&self) -> String {
        until("not live", async || self.liveness.live().is_err()).await;
        self.liveness.ready().unwrap_err()
    }

    async fn is_well(&self) {
        until("ready", async || self.liveness.ready().is_ok()).await;
    }

    fn subscription(&self) -> String {
        self.connection.names().subscription("user-sync-worker")
    }

    async fn delete_subscription(&self) {
        let request = DeleteSubscriptionRequest {
            subscription: self.subscription(),
        };
        let request = self.connection.request(request).await.unwrap();
        let mut api = self.connection.subscriptions();
        api.delete_subscription(request).await.unwrap();
    }

    async fn push_to(&self, endpoint: &str) {
        let request = ModifyPushConfigRequest {
            subscription: self.subscription(),
            push_config: Some(PushConfig {
                push_endpoint: endpoint.to_owned(),
                ..PushConfig::default()
            }),
        };
        let request = self.connection.request(request).await.unwrap();
        let mut api = self.connection.subscriptions();
        api.modify_push_config(request).await.unwrap();
    }

    async fn stop(self) {
        self.stopping.cancel();
        self.running.await.unwrap();
    }
}

fn watching() -> ConsumerSettings {
    ConsumerSettings {
        ask_every: Duration::from_millis(300),
        ..ConsumerSettings::new(10, Duration::from_secs(8))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_made_again_is_read_and_one_that_is_gone_or_pushed_is_told() {
    let Some(emulator) = GoogleEmulator::start().await else {
        return;
    };
    let served = Served::on(&emulator, watching()).await;
    served.publish("before").await;
    served.gets("before").await;

    served.delete_subscription().await;
    let told = served.is_wrong().await;
    assert!(told.contains("user-sync-worker: missing"), "{told}");
    let to_worker = StageMessages::to(Stage::UserWorker, &served.connection);
    to_worker.check_reader().await.unwrap_err();
    Topology::new(&served.connection).apply().await.unwrap();
    served.is_well().await;
    to_worker.check_reader().await.unwrap();
    served.gets_one_of_many("made again").await;

    served.push_to("http://127.0.0.1:9/nowhere").await;
    let told = served.is_wrong().await;
    assert!(
        told.contains("push_config is push, expected pull"),
        "{told}"
    );
    served.push_to("").await;
    served.is_well().await;
    // What is published from here on may be starved for minutes: the stream that was closed is held
    // for open there.
    served.stop().await;
}
