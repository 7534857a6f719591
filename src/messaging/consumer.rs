//! The pull loop of a stage: bounded, supervised, and stopped without losing anything.

mod beside;
mod dead_letter_topic;
mod dispatch;
mod held_runs;
mod holds;
mod lease;
mod liveness;
mod stream;
mod watch;

#[cfg(test)]
mod tests;

pub(crate) use dispatch::LAST_ATTEMPT;
pub use dispatch::{DeadLetters, Dispatch, Records};
pub use holds::Holds;
pub use lease::Lease;
pub use liveness::Liveness;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, Semaphore},
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use self::{dead_letter_topic::DeadLetterTopic, watch::Watch};
use super::{Batching, Connection, Handler, Outcomes, PublisherOptions, Topology};

/// See [`ConsumerSettings::renew_after`].
const RENEW_AFTER: Duration = Duration::from_mins(2);
/// The same on an emulator.
const RENEW_LOCALLY_AFTER: Duration = Duration::from_hours(1);

/// How a stage consumes.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// Messages leased and handled at once. The client acks every 100 ms, so throughput is about
    /// ten times this.
    pub max_outstanding: u32,
    /// Time from the signal to stop to the last nack. The handlers get three quarters of it.
    pub grace: Duration,
    /// How often Pub/Sub is asked what has become of the subscription and of all else that the
    /// stage needs. 30 s.
    pub ask_every: Duration,
    /// A stream that could have delivered for this long and brought nothing is opened anew on a new
    /// connection. `None` is 2 min on Google Cloud; on an emulator 1 h, see [`Consumer`].
    pub renew_after: Option<Duration>,
}

impl ConsumerSettings {
    /// With the defaults for the rest.
    pub const fn new(max_outstanding: u32, grace: Duration) -> Self {
        Self {
            max_outstanding,
            grace,
            ask_every: Duration::from_secs(30),
            renew_after: None,
        }
    }
}

/// Pulls the messages of one stage, asks its handler, and acks or nacks as the handler's
/// [`super::Disposition`] says.
///
/// A stream that brings nothing for a while is replaced by one on a new connection, and a Pull
/// between the two looks whether a message waits that the old one did not bring. Google's emulator
/// (0.8.20) gives messages to a stream that was closed for a minute more, so there it is done
/// rarely.
pub struct Consumer<H> {
    settings: ConsumerSettings,
    outcomes: Outcomes,
    running: Arc<ConsumerLoop<H>>,
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
        let slots = usize::try_from(settings.max_outstanding.max(1)).unwrap_or(1);
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
            running: Arc::new(ConsumerLoop {
                connection: connection.clone(),
                renew_after: settings.renew_after.unwrap_or(if connection.is_local() {
                    RENEW_LOCALLY_AFTER
                } else {
                    RENEW_AFTER
                }),
                distrust: Notify::new(),
                subscription: names.subscription(stage.subscription()),
                max_outstanding: settings.max_outstanding.max(1).into(),
                slots: Arc::new(Semaphore::new(slots)),
                dispatch: Dispatch {
                    handler,
                    dead_letters,
                    records: outcomes.clone(),
                    holds: Holds::new(slots),
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

    /// Pulls until `stopping` is cancelled, then drains and returns within the grace: what runs may
    /// finish, the rest is nacked, acks and outcomes go out. Give it a task of its own and never
    /// drop it half-way.
    pub async fn run(self, stopping: CancellationToken) {
        let watching = stopping.child_token();
        let watch = self.watch(watching.clone());
        self.running.pull(&stopping).await;
        watching.cancel();
        self.drain().await;
        // It only ever waits for a tick or for an answer, and ends on cancellation.
        drop(watch.await);
    }

    fn watch(&self, stopping: CancellationToken) -> JoinHandle<()> {
        let watch = Watch {
            topology: Topology::new(&self.running.connection),
            stage: self.running.dispatch.handler.stage(),
            liveness: self.running.liveness.clone(),
            every: self.settings.ask_every,
        };
        let running = Arc::clone(&self.running);
        tokio::spawn(watch.run(stopping, move || running.distrust.notify_one()))
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
struct ConsumerLoop<H> {
    connection: Connection,
    renew_after: Duration,
    /// Told when there is reason not to trust the stream that is open.
    distrust: Notify,
    /// Full name.
    subscription: String,
    max_outstanding: i64,
    slots: Arc<Semaphore>,
    dispatch: Dispatch<H, DeadLetterTopic, Outcomes>,
    liveness: Liveness,
    /// One a message.
    tasks: TaskTracker,
    /// One a stream, until its last message has ended and its acks have gone out.
    streams: TaskTracker,
    /// The grace is over.
    give_up: CancellationToken,
}
