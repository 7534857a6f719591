//! What Pub/Sub is asked for, and the role that it takes.

use std::fmt;

/// One operation of Pub/Sub. Its text follows "Pub/Sub refused to"; ids have the configured prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Publishes to this topic.
    Publish(String),
    /// Reads this topic's settings.
    GetTopic(String),
    /// Changes this topic's labels.
    LabelTopic(String),
    /// Reads this subscription's settings.
    GetSubscription(String),
    /// Creates this topic.
    CreateTopic(String),
    /// Creates this subscription.
    CreateSubscription(String),
    /// Changes this subscription's settings.
    UpdateSubscription(String),
    /// Pulls from the subscription of a stage.
    PullFromStage,
    /// Pulls from this subscription of dead letters.
    ReadDeadLetters(String),
    /// Pulls from the subscription that holds outcomes.
    ReadOutcomes(String),
    /// Acks messages.
    Acknowledge,
    /// Extends leases or gives them back.
    ChangeLeases,
    /// Creates a subscription for one run's outcomes.
    SubscribeToOutcomes,
    /// Deletes it.
    DeleteOutcomesSubscription,
}

impl Operation {
    /// The smallest predefined role that allows it, and on what, see
    /// <https://docs.cloud.google.com/pubsub/docs/access-control#roles>.
    pub(super) fn role(&self) -> String {
        match self {
            Self::Publish(topic) => format!("roles/pubsub.publisher on the topic {topic}"),
            Self::GetTopic(topic) => format!("roles/pubsub.viewer on the topic {topic}"),
            Self::LabelTopic(topic) => format!("roles/pubsub.editor on the topic {topic}"),
            Self::GetSubscription(subscription) => {
                format!("roles/pubsub.viewer on the subscription {subscription}")
            }
            Self::ReadDeadLetters(subscription) | Self::ReadOutcomes(subscription) => {
                format!("roles/pubsub.subscriber on the subscription {subscription}")
            }
            Self::SubscribeToOutcomes => {
                "roles/pubsub.editor on the project, to make a subscription of its own on sync-outcome"
                    .to_owned()
            }
            Self::CreateTopic(_)
            | Self::CreateSubscription(_)
            | Self::UpdateSubscription(_)
            | Self::DeleteOutcomesSubscription => "roles/pubsub.editor on the project".to_owned(),
            Self::PullFromStage | Self::Acknowledge | Self::ChangeLeases => {
                "roles/pubsub.subscriber on the subscriptions".to_owned()
            }
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(topic) => write!(f, "publish to {topic}"),
            Self::GetTopic(topic) => write!(f, "get topic {topic}"),
            Self::LabelTopic(topic) => write!(f, "change the labels of topic {topic}"),
            Self::GetSubscription(subscription) => write!(f, "get subscription {subscription}"),
            Self::CreateTopic(topic) => write!(f, "create topic {topic}"),
            Self::CreateSubscription(subscription) => {
                write!(f, "create subscription {subscription}")
            }
            Self::UpdateSubscription(subscription) => {
                write!(f, "update subscription {subscription}")
            }
            Self::PullFromStage => f.write_str("pull from the stage's subscription"),
            Self::ReadDeadLetters(subscription) => {
                write!(f, "read dead letters from {subscription}")
            }
            Self::ReadOutcomes(subscription) => write!(f, "read outcomes from {subscription}"),
            Self::Acknowledge => f.write_str("ack messages"),
            Self::ChangeLeases => f.write_str("change leases"),
            Self::SubscribeToOutcomes => f.write_str("subscribe to the run's outcomes"),
            Self::DeleteOutcomesSubscription => f.write_str("delete the follower's subscription"),
        }
    }
}
