//! Creating topics and subscriptions.

use google_cloud_googleapis::pubsub::v1::{Subscription, Topic, UpdateSubscriptionRequest};
use prost_types::FieldMask;
use tonic::Code;

use super::{Difference, Topology, settings::id_of};
use crate::messaging::{
    Operation, PubSubError,
    connect::{subscriptions, topics},
};

/// What `apply` did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Topics and subscriptions made, by id.
    pub created: Vec<String>,
    /// Subscriptions whose settings were corrected, by id.
    pub updated: Vec<String>,
    /// What still differs: settings that Pub/Sub fixes for a subscription's lifetime, or does not
    /// keep.
    pub remaining: Vec<Difference>,
}

impl Topology {
    /// Makes what is missing and corrects what differs. A second time it does nothing.
    ///
    /// # Errors
    /// On Google Cloud, where Terraform owns them; or when Pub/Sub cannot be reached or refuses.
    pub async fn apply(&self) -> Result<Applied, PubSubError> {
        if !self.connection.is_local() {
            return Err(PubSubError::Configuration(
                "topics and subscriptions on Google Cloud are Terraform's; \
                 `topology apply` is for an emulator, set PUBSUB_EMULATOR_HOST"
                    .to_owned(),
            ));
        }
        let mut applied = Applied::default();
        for topic in self.topics() {
            if self.create_topic(topic).await? {
                applied.created.push(self.names().id(topic));
            }
        }
        for wanted in self.subscriptions() {
            self.create_or_correct(wanted, &mut applied).await?;
        }
        applied.remaining = self.check().await?;
        Ok(applied)
    }

    /// Whether it was missing.
    async fn create_topic(&self, topic: &str) -> Result<bool, PubSubError> {
        let wanted = Topic {
            name: self.names().topic(topic),
            ..Topic::default()
        };
        let operation = Operation::CreateTopic(self.names().id(topic));
        let made = self
            .connection
            .ask(&operation, &wanted, |channel, request| async move {
                topics(channel).create_topic(request).await
            })
            .await;
        is_new(made.map(drop))
    }

    async fn create_or_correct(
        &self,
        wanted: Subscription,
        applied: &mut Applied,
    ) -> Result<(), PubSubError> {
        let id = id_of(&wanted.name).to_owned();
        let operation = Operation::CreateSubscription(id.clone());
        let made = self
            .connection
            .ask(&operation, &wanted, |channel, request| async move {
                subscriptions(channel).create_subscription(request).await
            })
            .await;
        if is_new(made.map(drop))? {
            applied.created.push(id);
        } else if self.correct(wanted).await? {
            applied.updated.push(id);
        }
        Ok(())
    }

    /// Whether something could be corrected.
    async fn correct(&self, wanted: Subscription) -> Result<bool, PubSubError> {
        let paths: Vec<String> = self
            .differences_of(&wanted)
            .await?
            .iter()
            .filter_map(Difference::mask)
            .map(str::to_owned)
            .collect();
        if paths.is_empty() {
            return Ok(false);
        }
        let operation = Operation::UpdateSubscription(id_of(&wanted.name).to_owned());
        let request = UpdateSubscriptionRequest {
            subscription: Some(wanted),
            update_mask: Some(FieldMask { paths }),
        };
        self.connection
            .ask(&operation, &request, |channel, request| async move {
                subscriptions(channel).update_subscription(request).await
            })
            .await?;
        Ok(true)
    }
}

/// Whether it was made now; there already is not a mistake.
fn is_new(made: Result<(), PubSubError>) -> Result<bool, PubSubError> {
    match made {
        Ok(()) => Ok(true),
        Err(PubSubError::Refused {
            code: Code::AlreadyExists,
            ..
        }) => Ok(false),
        Err(error) => Err(error),
    }
}
