//! The streaming pull and how it is opened again.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use backoff::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures::FutureExt as _;
use google_cloud_pubsub::{Error, client::Subscriber, subscriber::MessageStream};
use tokio::{
    sync::{OwnedSemaphorePermit, futures::Notified},
    time::{Instant, Sleep, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::{
    ConsumerLoop,
    lease::{Lease, delivery},
};
use crate::{
    config::ACK_DEADLINE,
    messaging::{Delivery, Handler, PubSubError, error::chain, leases::Leases},
};

/// The longest lease: the subscription's retention. The client's default of an hour would let held
/// messages lapse.
const MAX_LEASE: Duration = Duration::from_hours(7 * 24);
/// Bytes of messages in memory at once, at most; a single larger message still comes.
const MAX_OUTSTANDING_BYTES: i64 = 64 * 1024 * 1024;

/// At the end, nothing is under way any more after this long without a message.
const UNREAD_QUIET: Duration = Duration::from_millis(50);
/// How long is read at the end, at most.
const UNREAD_LONGEST: Duration = Duration::from_millis(500);

/// Why a stream ended.
enum Ended {
    /// We stopped it.
    Stopped,
    /// It brought nothing for so long that it may be dead, or there is reason to think so.
    Quiet,
    /// There is no client that could open it.
    NotBegun(PubSubError),
    /// Pub/Sub closed it without an error.
    Closed,
    /// With an error that the client does not retry: Unknown, Cancelled, `NotFound`,
    /// `PermissionDenied`.
    Failed(Box<Error>),
}

impl<H: Handler> ConsumerLoop<H> {
    /// Pulls until `stopping`, with one stream after the other.
    pub(super) async fn pull(self: &Arc<Self>, stopping: &CancellationToken) {
        // Shared with every message: a clone of the token itself takes the one lock of all of them.
        let stopping = &Arc::new(stopping.clone());
        let pulled = Arc::new(Leases::new(
            &self.connection,
            self.subscription.clone(),
            ACK_DEADLINE / 3,
        ));
        let Some(mut subscriber) = self.first_subscriber(stopping).await else {
            return;
        };
        let mut pauses = growing_pauses();
        loop {
            let (ended, delivered) = self.one_stream(&subscriber, stopping).await;
            if stopping.is_cancelled() {
                return;
            }
            if delivered {
                pauses = growing_pauses();
            }
            if matches!(ended, Ended::Quiet) {
                subscriber = self.renew(subscriber, &pulled, stopping).await;
                continue;
            }
            let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
            self.log_end(&ended, pause);
            tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                () = sleep(pause) => {}
            }
        }
    }

    async fn first_subscriber(&self, stopping: &CancellationToken) -> Option<Subscriber> {
        let mut pauses = growing_pauses();
        loop {
            let error = match self.connection.subscriber().await {
                Ok(subscriber) => return Some(subscriber),
                Err(error) => error,
            };
            let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
            self.log_end(&Ended::NotBegun(error), pause);
            tokio::select! {
                biased;
                () = stopping.cancelled() => return None,
                () = sleep(pause) => {}
            }
        }
    }

    /// One stream from its opening to its end, and whether it delivered anything.
    async fn one_stream(
        self: &Arc<Self>,
        subscriber: &Subscriber,
        stopping: &Arc<CancellationToken>,
    ) -> (Ended, bool) {
        let mut stream = self.open(subscriber);
        let closing = CancellationToken::new();
        self.close_when(&stream, closing.clone());
        let mut quiet = Quiet::of(self);
        let mut delivered = false;
        let ended = loop {
            let Some(slot) = self.slot(stopping).await else {
                break Ended::Stopped;
            };
            quiet.begins_now();
            // A dropped call of `next` may have to open the stream anew, so it is dropped at the
            // very end only.
            let next = tokio::select! {
                biased;
                () = stopping.cancelled() => break Ended::Stopped,
                next = stream.next() => next,
                () = quiet.lasts_too_long() => break Ended::Quiet,
            };
            match next {
                Some(Ok((message, lease))) => {
                    delivered = true;
                    self.liveness.delivered();
                    let delivery = delivery(message, &lease);
                    self.settle(delivery, lease, slot, stopping);
                }
                Some(Err(error)) => break Ended::Failed(Box::new(error)),
                None => break Ended::Closed,
            }
        };
        if stopping.is_cancelled() {
            self.give_back_unread(&mut stream).await;
        }
        drop(stream);
        closing.cancel();
        (ended, delivered)
    }

    /// Reads what is under way and gives it back. Closing nacks only what the client has read; the
    /// rest would stay leased until the ack deadline. What Pub/Sub sends after this is beyond
    /// reach: the client cannot close its own half first.
    async fn give_back_unread(&self, stream: &mut MessageStream) {
        // Held to the end: each nack would make room for one more delivery.
        let mut unread = Vec::new();
        let reading = async {
            while let Ok(Some(Ok((_, lease)))) = timeout(UNREAD_QUIET, stream.next()).await {
                unread.push(lease);
            }
        };
        // Under a steady stream there is always one more.
        drop(timeout(UNREAD_LONGEST, reading).await);
        debug!(event = "unread_given_back", messages = unread.len());
    }

    fn open(&self, subscriber: &Subscriber) -> MessageStream {
        subscriber
            .subscribe(&self.subscription)
            .set_max_outstanding_messages(self.max_outstanding)
            .set_max_outstanding_bytes(MAX_OUTSTANDING_BYTES)
            .set_max_lease(MAX_LEASE)
            .set_max_lease_extension(ACK_DEADLINE)
            .build()
    }

    /// Closes the stream once `closing` is cancelled, and keeps its leases until each of its
    /// messages has ended and the acks have gone out: dropping a stream alone does neither.
    fn close_when(&self, stream: &MessageStream, closing: CancellationToken) {
        let token = stream.shutdown_token();
        self.streams.spawn(async move {
            closing.cancelled().await;
            token.shutdown().await;
        });
    }

    /// Takes a message to its end, in a task of its own unless that is at hand: most messages of a
    /// run change nothing.
    pub(super) fn settle(
        self: &Arc<Self>,
        delivery: Delivery,
        lease: impl Lease + 'static,
        slot: OwnedSemaphorePermit,
        stopping: &Arc<CancellationToken>,
    ) {
        let running = Arc::clone(self);
        let stopping = Arc::clone(stopping);
        let mut settling = Box::pin(async move {
            let delivery = Arc::new(delivery);
            tokio::select! {
                // Most end at once and never have to be told of the other.
                biased;
                () = running.dispatch.settle(delivery, lease, &stopping) => {}
                () = running.give_up.cancelled() => {}
            }
            drop(slot);
        });
        // As in a task, what panics is dropped, which nacks.
        let first = catch_unwind(AssertUnwindSafe(|| (&mut settling).now_or_never()));
        if let Ok(None) = first {
            self.tasks.spawn(settling);
        }
    }

    fn log_end(&self, ended: &Ended, pause: Duration) {
        let stage = self.dispatch.handler.stage();
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        match ended {
            Ended::Stopped | Ended::Quiet | Ended::Closed => {
                warn!(event = "stream_reopened", %stage, pause_ms, why = "closed by Pub/Sub");
            }
            Ended::NotBegun(error) => {
                warn!(event = "stream_reopened", %stage, pause_ms, why = chain(error));
            }
            Ended::Failed(error) if needs_a_person(error) => {
                error!(event = "stream_reopened", %stage, pause_ms, why = chain(error.as_ref()),
                    "run `lookup-gitlab-sync topology check`");
            }
            Ended::Failed(error) => {
                warn!(event = "stream_reopened", %stage, pause_ms, why = chain(error.as_ref()));
            }
        }
    }
}

/// How long a stream has brought nothing while it could have.
struct Quiet<'a> {
    allowed: Duration,
    until: Instant,
    timer: Pin<Box<Sleep>>,
    /// There is reason not to trust the stream.
    distrusted: Pin<Box<Notified<'a>>>,
}

