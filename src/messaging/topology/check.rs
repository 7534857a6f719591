use std::fmt;

use google_cloud_googleapis::pubsub::v1::{GetSubscriptionRequest, GetTopicRequest, Subscription};
use prost_types::Duration as ProtoDuration;
use tonic::{Code, Status};

use super::Topology;
use crate::messaging::{PubSubError, Stage, Topic, advice};

/// One way in which what exists differs from what the service needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// There is no such topic.
    MissingTopic {
        /// Its id, prefix included.
        topic: String,
    },
    /// There is no such subscription. On a dead-letter topic it means that dead letters are lost.
    MissingSubscription {
        /// Its id, prefix included.
        subscription: String,
    },
    /// A setting of a subscription.
    Setting {
        /// The subscription's id, prefix included.
        subscription: String,
        /// The setting, as Pub/Sub's API names it.
        setting: &'static str,
        /// What the service needs.
        expected: String,
        /// What is there.
        found: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingTopic { topic } => write!(f, "topic {topic}: missing"),
            Self::MissingSubscription { subscription } => {
                write!(f, "subscription {subscription}: missing")
            }
            Self::Setting {
                subscription,
                setting,
                expected,
                found,
            } => write!(
                f,
                "subscription {subscription}: {setting} is {found}, expected {expected}"
            ),
        }
    }
}

impl Difference {
    /// The field to update; `None` where a subscription cannot be changed any more.
    pub(super) fn mask(&self) -> Option<&'static str> {
        match self {
            Self::MissingTopic { .. } | Self::MissingSubscription { .. } => None,
            Self::Setting { setting, .. } => match *setting {
                "topic" | "filter" | "enable_message_ordering" | "detached" => None,
                updatable => Some(updatable),
            },
        }
    }

    /// Whether messages would be lost, or none would come: a stage does not serve so.
    fn is_fatal(&self) -> bool {
        match self {
            Self::MissingTopic { .. } | Self::MissingSubscription { .. } => true,
            Self::Setting { setting, .. } => {
                matches!(*setting, "topic" | "detached" | "filter" | "push_config")
            }
        }
    }
}

/// Why a stage does not start.
#[derive(Debug, thiserror::Error)]
pub enum StageRefused {
    /// Messages would be lost.
    #[error("stage {stage} does not start: {}; {remedy}", listed(.fatal))]
    Incomplete {
        /// The stage.
        stage: Stage,
        /// What is wrong.
        fatal: Vec<Difference>,
        /// What to run.
        remedy: &'static str,
    },
    /// Pub/Sub could not be asked.
    #[error(transparent)]
    PubSub(#[from] PubSubError),
}

fn listed(differences: &[Difference]) -> String {
    let lines: Vec<_> = differences.iter().map(Difference::to_string).collect();
    lines.join("; ")
}

impl Topology {
    /// Everything that differs from what the service needs; empty when all is as it must be.
    ///
    /// # Errors
    /// When Pub/Sub cannot be reached or refuses to say.
    pub async fn check(&self) -> Result<Vec<Difference>, PubSubError> {
        self.compare(&self.topics(), &self.subscriptions()).await
    }

    /// Whether `stage` can serve without losing messages. Lesser differences are logged as a warning.
    ///
    /// # Errors
    /// When its subscription, its dead-letter topic, or the subscription that holds its dead letters is missing, or those
    /// of the topic it publishes to; or when Pub/Sub cannot be asked.
    pub async fn check_stage(&self, stage: Stage) -> Result<(), StageRefused> {
        let stages = [Some(stage), stage.publishes_to()];
        let (mut topics, mut subscriptions) = (Vec::new(), Vec::new());
        for stage in stages.into_iter().flatten() {
            topics.extend(Self::topics_of(stage));
            subscriptions.extend(self.subscriptions_of(stage));
        }
        let found = self.compare(&topics, &subscriptions).await?;
        let (fatal, lesser): (Vec<_>, Vec<_>) = found.into_iter().partition(Difference::is_fatal);
        for difference in lesser {
            tracing::warn!(event = "topology_differs", %stage, %difference);
        }
        self.warn_without_outcomes(stage).await?;
        if fatal.is_empty() {
            Ok(())
        } else {
            Err(StageRefused::Incomplete {
                stage,
                fatal,
                remedy: self.remedy(),
            })
        }
    }

    async fn warn_without_outcomes(&self, stage: Stage) -> Result<(), PubSubError> {
        if let Some(difference) = self.missing_topic(Topic::SyncOutcome.as_str()).await? {
            tracing::warn!(event = "topology_differs", %stage, %difference);
        }
        Ok(())
    }

    const fn remedy(&self) -> &'static str {
        if self.connection.is_local() {
            "run `lookup-gitlab-sync topology apply`"
        } else {
            "run `terraform apply`, then `lookup-gitlab-sync topology check`"
        }
    }

