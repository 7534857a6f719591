//! The pause as labels of the topic `sync-outcome`, which every stage and every operator sees.

use std::{collections::HashMap, time::Duration};

use google_cloud_googleapis::pubsub::v1::{
    GetTopicRequest, Topic as TopicSettings, UpdateTopicRequest,
};
use prost_types::FieldMask;

use super::{Connection, Operation, PubSubError, Topic, connect::topics};
use crate::pause::{GOOD_FOR, PAUSE_LABELS, PauseNotice, PauseSource, WriteSwitch};

/// How long one attempt to read may take, and all of them together: less than a reading is good
/// for, so that a connection that died is replaced before writes have to wait.
const ONE_READING: Duration = Duration::from_secs(4);

/// The topic whose labels keep the pause. Labels last, one call sets them for everybody, and
/// Terraform leaves those alone that it does not manage.
#[derive(Clone, Debug)]
pub struct PauseTopic {
    connection: Connection,
}

impl PauseTopic {
    /// The topic behind `connection`.
    pub fn of(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
        }
    }

    /// A switch for the writes of this process.
    ///
    /// # Errors
    /// When the topic cannot be read now: a process that never could would never write.
    pub async fn switch(&self) -> Result<WriteSwitch, PubSubError> {
        let connection = self.connection.waiting_for(ONE_READING, GOOD_FOR);
        WriteSwitch::watching(Self { connection }).await
    }

    /// The pause, if there is one.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub async fn read(&self) -> Result<Option<PauseNotice>, PubSubError> {
        Ok(PauseNotice::from_labels(&self.labels().await?))
    }

    /// Sets the pause, unless there is one already; what holds now, and whether it is new.
    ///
    /// # Errors
    /// When the topic cannot be read or changed.
    pub async fn pause(&self, notice: PauseNotice) -> Result<(PauseNotice, bool), PubSubError> {
        let mut labels = self.labels().await?;
        if let Some(earlier) = PauseNotice::from_labels(&labels) {
            return Ok((earlier, false));
        }
        for name in PAUSE_LABELS {
            labels.remove(name);
        }
        labels.extend(notice.labels());
        self.set(labels).await?;
        Ok((notice, true))
    }

    /// Ends the pause; the one that there was.
    ///
    /// # Errors
    /// When the topic cannot be read or changed.
    pub async fn resume(&self) -> Result<Option<PauseNotice>, PubSubError> {
        let mut labels = self.labels().await?;
        let Some(ended) = PauseNotice::from_labels(&labels) else {
            return Ok(None);
        };
        for name in PAUSE_LABELS {
            labels.remove(name);
        }
        self.set(labels).await?;
        Ok(Some(ended))
    }

    async fn labels(&self) -> Result<HashMap<String, String>, PubSubError> {
        let request = GetTopicRequest { topic: self.name() };
        let operation = Operation::GetTopic(self.id());
        let topic = self
            .connection
            .ask(&operation, &request, |channel, request| async move {
                topics(channel).get_topic(request).await
            })
            .await?;
        Ok(topic.labels)
    }

    /// All labels at once: Pub/Sub replaces them as a whole.
    async fn set(&self, labels: HashMap<String, String>) -> Result<(), PubSubError> {
        let request = UpdateTopicRequest {
            topic: Some(TopicSettings {
                name: self.name(),
                labels,
                ..TopicSettings::default()
            }),
            update_mask: Some(FieldMask {
                paths: vec!["labels".to_owned()],
            }),
        };
        let operation = Operation::LabelTopic(self.id());
        self.connection
            .ask(&operation, &request, |channel, request| async move {
                topics(channel).update_topic(request).await
            })
            .await
            .map(drop)
    }

    fn name(&self) -> String {
        self.connection.names().topic(Topic::SyncOutcome.as_str())
    }

    fn id(&self) -> String {
        self.connection.names().id(Topic::SyncOutcome.as_str())
    }
}

impl PauseSource for PauseTopic {
    type Error = PubSubError;

    async fn read(&self) -> Result<Option<PauseNotice>, PubSubError> {
        Self::read(self).await
    }
}