impl<'a> Quiet<'a> {
    /// That of a stream of `running` which is opened now. While the last one was found deaf, this
    /// one is given less time.
    fn of<H>(running: &'a ConsumerLoop<H>) -> Self {
        let allowed = if running.liveness.deaf() > 0 {
            running.renew_after / 4
        } else {
            running.renew_after
        };
        Self {
            allowed,
            until: Instant::now() + allowed,
            timer: Box::pin(sleep(allowed)),
            distrusted: Box::pin(running.distrust.notified()),
        }
    }

    /// The stream could deliver from now on: there is a slot.
    fn begins_now(&mut self) {
        self.until = Instant::now() + self.allowed;
    }

    /// The timer is moved only where it has fired: most messages come before that, and moving it
    /// costs each of them.
    async fn lasts_too_long(&mut self) {
        loop {
            tokio::select! {
                () = &mut self.distrusted => return,
                () = &mut self.timer => {}
            }
            if Instant::now() >= self.until {
                return;
            }
            self.timer.as_mut().reset(self.until);
        }
    }
}

/// A subscription that is gone or forbidden does not come back by waiting.
fn needs_a_person(error: &Error) -> bool {
    error
        .status()
        .is_some_and(|status| matches!(status.code.name(), "NOT_FOUND" | "PERMISSION_DENIED"))
}

/// The longest pause before a stream is opened again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

fn growing_pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(LONGEST_PAUSE)
        .with_jitter()
        .without_max_times()
        .build()
}
