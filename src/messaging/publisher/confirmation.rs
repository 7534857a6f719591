//! Waiting until a message is confirmed.

use std::{sync::Arc, time::Duration};

use google_cloud_pubsub::{error::PublishError, model::Message, publisher::PublishFuture};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::debug;

use super::{Inner, Place, line::Line};
use crate::messaging::{PubSubError, error::is_worth_another_client};

/// Before a message is published again.
const PAUSE: Duration = Duration::from_millis(500);

/// A message on its way to Pub/Sub. It goes out whether this is waited for or not; only who waits
/// has it published again where no answer comes.
pub(in crate::messaging) struct Confirmation {
    publisher: Arc<Inner>,
    message: Message,
    handed_over: HandedOver,
    since: Instant,
    _place: Option<Place>,
}

/// One attempt.
struct HandedOver {
    line: Arc<Line>,
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
    pub(super) fn of(publisher: &Arc<Inner>, message: Message, place: Option<Place>) -> Self {
        let handed_over = HandedOver::to(publisher.lines.current(), &message);
        Self {
            publisher: Arc::clone(publisher),
            message,
            since: handed_over.at,
            handed_over,
            _place: place,
        }
    }

    /// The message id, once Pub/Sub has it.
    ///
    /// # Errors
    /// When Pub/Sub did not confirm it; it may have it all the same.
    pub(in crate::messaging) async fn confirmed(mut self) -> Result<String, PubSubError> {
        let publisher = Arc::clone(&self.publisher);
        let (topic, patience) = (&publisher.topic, publisher.patience);
        loop {
            // The client ends its own attempts before; this is for one that cannot even connect.
            let silence = patience.publish.saturating_mul(3) / 2;
            let failed = match self.handed_over.answer(silence).await {
                Ok(id) => return Ok(id),
                Err(failed) => failed,
            };
            let is_last = self.since.elapsed() + patience.publish > patience.publishes;
            match failed {
                Failed::Refused(error) => return Err(PubSubError::unconfirmed(topic, &error)),
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
        let lines = &self.publisher.lines;
        lines.replace(&self.handed_over.line).await;
        // Some failures come at once.
        sleep(PAUSE).await;
        self.handed_over = HandedOver::to(lines.current(), &self.message);
    }
}

impl HandedOver {
    fn to(line: Arc<Line>, message: &Message) -> Self {
        Self {
            published: line.client.publish(message.clone()),
            line,
            at: Instant::now(),
        }
    }

    /// Waits for the message id as long as the client is answered now and then: what waits behind
    /// others may wait long.
    async fn answer(&mut self, silence: Duration) -> Result<String, Failed> {
        loop {
            let heard = self.line.last_answer().max(self.at);
            match timeout_at(heard + silence, &mut self.published).await {
                Ok(Ok(id)) => {
                    self.line.answered();
                    return Ok(id);
                }
                Ok(Err(error)) if is_worth_another_client(&error) => {
                    return Err(Failed::Unreached(error));
                }
                Ok(Err(error)) => {
                    self.line.answered();
                    return Err(Failed::Refused(error));
                }
                Err(_) if self.line.last_answer() > heard => {}
                Err(_) => return Err(Failed::Silent),
            }
        }
    }
}
