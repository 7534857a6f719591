//! Publishing to another stage, which has to be there: a topic takes messages that nobody will ever
//! get.

use std::{collections::BTreeMap, fmt};

use super::{
    Connection, PubSubError, Publisher, PublisherOptions, Stage, Topology, topology::Unread,
};

/// Publishes to the topic that a stage reads from. Cheap to clone.
#[derive(Clone)]
pub struct StageMessages {
    stage: Stage,
    topology: Topology,
    publisher: Publisher,
}

impl fmt::Debug for StageMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageMessages")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl StageMessages {
    /// Messages for `stage`.
    pub fn to(stage: Stage, connection: &Connection) -> Self {
        Self {
            stage,
            topology: Topology::new(connection),
            publisher: connection
                .publisher_with(stage.topic().as_str(), &PublisherOptions::default()),
        }
    }

    /// Publishes one message; returns once Pub/Sub has confirmed it.
    ///
    /// # Errors
    /// When it did not; it may have it all the same.
    pub async fn publish(
        &self,
        body: &impl serde::Serialize,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), PubSubError> {
        self.publisher.publish(body, attributes).await.map(drop)
    }

    /// Whether what is published now reaches the stage's subscription.
    ///
    /// # Errors
    /// When its topic or its subscription is missing, or takes none of these messages; or when
    /// Pub/Sub cannot be asked.
    pub async fn check_reader(&self) -> Result<(), Unread> {
        self.topology.check_reader(self.stage).await
    }
}
