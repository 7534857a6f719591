//! Waiting until a message is confirmed.

use std::{sync::Arc, time::Duration};

use google_cloud_pubsub::{error::PublishError, model::Message, publisher::PublishFuture};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::debug;

use super::{InFlightPermit, PublisherState, topic_clients::TopicClient};
use crate::messaging::{PubSubError, error::is_worth_another_client};

/// Before a message is published again.
const PAUSE: Duration = Duration::from_millis(500);

/// A message on its way to Pub/Sub. It goes out whether this is waited for or not; only who waits
/// has it published again where no answer comes.
pub(in crate::messaging) struct Confirmation {
    publisher: Arc<PublisherState>,
    message: Message,
    handed_over: HandedOver,
    since: Instant,
    _permit: Option<InFlightPermit>,
}

/// One attempt.
struct HandedOver {
    topic_client: Arc<TopicClient>,
    at: Instant,
    published: PublishFuture,
}

/// How an attempt failed.
enum Failed {
    /// Pub/Sub refused the message.
    Refused(PublishError),
    /// The client could not reach Pub/Sub in time.
    Unreached(PublishError),
    /// The client said nothing at all.
    Silent,
}

impl Confirmation {
    /// Hands `message` to the client in use.
    pub(super) fn of(
        publisher: &Arc<PublisherState>,
        message: Message,
        permit: Option<InFlightPermit>,
    ) -> Self {
        let handed_over = HandedOver::to(publisher.clients.current(), &message);
        Self {
            publisher: Arc::clone(publisher),
            message,
            since: handed_over.at,
            handed_over,
            _permit: permit,
        }
    }

    /// The message id, once Pub/Sub has it.
    ///
    /// # Errors
    /// When Pub/Sub did not confirm it; it may have it all the same.
    pub(in crate::messaging) async fn confirmed(mut self) -> Result<String, PubSubError> {
        let publisher = Arc::clone(&self.publisher);
        let (topic, timeouts) = (&publisher.topic, publisher.timeouts);
        loop {
            // The client ends its own attempts before; this is for one that cannot even connect.
            let silence = timeouts.publish.saturating_mul(3) / 2;
            let failed = match self.handed_over.answer(silence).await {
                Ok(id) => return Ok(id),
                Err(failed) => failed,
            };
            let is_last = self.since.elapsed() + timeouts.publish > timeouts.publishes;
            match failed {
                Failed::Refused(error) => {
                    let error = PubSubError::unconfirmed(topic, &error);
                    if let Some(refusals) = &publisher.refusals {
                        refusals.met(topic, &error);
                    }
                    return Err(error);
                }
                Failed::Unreached(error) if is_last => {
                    return Err(PubSubError::unconfirmed(topic, &error));
                }
                Failed::Silent if is_last => {
                    return Err(PubSubError::Unconfirmed {
                        topic: topic.clone(),
                        why: "no answer came".to_owned(),
                    });
                }
                Failed::Unreached(error) => debug!(event = "publish_unanswered", topic, %error),
                Failed::Silent => debug!(event = "publish_unanswered", topic),
            }
            self.again().await;
        }
    }

    /// Publishes the message again, over a connection other than the last.
    async fn again(&mut self) {
        let clients = &self.publisher.clients;
        clients.replace(&self.handed_over.topic_client).await;
        // Some failures come at once.
        sleep(PAUSE).await;
        self.handed_over = HandedOver::to(clients.current(), &self.message);
    }
}

impl HandedOver {
    fn to(topic_client: Arc<TopicClient>, message: &Message) -> Self {
        Self {
            published: topic_client.client.publish(message.clone()),
            topic_client,
            at: Instant::now(),
        }
    }

    /// Waits for the message id as long as the client is answered now and then: what waits behind
    /// others may wait long.
    async fn answer(&mut self, silence: Duration) -> Result<String, Failed> {
        loop {
            let heard = self.topic_client.last_answer().max(self.at);
            match timeout_at(heard + silence, &mut self.published).await {
                Ok(Ok(id)) => {
                    self.topic_client.answered();
                    return Ok(id);
                }
                Ok(Err(error)) if is_worth_another_client(&error) => {
                    return Err(Failed::Unreached(error));
                }
                Ok(Err(error)) => {
                    self.topic_client.answered();
                    return Err(Failed::Refused(error));
                }
                Err(_) if self.topic_client.last_answer() > heard => {}
                Err(_) => return Err(Failed::Silent),
            }
        }
    }
}
