//! Comparing what exists with what the service needs.

use std::{fmt, time::Duration};

use google_cloud_googleapis::pubsub::v1::{GetSubscriptionRequest, GetTopicRequest, Subscription};
use tonic::Code;

use super::{
    Topology,
    settings::{differing_settings, id_of, kept_as_long},
};
use crate::messaging::{
    OUTCOME_HISTORY, Operation, PubSubError, Stage, Topic, advice,
    connect::{subscriptions, topics},
};

/// How long a call takes whose answer the start of a stage waits for.
const START_CALL: Duration = Duration::from_secs(10);

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
        /// What it does to messages.
        harm: Harm,
    },
}

/// What a setting that differs does to messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// They are lost, or none come.
    Fatal,
    /// They are lost or go round for ever while they are in the hands of the stage that reads them.
    FatalToReader,
    /// None is lost.
    Lesser,
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
                harm: _,
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

    /// Whether a stage that reads from the subscription called `own` loses messages so, or none
    /// come.
    fn is_fatal_to(&self, own: &str) -> bool {
        match self {
            Self::MissingTopic { .. } | Self::MissingSubscription { .. } => true,
            Self::Setting {
                harm, subscription, ..
            } => match harm {
                Harm::Fatal => true,
                Harm::FatalToReader => subscription == own,
                Harm::Lesser => false,
            },
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

impl StageRefused {
    /// Whether another attempt may succeed where nobody does anything about it.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Incomplete { .. } => false,
            Self::PubSub(error) => error.may_pass(),
        }
    }
}

/// Why a stage does not publish to the next one.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// What is published would reach nobody.
    #[error("no subscription would receive the messages for stage {stage}: {}; {remedy}", listed(.fatal))]
    NoReader {
        /// The stage that would have to read it.
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

    /// Whether `stage` can serve without losing messages. Lesser differences are logged as a
    /// warning.
    ///
    /// # Errors
    /// When its subscription, its dead-letter topic, or the subscription that holds its dead
    /// letters is missing, or those of the topic it publishes to; where one of them gets no
    /// messages, or its own loses them; or when Pub/Sub cannot be asked.
    pub async fn check_stage(&self, stage: Stage) -> Result<(), StageRefused> {
        self.asking_once().check_now(stage).await
    }

    /// Each call is made once: who starts tries again as a whole, and tells of it meanwhile.
    fn asking_once(&self) -> Self {
        let connection = self.connection.waiting_for(START_CALL, START_CALL);
        Self {
            connection,
            ..self.clone()
        }
    }

    async fn check_now(&self, stage: Stage) -> Result<(), StageRefused> {
        let (fatal, lesser) = self.examine(stage).await?;
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

    /// What has become of what `stage` needs while it serves: what is wrong and what to do, `None`
    /// while all is well. It is what [`Self::check_stage`] asks before the first message.
    ///
    /// # Errors
    /// When Pub/Sub cannot be asked.
    pub(in crate::messaging) async fn what_is_lost(
        &self,
        stage: Stage,
    ) -> Result<Option<String>, PubSubError> {
        let (fatal, _) = self.examine(stage).await?;
        Ok((!fatal.is_empty()).then(|| format!("{}; {}", listed(&fatal), self.remedy())))
    }

    /// Whether what is published to `stage` reaches its subscription.
    ///
    /// # Errors
    /// When it would not, or Pub/Sub cannot be asked.
    pub(in crate::messaging) async fn check_reader(&self, stage: Stage) -> Result<(), Unread> {
        let topic = self.missing_topic(stage.topic().as_str()).await?;
        let differences = self.differences_of(&self.work(stage)).await?;
        let fatal: Vec<_> = topic
            .into_iter()
            .chain(differences)
            // How its reader fares is its reader's to say.
            .filter(|difference| difference.is_fatal_to(""))
            .collect();
        if fatal.is_empty() {
            Ok(())
        } else {
            Err(Unread::NoReader {
                stage,
                fatal,
                remedy: self.remedy(),
            })
        }
    }

    /// What is fatal to `stage`, and what is not.
    async fn examine(
        &self,
        stage: Stage,
    ) -> Result<(Vec<Difference>, Vec<Difference>), PubSubError> {
        let stages = [Some(stage), stage.publishes_to()];
        let (mut topics, mut subscriptions) = (Vec::new(), Vec::new());
        for stage in stages.into_iter().flatten() {
            topics.extend(Self::topics_of(stage));
            subscriptions.extend(self.subscriptions_of(stage));
        }
        let own = self.names().id(stage.subscription());
        let found = self.compare(&topics, &subscriptions).await?;
        Ok(found
            .into_iter()
            .partition(|difference| difference.is_fatal_to(&own)))
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
        let id = self.names().id(topic);
        let request = GetTopicRequest {
            topic: self.names().topic(topic),
        };
        let operation = Operation::GetTopic(id.clone());
        let found = self
            .connection
            .ask(&operation, &request, |channel, request| async move {
                topics(channel).get_topic(request).await
            })
            .await;
        match found {
            Ok(_) => Ok(None),
            Err(error) if is_missing(&error) => Ok(Some(Difference::MissingTopic { topic: id })),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn differences_of(
        &self,
        wanted: &Subscription,
    ) -> Result<Vec<Difference>, PubSubError> {
        let id = id_of(&wanted.name).to_owned();
        let request = GetSubscriptionRequest {
            subscription: wanted.name.clone(),
        };
        let operation = Operation::GetSubscription(id.clone());
        let found = self
            .connection
            .ask(&operation, &request, |channel, request| async move {
                subscriptions(channel).get_subscription(request).await
            })
            .await;
        match found {
            Ok(found) if id == self.names().id(OUTCOME_HISTORY) => {
                Ok(differing_settings(&kept_as_long(wanted, &found), &found))
            }
            Ok(found) => Ok(differing_settings(wanted, &found)),
            Err(error) if is_missing(&error) => {
                Ok(vec![Difference::MissingSubscription { subscription: id }])
            }
            Err(error) => Err(error),
        }
    }
}

/// Not so where the project itself is not found: then all would seem to be missing, and none could
/// be made.
fn is_missing(error: &PubSubError) -> bool {
    matches!(
        error,
        PubSubError::Refused { code: Code::NotFound, message, .. } if !advice::is_of_the_project(message)
    )
}
