//! Where a run's messages go, and whether anybody is there to get them.

use std::collections::BTreeMap;

use crate::messaging::{PubSubError, StageMessages, topology::Unread, wire::UserSync};

/// Where the messages of a run go.
pub trait UserMessages: Send + Sync + 'static {
    /// Returns once the message is confirmed.
    ///
    /// # Errors
    /// When it was not; it may have been published all the same.
    fn publish(
        &self,
        body: &UserSync,
        attributes: BTreeMap<String, String>,
    ) -> impl Future<Output = Result<(), PubSubError>> + Send;

    /// Whether what is published now reaches a worker.
    ///
    /// # Errors
    /// When it would go into nothing, or nobody can say.
    fn check_reader(&self) -> impl Future<Output = Result<(), Unread>> + Send {
        std::future::ready(Ok(()))
    }
}

impl UserMessages for StageMessages {
    async fn publish(
        &self,
        body: &UserSync,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), PubSubError> {
        Self::publish(self, body, attributes).await
    }

    async fn check_reader(&self) -> Result<(), Unread> {
        Self::check_reader(self).await
    }
}
