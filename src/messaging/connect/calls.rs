//! Calls that are made again on a connection that breaks. Each of them may be made twice.

use std::time::Duration;

use backoff::{BackoffBuilder as _, ExponentialBuilder};
use google_cloud_googleapis::pubsub::v1::{PullRequest, ReceivedMessage};
use tokio::time::{Instant, sleep};
use tonic::{Code, Request, Response, Status, transport::Channel};
use tracing::debug;

use super::{Connection, clients::subscriptions};
use crate::messaging::{Operation, PubSubError, error::is_ours_timed_out};

/// How long a Pull waits for a message on Google Cloud, where one that returns at once often misses
/// what is there.
pub(in crate::messaging) const PULL_WAIT: Duration = Duration::from_secs(5);

/// What a call waits for.
#[derive(Clone, Copy)]
enum Wait {
    /// An answer, which a connection that lives gives soon.
    ForAnswer,
    /// Something new, which may not come within this time.
    ForNews(Duration),
}

impl Connection {
    /// Makes `call` with `message` until it is answered: again, and on a new connection, where the
    /// old one broke or gave no answer. Only for calls that may be made twice.
    ///
    /// # Errors
    /// When Pub/Sub refuses, or cannot be reached within [`super::PubSubTimeouts::calls`]. `operation`
    /// says what was asked.
    pub(in crate::messaging) async fn ask<M, R, F>(
        &self,
        operation: &Operation,
        message: &M,
        call: impl Fn(Channel, Request<M>) -> F,
    ) -> Result<R, PubSubError>
    where
        M: Clone,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        self.ask_and_wait(operation, message, Wait::ForAnswer, call)
            .await
    }

    /// Pulls up to `most` messages, and none where nothing comes within [`PULL_WAIT`]; an emulator
    /// answers at once.
    ///
    /// # Errors
    /// Those of [`Self::ask`].
    pub(in crate::messaging) async fn pull(
        &self,
        operation: &Operation,
        subscription: &str,
        most: i32,
    ) -> Result<Vec<ReceivedMessage>, PubSubError> {
        #[expect(
            deprecated,
            reason = "an emulator answers it rightly, and nobody need wait there"
        )]
        let request = PullRequest {
            subscription: subscription.to_owned(),
            return_immediately: self.is_local(),
            max_messages: most,
        };
        let wait = if self.is_local() {
            Wait::ForAnswer
        } else {
            Wait::ForNews(PULL_WAIT)
        };
        let pulled = self
            .ask_and_wait(operation, &request, wait, |channel, request| async move {
                subscriptions(channel).pull(request).await
            })
            .await;
        match pulled {
            Ok(answer) => Ok(answer.received_messages),
            // The wait was over before a message came.
            Err(PubSubError::Refused {
                code: Code::DeadlineExceeded | Code::Cancelled,
                ..
            }) if matches!(wait, Wait::ForNews(_)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn ask_and_wait<M, R, F>(
        &self,
        operation: &Operation,
        message: &M,
        wait: Wait,
        call: impl Fn(Channel, Request<M>) -> F,
    ) -> Result<R, PubSubError>
    where
        M: Clone,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let until = Instant::now() + self.timeouts.calls;
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(5))
            .with_jitter()
            .without_max_times()
            .build();
        loop {
            let channel = self.channel.current();
            let mut request = self.request(message.clone()).await?;
            if let Wait::ForNews(within) = wait {
                request.set_timeout(within);
            }
            let status = match call(channel.client, request).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => status,
            };
            let pause = pauses.next().unwrap_or_default();
            if !wait.is_worth_another(&status) || Instant::now() + pause >= until {
                return Err(PubSubError::refused(operation, &status));
            }
            debug!(event = "pubsub_asked_again", %operation, why = %status);
            if is_ours_timed_out(&status) {
                // Where it cannot be made, the old one serves the next attempt as well as it can.
                drop(self.channel.renew(channel.number).await);
            }
            sleep(pause).await;
        }
    }
}

impl Wait {
    /// Whether the connection or Pub/Sub as a whole is to blame. An error that has a cause was made
    /// on this side, out of a connection that broke; what Pub/Sub itself answers has none.
    fn is_worth_another(self, status: &Status) -> bool {
        match (self, status.code()) {
            (Self::ForNews(_), Code::DeadlineExceeded) => false,
            (Self::ForNews(_), _) if is_ours_timed_out(status) => false,
            (_, Code::Unavailable | Code::DeadlineExceeded) => true,
            // Such as an answer that is larger than can be read: it would be so again.
            (_, Code::OutOfRange | Code::ResourceExhausted) => false,
            _ => std::error::Error::source(status).is_some(),
        }
    }
}