    async fn compare(
        &self,
        topics: &[&str],
        subscriptions: &[Subscription],
    ) -> Result<Vec<Difference>, PubSubError> {
        let mut found = Vec::new();
        for topic in topics {
            found.extend(self.missing_topic(topic).await?);
        }
        for wanted in subscriptions {
            found.extend(self.differences_of(wanted).await?);
        }
        Ok(found)
    }

    async fn missing_topic(&self, topic: &str) -> Result<Option<Difference>, PubSubError> {
        let request = self
            .connection
            .request(GetTopicRequest {
                topic: self.names().topic(topic),
            })
            .await?;
        let id = self.names().id(topic);
        match self.connection.topics().get_topic(request).await {
            Ok(_) => Ok(None),
            Err(status) if is_missing(&status) => Ok(Some(Difference::MissingTopic { topic: id })),
            Err(status) => Err(PubSubError::refused(format!("get topic {id}"), &status)),
        }
    }

    pub(super) async fn differences_of(
        &self,
        wanted: &Subscription,
    ) -> Result<Vec<Difference>, PubSubError> {
        let request = self
            .connection
            .request(GetSubscriptionRequest {
                subscription: wanted.name.clone(),
            })
            .await?;
        let id = id_of(&wanted.name).to_owned();
        match self
            .connection
            .subscriptions()
            .get_subscription(request)
            .await
        {
            Ok(found) => Ok(differing_settings(wanted, found.get_ref())),
            Err(status) if is_missing(&status) => {
                Ok(vec![Difference::MissingSubscription { subscription: id }])
            }
            Err(status) => Err(PubSubError::refused(
                format!("get subscription {id}"),
                &status,
            )),
        }
    }
}

/// Not so where the project itself is not found: then all would seem to be missing, and none could be made.
fn is_missing(status: &Status) -> bool {
    status.code() == Code::NotFound && !advice::is_of_the_project(status.message())
}

fn differing_settings(wanted: &Subscription, found: &Subscription) -> Vec<Difference> {
    settings(wanted)
        .into_iter()
        .zip(settings(found))
        .filter(|((_, wanted), (_, found))| wanted != found)
        .map(|((setting, expected), (_, found))| Difference::Setting {
            subscription: id_of(&wanted.name).to_owned(),
            setting,
            expected,
            found,
        })
        .collect()
}

/// The settings the service relies on, as people read them. A deleted topic shows as `_deleted-topic_`.
fn settings(subscription: &Subscription) -> [(&'static str, String); 10] {
    let push = subscription
        .push_config
        .as_ref()
        .is_some_and(|push| !push.push_endpoint.is_empty());
    [
        ("topic", id_of(&subscription.topic).to_owned()),
        ("detached", subscription.detached.to_string()),
        (
            "ack_deadline_seconds",
            subscription.ack_deadline_seconds.to_string(),
        ),
        (
            "message_retention_duration",
            in_seconds(subscription.message_retention_duration.as_ref()),
        ),
        ("expiration_policy", expiration(subscription)),
        ("dead_letter_policy", dead_letters(subscription)),
        ("retry_policy", retries(subscription)),
        ("filter", quoted(&subscription.filter)),
        (
            "enable_message_ordering",
            subscription.enable_message_ordering.to_string(),
        ),
        ("push_config", if push { "push" } else { "pull" }.to_owned()),
    ]
}

fn expiration(subscription: &Subscription) -> String {
    match &subscription.expiration_policy {
        Some(policy) => policy
            .ttl
            .as_ref()
            .map_or_else(|| "never".to_owned(), |ttl| in_seconds(Some(ttl))),
        None => "Pub/Sub's default".to_owned(),
    }
}

fn dead_letters(subscription: &Subscription) -> String {
    subscription.dead_letter_policy.as_ref().map_or_else(
        || "none".to_owned(),
        |policy| {
            format!(
                "{} after {} attempts",
                id_of(&policy.dead_letter_topic),
                policy.max_delivery_attempts
            )
        },
    )
}

fn retries(subscription: &Subscription) -> String {
    subscription.retry_policy.as_ref().map_or_else(
        || "immediate".to_owned(),
        |policy| {
            format!(
                "{} to {}",
                in_seconds(policy.minimum_backoff.as_ref()),
                in_seconds(policy.maximum_backoff.as_ref())
            )
        },
    )
}

fn in_seconds(duration: Option<&ProtoDuration>) -> String {
    duration.map_or_else(
        || "unset".to_owned(),
        |duration| match duration.nanos {
            0 => format!("{} s", duration.seconds),
            nanos => format!("{}.{nanos:09} s", duration.seconds),
        },
    )
}

fn quoted(filter: &str) -> String {
    if filter.is_empty() {
        "none".to_owned()
    } else {
        format!("`{filter}`")
    }
}

/// The last segment of a resource's name.
pub(super) fn id_of(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
