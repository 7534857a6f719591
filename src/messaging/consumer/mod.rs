//! The pull loop of a stage: bounded, supervised, and stopped without losing anything.

mod dispatch;
mod lease;
mod liveness;
mod stream;

#[cfg(test)]
mod tests;

pub(crate) use dispatch::LAST_ATTEMPT;
pub use dispatch::{DeadLetters, Dispatch, Records};
pub use lease::Lease;
pub use liveness::Liveness;

use std::{sync::Arc, time::Duration};

use google_cloud_googleapis::pubsub::v1::GetSubscriptionRequest;
use google_cloud_pubsub::client::Subscriber;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use self::dispatch::DeadLetterTopic;
use super::{Batching, Connection, Handler, Outcomes, PubSubError, PublisherOptions, error::chain};

/// How a stage consumes.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// Messages leased and handled at once. The client acks every 100 ms, so throughput is about ten times this.
    pub max_outstanding: u32,
    /// Time from the signal to stop to the last nack. The handlers get three quarters of it.
    pub grace: Duration,
    /// Ask about the subscription after this long without a delivery. 30 s.
    pub ask_after: Duration,
}

impl ConsumerSettings {
    /// With the defaults for the rest.
    pub const fn new(max_outstanding: u32, grace: Duration) -> Self {
        Self {
            max_outstanding,
            grace,
            ask_after: Duration::from_secs(30),
        }
    }
}

/// Pulls the messages of one stage, asks its handler, and acks or nacks as the handler's [`super::Disposition`] says.
pub struct Consumer<H> {
    connection: Connection,
    settings: ConsumerSettings,
    outcomes: Outcomes,
    running: Arc<Running<H>>,
}

impl<H: Handler> Consumer<H> {
    /// A consumer of `handler`'s stage. Ask [`super::Topology::check_stage`] first: it does not.
    pub fn new(
        connection: &Connection,
        settings: ConsumerSettings,
        handler: H,
        outcomes: Outcomes,
    ) -> Self {
        let stage = handler.stage();
        let names = connection.names();
        let places = usize::try_from(settings.max_outstanding.max(1)).unwrap_or(1);
        let copies = |batching| {
            let options = PublisherOptions {
                batching,
                ..PublisherOptions::default()
            };
            connection.publisher_with(stage.dead_letter_topic(), &options)
        };
        let dead_letters = DeadLetterTopic {
            shared: copies(Batching::Shared),
            alone: copies(Batching::OneByOne),
            original_topic: names.id(stage.topic().as_str()),
        };
        Self {
            connection: connection.clone(),
            running: Arc::new(Running {
                subscriber: connection.subscriber().clone(),
                subscription: names.subscription(stage.subscription()),
                max_outstanding: settings.max_outstanding.max(1).into(),
                places: Arc::new(Semaphore::new(places)),
                dispatch: Dispatch {
                    handler,
                    dead_letters,
                    records: outcomes.clone(),
                },
                liveness: Liveness::new(),
                tasks: TaskTracker::new(),
                streams: TaskTracker::new(),
                give_up: CancellationToken::new(),
            }),
            settings,
            outcomes,
        }
    }

    /// Shows whether the loop is still reached by Pub/Sub.
    pub fn liveness(&self) -> Liveness {
        self.running.liveness.clone()
    }

    /// Pulls until `stopping` is cancelled, then drains and returns within the grace: what runs may finish, the rest is
    /// nacked, acks and outcomes go out. Give it a task of its own and never drop it half-way.
    pub async fn run(self, stopping: CancellationToken) {
        let asking = stopping.child_token();
        let asks = tokio::spawn(ask_while_idle(
            self.connection.clone(),
            self.running.subscription.clone(),
            self.running.liveness.clone(),
            self.settings.ask_after,
            asking.clone(),
        ));
        self.running.pull(&stopping).await;
        asking.cancel();
        self.drain().await;
        // It only ever waits for a tick or for an answer, and ends on cancellation.
        drop(asks.await);
    }

    async fn drain(&self) {
        let stage = self.running.dispatch.handler.stage();
        let started = Instant::now();
        let handlers_until = started + self.settings.grace.mul_f32(0.75);
        let all_until = started + self.settings.grace;
        let tasks = &self.running.tasks;
        tasks.close();
        info!(event = "stage_stopping", %stage, messages = tasks.len());
        if timeout_at(handlers_until, tasks.wait()).await.is_err() {
            warn!(event = "messages_given_back", %stage, messages = tasks.len());
            self.running.give_up.cancel();
            tasks.wait().await;
        }
        self.running.streams.close();
        let flushed = async {
            tokio::join!(self.running.streams.wait(), self.outcomes.flush());
        };
        if timeout_at(all_until, flushed).await.is_err() {
            warn!(event = "flush_timed_out", %stage);
        }
    }
}

/// What the loop and its tasks share.
struct Running<H> {
    subscriber: Subscriber,
    /// Full name.
    subscription: String,
    max_outstanding: i64,
    places: Arc<Semaphore>,
    dispatch: Dispatch<H, DeadLetterTopic, Outcomes>,
    liveness: Liveness,
    /// One a message.
    tasks: TaskTracker,
    /// One a stream, until its last message has ended and its acks have gone out.
    streams: TaskTracker,
    /// The grace is over.
    give_up: CancellationToken,
}

/// While nothing is delivered, asks whether the subscription still answers.
async fn ask_while_idle(
    connection: Connection,
    subscription: String,
    liveness: Liveness,
    every: Duration,
    stopping: CancellationToken,
) {
    loop {
        tokio::select! {
            biased;
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        if liveness.silence() < every {
            continue;
        }
        let answer = tokio::select! {
            biased;
            () = stopping.cancelled() => return,
            answer = ask(&connection, &subscription) => answer,
        };
        match answer {
            Ok(()) => liveness.sign(),
            Err(error) => {
                let silent_s = liveness.silence().as_secs();
                warn!(event = "pubsub_silent", silent_s, why = chain(&error));
            }
        }
    }
}

async fn ask(connection: &Connection, subscription: &str) -> Result<(), PubSubError> {
    let request = connection
        .request(GetSubscriptionRequest {
            subscription: subscription.to_owned(),
        })
        .await?;
    connection
        .subscriptions()
        .get_subscription(request)
        .await
        .map(drop)
        .map_err(|status| PubSubError::refused("get the subscription", &status))
}
